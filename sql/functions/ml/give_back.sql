-- The one way back from a lease. Charged: an attempt is used up, and the last one ends among the dead letters. Not charged:
-- only put off. A job yields to a younger one of its row, pending or leased since (rule 3), which inherits that the row is new:
-- here, if it is free; a pending one in somebody's hands finds a retry beside it, which its claim or the next takes along.
-- It never waits for a writer: what comes back goes to ml.retries, which writers do not touch; a claim that finds both lets the
-- pending one answer.
-- The error's text stays with the operator, but for the model's own word on an input: a receipt is read by its owner.
create or replace function ml.give_back(
  a ml.attachments,
  m ml.models,
  p_jobs ml.owed[],
  p_reason text,
  p_error text,
  p_charge boolean,
  p_wait interval default null,
  p_leased_at timestamptz default clock_timestamp(),
  p_request_id text default null
)
returns integer
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_now constant timestamptz := clock_timestamp();
  v_new constant text[] := array(select j.row_key from unnest(p_jobs) as j where j.is_new);
  v_count integer;
begin
  with inherited as (
    update ml.jobs as p set is_new = true
    where p.ctid = any (array(
      select x.ctid from ml.jobs as x where x.attachment_id = a.id and x.row_key = any (v_new) for update skip locked
    ))
    returning p.row_key
  ), judged as (
    select
      j.*,
      y.pending and (not j.is_new or exists (select from inherited as i where i.row_key = j.row_key)) as yields,
      p_charge and j.attempts + 1 >= m.max_attempts and not y.pending as dead,
      make_interval(secs => case
        -- Whoever holds the row has held it for a while, and may go on: a quarter of the job's age, a minute at most.
        when p_reason = 'row_busy' then least(60, greatest(1, extract(epoch from v_now - j.enqueued_at) / 4))
        -- Exponential, at most an hour, with 20 % of jitter either way.
        else least(3600, m.backoff_seconds * 2 ^ least(case when p_charge then j.attempts else j.deferrals end, 20))
          * (0.8 + 0.4 * random())
      end) as pause
    from unnest(p_jobs) as j
    cross join lateral (
      select exists (select from ml.jobs as p where p.attachment_id = a.id and p.row_key = j.row_key) as pending
    ) as y
    where j.row_key is not null
      and not exists (
        select from ml.leases as l
        where l.attachment_id = a.id and l.leased_at > p_leased_at
          and j.row_key = any (array(select x.row_key from unnest(l.jobs) as x))
      )
  ), back as (
    insert into ml.retries as r (
      attachment_id, row_key, owner_id, enqueued_at, run_at, is_new, is_background, attempts, deferrals, suspicion, reason
    )
    select
      a.id, g.row_key, g.owner_id, g.enqueued_at, v_now + coalesce(p_wait, g.pause), g.is_new, g.is_background,
      g.attempts + p_charge::integer,
      least(g.deferrals + (p_reason = 'batch_fault' and not p_charge)::integer, 32767),
      least(g.suspicion + (p_reason = 'lease_expired')::integer, 32767), p_reason
    from judged as g
    where not g.dead and not g.yields
    order by g.row_key collate "C"
    on conflict (attachment_id, row_key) do update set is_new = r.is_new or excluded.is_new
  ), buried as (
    insert into ml.dead_letters (attachment_id, row_key, owner_id, attempts, reason, error)
    select a.id, g.row_key, nullif(g.owner_id, ml.nobody()), g.attempts + 1, p_reason, left(p_error, 2000)
    from judged as g
    where g.dead
  )
  insert into public.predictions (
    prediction, source_table, row_key, owner_id, model, status, input_hash, latency_ms, attempts, error, request_id
  )
  select
    a.name, a.source_table::text, g.row_key, nullif(g.owner_id, ml.nobody()), a.model, 'failed', g.input_hash,
    greatest(0, extract(epoch from v_now - g.enqueued_at) * 1000), g.attempts + 1,
    case when p_error like 'INVALID_INPUT: %' then left(p_error, 2000) else p_reason end, left(p_request_id, 200)
  from judged as g
  where g.dead;

  if v_new <> '{}' then
    update ml.leases as l set jobs = array(
      select (j.row_key, j.owner_id, j.enqueued_at, j.is_new or j.row_key = any (v_new), j.is_background,
        j.attempts, j.deferrals, j.suspicion, j.input_hash)::ml.owed
      from unnest(l.jobs) with ordinality as j
      order by j.ordinality
    )
    where l.token = any (array(
      -- One that is ending just now is left alone.
      select x.token from ml.leases as x
      where x.attachment_id = a.id and x.leased_at > p_leased_at
        and exists (select from unnest(x.jobs) as j where j.row_key = any (v_new) and not j.is_new)
      for update skip locked
    ));
  end if;

  select count(*) into v_count from unnest(p_jobs) as j where j.row_key is not null;
  return v_count;
end
$$;

comment on function ml.give_back(ml.attachments, ml.models, ml.owed[], text, text, boolean, interval, timestamptz, text) is
  'Jobs of a lease go to the retries, or to the dead letters when they are charged for the last time. Returns how many came.';
