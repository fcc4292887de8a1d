-- A table of items whose rows are predicted, and the books about it. Every change of a row is entered by an
-- ordinary trigger while the row is locked, and every answer by the function that writes it; so the truth does
-- not depend on the pipeline, and `seq` is the order in which the things happened to a row.
-- The schema `ledger`, its view `ledger.queue` of what is owed, and the model are there before.
create sequence ledger.version;

create table public.items (
  id bigint primary key,
  version bigint not null default 0,
  x bigint not null,
  fault text,
  hold text,
  nudge bigint not null default 0,
  score bigint,
  scored_version bigint
);

create table ledger.entries (
  seq bigint generated always as identity constraint entries_pkey primary key,
  kind text not null
    constraint entries_kind_check check (kind in ('insert', 'update', 'delete', 'nudge', 'cancel', 'answer')),
  row_key bigint not null,
  version bigint,
  x bigint,
  fault text,
  score bigint,
  answered_version bigint,
  entered_at timestamptz not null default clock_timestamp()
);
create index entries_row_key_idx on ledger.entries (row_key, seq);

create function ledger.tg_items__version() returns trigger
language plpgsql volatile security invoker set search_path = '' as $$
begin
  new.version := nextval('ledger.version');
  return new;
end
$$;
create trigger _100_version before insert or update of x, fault, hold on public.items
for each row execute function ledger.tg_items__version();

create function ledger.tg_items__enter() returns trigger
language plpgsql volatile security invoker set search_path = '' as $$
begin
  insert into ledger.entries (kind, row_key, version, x, fault)
  values (
    case when tg_op = 'UPDATE' and old.version = new.version then 'nudge' else lower(tg_op) end,
    coalesce(new.id, old.id), coalesce(new.version, old.version), new.x, new.fault
  );
  return null;
end
$$;
create trigger _900_enter after insert or delete on public.items
for each row execute function ledger.tg_items__enter();
create trigger _900_enter_update after update on public.items
for each row when ((old.version, old.nudge) is distinct from (new.version, new.nudge))
execute function ledger.tg_items__enter();

create function ledger.apply_item_score(p_row_keys text[], p_outputs jsonb[], p_model_version text)
returns void
language sql volatile security invoker set search_path = '' as $$
  with changed as (
    update public.items as i
    set score = (o.output ->> 'score')::bigint, scored_version = (o.output ->> 'version')::bigint
    from unnest(p_row_keys, p_outputs) as o (row_key, output)
    where i.id = o.row_key::bigint
    returning i.id, i.version, i.x, i.score, i.scored_version
  )
  insert into ledger.entries (kind, row_key, version, x, score, answered_version)
  select 'answer', c.id, c.version, c.x, c.score, c.scored_version from changed as c
$$;

select ml.attach(
  p_name => 'item_score', p_table => 'public.items', p_model => current_setting('ledger.model'),
  p_input => $$ jsonb_build_object('id', t.id, 'version', t.version, 'x', t.x, 'fault', t.fault, 'hold', t.hold) $$,
  p_watch => array['x', 'fault', 'hold', 'nudge'], p_apply => 'ledger.apply_item_score'
);

-- Every (row, input version) with what became of it: exactly one of answered, superseded, dead, cancelled; or lost.
create view ledger.fates as
with versions as (
  select
    e.row_key, e.version, e.x, e.fault, e.kind, e.entered_at,
    lead(e.seq) over (partition by e.row_key order by e.seq) is not null as overtaken
  from ledger.entries as e
  where e.kind in ('insert', 'update', 'delete')
), receipts as (
  select p.row_key::bigint as row_key, (p.output ->> 'version')::bigint as version, count(*) as answers
  from public.predictions as p
  where p.prediction = 'item_score' and p.status = 'done'
  group by 1, 2
), last_words as (
  -- What the pipeline was last told of a version: that it is owed, or that it is called off.
  select distinct on (e.row_key, e.version) e.row_key, e.version, e.kind
  from ledger.entries as e
  where e.kind <> 'answer'
  order by e.row_key, e.version, e.seq desc
)
select
  v.row_key, v.version, v.x, v.fault, v.overtaken, coalesce(r.answers, 0) as answers,
  case
    when r.answers > 0 then 'answered'
    when v.overtaken then 'superseded'
    when v.fault is not null and exists (
      select from ml.dead_letters as d
      where d.row_key = v.row_key::text and d.reason <> '' and d.died_at > v.entered_at
    ) then 'dead'
    when w.kind = 'cancel' then 'cancelled'
    else 'lost'
  end as fate
from versions as v
left join receipts as r on r.row_key = v.row_key and r.version = v.version
left join last_words as w on w.row_key = v.row_key and w.version = v.version
where v.kind <> 'delete';

-- All that is known of a row, for whoever looks into a violation. A receipt's time is the start of its transaction.
create view ledger.history as
select e.row_key, e.entered_at as at, concat_ws(' ', e.kind, e.version, 'of ' || e.answered_version, e.fault) as what
from ledger.entries as e
union all
select
  p.row_key::bigint, p.created_at,
  concat_ws(' ', 'receipt', p.status, p.output, 'after', p.latency_ms::integer, 'ms, attempts', p.attempts, p.error)
from public.predictions as p
where p.prediction = 'item_score';

-- What must not be, one line each. Empty when the books balance.
create view ledger.violations as
with answers as (
  select e.row_key, e.answered_version as version, count(*) as answers
  from ledger.entries as e
  where e.kind = 'answer'
  group by 1, 2
), owed_again as (
  select e.row_key, e.version, count(*) as times from ledger.entries as e where e.kind in ('nudge', 'cancel') group by 1, 2
)
select 'a version was lost' as rule, f.row_key, f.version, null as detail
from ledger.fates as f
where f.fate = 'lost'
union all
select 'a row does not show the answer to its last version', i.id, i.version, format('%s for %s', i.score, i.scored_version)
from public.items as i
join ledger.fates as f on f.row_key = i.id and f.version = i.version
where f.fate = 'answered' and (i.score, i.scored_version) is distinct from (i.x * i.x + 1, i.version)
union all
select 'an answer landed on another version', e.row_key, e.version, format('answer to %s', e.answered_version)
from ledger.entries as e
where e.kind = 'answer' and (e.answered_version, e.score) is distinct from (e.version, e.x * e.x + 1)
union all
-- A nudge owes the same version again; one that came after the claim may be answered as well. A cancel of one job makes an answer
-- before it count no more (ml.answered), so another job of the row that a dead worker held asks again, and gets the same.
select 'a version was answered twice', a.row_key, a.version, format('%s answers', a.answers)
from answers as a
left join owed_again as n on n.row_key = a.row_key and n.version = a.version
where a.answers > 1 + coalesce(n.times, 0)
union all
select
  'receipts and answers differ', coalesce(a.row_key, f.row_key), coalesce(a.version, f.version),
  format('%s receipts, %s answers', coalesce(f.answers, 0), coalesce(a.answers, 0))
from answers as a
full join ledger.fates as f on f.row_key = a.row_key and f.version = a.version
where coalesce(f.answers, 0) <> coalesce(a.answers, 0)
union all
select 'a receipt for what was never written', p.row_key::bigint, (p.output ->> 'version')::bigint, p.status
from public.predictions as p
where p.prediction = 'item_score' and p.status = 'done' and not exists (
  select from ledger.entries as e
  where e.row_key = p.row_key::bigint and e.version = (p.output ->> 'version')::bigint and e.kind in ('insert', 'update')
)
union all
select 'a poison was answered', f.row_key, f.version, f.fault
from ledger.fates as f
where f.answers > 0 and f.fault is not null
union all
select 'a dead letter that nobody asked for', d.row_key::bigint, null, format('%s: %s', d.reason, d.error)
from ml.dead_letters as d
where not exists (
  select from ledger.entries as e where e.row_key = d.row_key::bigint and e.fault is not null and e.entered_at < d.died_at
)
union all
select 'something is still owed', q.row_key::bigint, null, q.state
from ledger.queue as q
union all
select 'a deadlock', null, null, format('%s of them', s.deadlocks)
from pg_stat_database as s
where s.datname = current_database() and s.deadlocks > 0;
