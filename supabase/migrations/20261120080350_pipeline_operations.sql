-- Purpose: what operators ask (ml.doctor), and what owners ask (public.prediction_status).
-- Locks and risks: new types and functions; one index on ml.retries, which is short.
-- Undo: drop the functions below, then type ml.finding, type public.prediction_state and index ml.retries_owner_id_idx.

create type ml.finding as (severity text, finding text, object text, detail text, fix text);
comment on type ml.finding is
  'Something that ml.doctor found: error (predictions stop) or warning, a stable token, what it is about, and what to do.';

create type public.prediction_state as (
  prediction text, row_key text, status text, reason text, attempts integer, since timestamptz, next_try_at timestamptz
);
comment on type public.prediction_state is 'Answer of prediction_status().';

-- For owners who ask after their own; ml.jobs and public.predictions have such an index already.
create index retries_owner_id_idx on ml.retries (attachment_id, owner_id, enqueued_at);

-- file: sql/functions/ml/input_error.sql
create or replace function ml.input_error(a ml.attachments)
returns text
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  execute format('select (%s)::jsonb from %s as t limit 0', a.input_expression, a.source_table);
  return null;
exception when others then
  return sqlerrm;
end
$$;

comment on function ml.input_error(ml.attachments) is 'Why an attachment''s input expression no longer fits its table, or NULL.';
-- end file

-- file: sql/functions/ml/doctor_attachments.sql
-- The catalogue may change under an attachment, which no foreign key forbids.
create or replace function ml.doctor_attachments()
returns setof ml.finding
language sql
stable
security invoker
set search_path = ''
as $$
  with looked_at as (
    select
      a.name, a.source_table, a.key_column, a.key_type, a.apply_function,
      exists (select from pg_class as c where c.oid = a.source_table) as has_table,
      exists (
        select from pg_index as i
        join pg_attribute as k on k.attrelid = i.indrelid and k.attnum = i.indkey[0]
        where i.indrelid = a.source_table and i.indisprimary and i.indnkeyatts = 1
          and k.attname = a.key_column and k.atttypid = a.key_type
      ) as has_key,
      (
        select string_agg(w.name, ', ') from unnest(a.watched_columns || array[a.owner_column]) as w (name)
        where w.name is not null and not exists (
          select from pg_attribute as x
          where x.attrelid = a.source_table and x.attname = w.name and x.attnum > 0 and not x.attisdropped
        )
      ) as lost_columns,
      (
        select string_agg(format('ml.%I', g.object_name), ', ') from ml.generate(a) as g
        where not starts_with(g.object_name, '_800_')
          and not exists (select from pg_proc as p where p.pronamespace = 'ml'::regnamespace and p.proname = g.object_name)
      ) as lost_functions,
      (
        select string_agg(g.object_name, ', ') from ml.generate(a) as g
        where starts_with(g.object_name, '_800_')
          and not exists (select from pg_trigger as t where t.tgrelid = a.source_table and t.tgname = g.object_name)
      ) as lost_triggers,
      (
        select string_agg(t.tgname, ', ') from pg_trigger as t
        where t.tgrelid = a.source_table and starts_with(t.tgname, '_800_predict_' || a.name || '_') and t.tgenabled in ('D', 'R')
      ) as disabled_triggers,
      a.generated_hash is distinct from ml.generated_hash(a) as has_drifted,
      to_regprocedure(format('%s(text[], jsonb[], text)', a.apply_function)) is null as lost_apply,
      ml.input_error(a) as input_error,
      format(
        'select ml.attach(%L, %L, %L, %L, %L, %L, %L)',
        a.name, a.source_table, a.model, a.input_expression, a.watched_columns, a.apply_function, a.owner_column
      ) as attach_again
    from ml.attachments as a
  )
  select 'error', f.finding, l.name, f.detail, f.fix
  from looked_at as l
  cross join lateral (
    values
      (not l.has_table, 'SOURCE_GONE', 'its table was dropped', format('select ml.detach(%L)', l.name)),
      (
        l.has_table and not l.has_key, 'KEY_CHANGED',
        format('%s %s is no longer the primary key of %s', l.key_column, l.key_type, l.source_table),
        'call ml.attach again in a migration'
      ),
      (
        l.has_table and l.lost_columns is not null, 'COLUMN_GONE', format('%s has no column %s', l.source_table, l.lost_columns),
        'call ml.attach again in a migration, with columns that are there'
      ),
      (
        l.has_table and l.has_key and l.lost_columns is null and l.input_error is not null, 'INPUT_BROKEN', l.input_error,
        'call ml.attach again in a migration, with an input that the table has'
      ),
      (
        l.lost_apply, 'APPLY_GONE', format('there is no function %s(text[], jsonb[], text)', l.apply_function),
        'create it, or call ml.attach with another'
      ),
      (l.has_table and l.lost_functions is not null, 'FUNCTION_MISSING', l.lost_functions, l.attach_again),
      (l.has_table and l.lost_triggers is not null, 'TRIGGER_MISSING', l.lost_triggers, l.attach_again),
      (l.disabled_triggers is not null, 'TRIGGER_DISABLED', l.disabled_triggers, l.attach_again),
      (
        l.has_table and l.has_drifted and coalesce(l.lost_functions, l.lost_triggers, l.disabled_triggers) is null, 'GENERATED_CHANGED',
        'its functions or triggers are not what ml.attach made', l.attach_again
      )
  ) as f (found, finding, detail, fix)
  where f.found
$$;

comment on function ml.doctor_attachments() is 'What is wrong with attachments: tables, columns, functions and triggers that are not as ml.attach left them.';
-- end file

-- file: sql/functions/ml/doctor_work.sql
create or replace function ml.doctor_work()
returns setof ml.finding
language sql
stable
security invoker
set search_path = ''
as $$
  -- The same test as in ml.claim.
  select
    case when bool_or(a.paused_at is null and x.is_owed) then 'error' else 'warning' end, 'MODEL_NOT_SERVED', m.name,
    format('no living worker serves it; %s', case when bool_or(x.is_owed) then 'jobs wait' else 'nothing is owed now' end),
    case when m.url is null then 'start a service whose ROWCAST_MODELS names it' else 'start a service' end
  from ml.models as m
  join ml.attachments as a on a.model = m.name
  cross join lateral (
    select exists (select from ml.jobs as j where j.attachment_id = a.id)
      or exists (select from ml.retries as r where r.attachment_id = a.id) as is_owed
  ) as x
  where not exists (
    select from ml.workers as w
    where w.seen_at > clock_timestamp() - interval '15 seconds'
      and case when m.url is null then w.models ? m.name else w.models ? '*' end
  )
  group by m.name, m.url
  union all
  select
    'error', 'LEASE_EXPIRED', l.worker,
    format('%s batches ran out, the first at %s, and no worker takes them back', count(*), min(l.lease_until)),
    'start a service, or: select ml.reclaim_expired()'
  from ml.leases as l
  where l.lease_until < clock_timestamp() - interval '1 minute'
    and exists (select from ml.attachments as a where a.id = l.attachment_id)
  group by l.worker
  union all
  select
    'warning', 'BREAKER_OPEN', m.name, format('its provider is away since %s: %s', m.breaker_since, m.breaker_reason),
    format('mend the provider; to ask it now: update ml.models set breaker_until = null where name = %L', m.name)
  from ml.models as m
  where m.breaker_until > clock_timestamp()
    and (m.breaker_since < clock_timestamp() - interval '1 hour' or m.breaker_until > clock_timestamp() + interval '1 hour')
  union all
  select 'warning', 'PAUSED', a.name, format('paused since %s', a.paused_at), format('select ml.resume(%L)', a.name)
  from ml.attachments as a
  where a.paused_at < clock_timestamp() - interval '1 day'
  union all
  select
    'warning', 'BUDGET_SPENT', b.model,
    case b.scope
      when 'model' then format('%s of %s %s are spent until midnight UTC', u.spent, b.per_day, b.unit)
      else format('%s owners have spent their %s %s until midnight UTC', u.owners, b.per_day, b.unit)
    end,
    'wait, or raise per_day in ml.budgets'
  from ml.budgets as b
  cross join lateral (
    select coalesce(max(s.spent), 0) as spent, count(*) filter (where s.spent >= b.per_day) as owners
    from (
      select case b.unit when 'calls' then x.calls else x.tokens end as spent
      from ml.usage as x
      where x.model = b.model and x.day = (clock_timestamp() at time zone 'UTC')::date
        and (x.owner_id is null) = (b.scope = 'model')
    ) as s
  ) as u
  where case b.scope when 'model' then u.spent >= b.per_day else u.owners > 0 end
  union all
  select
    'warning', 'BUDGET_IDLE', b.model, 'its budget counts tokens, which only a remote model has', 'set unit to calls in ml.budgets'
  from ml.budgets as b
  join ml.models as m on m.name = b.model
  where b.unit = 'tokens' and m.url is null
  union all
  -- With many jobs of it waiting, a backfill has reason to pause; see ml.advance_backfills.
  select
    'warning', 'BACKFILL_STUCK', a.name,
    format('%s of about %s rows are enqueued; the last step was at %s', b.enqueued, b.total, b.moved_at),
    format('./rowcast queue backfill %s, and see that ml.advance_backfills is scheduled', a.name)
  from ml.backfills as b
  join ml.attachments as a on a.id = b.attachment_id
  where b.finished_at is null and b.moved_at < clock_timestamp() - interval '10 minutes' and a.paused_at is null
    and (
      select count(*) from (select from ml.jobs as j where j.attachment_id = a.id and j.is_background limit 20000) as x
    ) < 20000
  union all
  select
    'warning', 'JOBS_ORPHANED', x.attachment_id::text, format('%s jobs of an attachment that is gone', count(*)),
    format('select ml.forget_jobs(%s::smallint)', x.attachment_id)
  from (
    select j.attachment_id from ml.jobs as j
    union all
    select r.attachment_id from ml.retries as r
    union all
    select l.attachment_id from ml.leases as l
  ) as x
  where not exists (select from ml.attachments as a where a.id = x.attachment_id)
  group by x.attachment_id
$$;

comment on function ml.doctor_work() is
  'What keeps jobs from being done: workers, breakers, pauses, budgets, backfills; and jobs of nobody.';
-- end file

-- file: sql/functions/ml/doctor_storage.sql
create or replace function ml.doctor_storage(p_held_for interval)
returns setof ml.finding
language sql
stable
security invoker
set search_path = ''
as $$
  select 'warning', 'PARTITION_MISSING', v.name, 'its receipts go to ml.predictions_default', 'select ml.maintain()'
  from (
    select 'ml.predictions_' || to_char(date_trunc('month', now()) + make_interval(months => n), 'YYYYMM') as name
    from generate_series(0, 1) as n
  ) as v
  where not exists (
    select from pg_inherits as i where i.inhparent = 'public.predictions'::regclass and i.inhrelid = to_regclass(v.name)
  )
  union all
  select
    'warning', 'PARTITION_MISSING', v.name, 'its entries go to private.audit_log_default', 'select private.maintain_audit()'
  from (
    select 'private.audit_log_' || to_char(date_trunc('month', now() at time zone 'UTC') + make_interval(months => n), 'YYYYMM') as name
    from generate_series(0, 1) as n
  ) as v
  where to_regclass(v.name) is null
  union all
  select
    'warning', 'DEFAULT_PARTITION_USED', 'ml.predictions_default', 'it holds receipts, which are read as ever but never dropped by age',
    'move them to a partition of their month: docs/how-to/operate-the-queue.md'
  where exists (select from ml.predictions_default)
  union all
  select
    'error', 'AUTOVACUUM_OFF', c.oid::regclass::text, 'its dead rows are never cleared away, and claims grow slow',
    case
      when current_setting('autovacuum')::boolean and current_setting('track_counts')::boolean
        then format('alter table %s reset (autovacuum_enabled)', c.oid::regclass)
      else 'set autovacuum and track_counts to on for the server'
    end
  from pg_class as c
  where c.oid in ('ml.jobs'::regclass, 'ml.leases'::regclass, 'ml.retries'::regclass)
    and (
      not current_setting('autovacuum')::boolean or not current_setting('track_counts')::boolean
      or exists (
        select from pg_options_to_table(c.reloptions) as o where o.option_name = 'autovacuum_enabled' and not o.option_value::boolean
      )
    )
  union all
  select
    'warning', 'DEAD_TUPLES', format('%I.%I', t.schemaname, t.relname),
    format('%s dead rows; last cleared %s', t.n_dead_tup, coalesce(greatest(t.last_vacuum, t.last_autovacuum)::text, 'never')),
    format('vacuum %I.%I', t.schemaname, t.relname)
  from pg_stat_user_tables as t
  where t.relid in ('ml.jobs'::regclass, 'ml.leases'::regclass, 'ml.retries'::regclass)
    and t.n_dead_tup > 100000
    and coalesce(greatest(t.last_vacuum, t.last_autovacuum), '-infinity') < clock_timestamp() - interval '5 minutes'
  union all
  -- What holds the horizon: nothing that was deleted since can be cleared away. Vacuums themselves hold nothing.
  select
    'warning', 'SNAPSHOT_HELD', format('session %s', b.pid),
    format('%s as %s, its transaction began %s', b.state, b.usename, b.xact_start),
    format('select pg_terminate_backend(%s)', b.pid)
  from pg_stat_activity as b
  where b.datname = current_database() and b.pid <> pg_backend_pid()
    and coalesce(b.backend_xmin, b.backend_xid) is not null and b.xact_start < clock_timestamp() - p_held_for
    and not exists (select from pg_stat_progress_vacuum as v where v.pid = b.pid)
  union all
  select
    'warning', 'SNAPSHOT_HELD', format('prepared transaction %s', x.gid), format('prepared %s', x.prepared),
    format('rollback prepared %L', x.gid)
  from pg_prepared_xacts as x
  where x.database = current_database() and x.prepared < clock_timestamp() - p_held_for
  union all
  -- Since when a slot is idle is known from PostgreSQL 17 on.
  select
    'warning', 'SNAPSHOT_HELD', format('replication slot %s', s.slot_name), 'nobody reads from it',
    format('select pg_drop_replication_slot(%L)', s.slot_name)
  from pg_replication_slots as s
  where (s.database is null or s.database = current_database()) and not s.active
    and coalesce(s.xmin, s.catalog_xmin) is not null
    and coalesce((to_jsonb(s) ->> 'inactive_since')::timestamptz, '-infinity') < clock_timestamp() - p_held_for
$$;

comment on function ml.doctor_storage(interval) is
  'What lets tables grow or the queue grow slow: partitions, vacuum, snapshots that are held.';
-- end file

-- file: sql/functions/ml/doctor_cron.sql
create or replace function ml.doctor_cron()
returns setof ml.finding
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  if to_regclass('cron.job') is null then
    return;
  end if;
  -- Dynamic: the table is there only with the extension.
  return query execute $q$
    select
      'warning', 'CRON_JOB_MISSING', w.name, 'it is not scheduled, or switched off',
      format('select cron.schedule(%L, %L, %L)', w.name, w.schedule, w.command)
    from (
      values ('rowcast-maintain', '7 * * * *', 'select ml.maintain()'), ('rowcast-wakeup', '10 seconds', 'select ml.send_wakeup()'),
        ('rowcast-backfill', '10 seconds', 'select ml.advance_backfills()'),
        ('rowcast-notifications', '23 3 * * *', 'select private.forget_notifications()'),
        ('rowcast-audit', '17 * * * *', 'select private.maintain_audit()'),
        ('rowcast-forget-sign-ins', '37 * * * *', 'select private.forget_sign_ins()'),
        ('rowcast-rate-buckets', '*/10 * * * *', 'select private.forget_rate_buckets()'),
        ('rowcast-deletions', '*/5 * * * *', 'select private.run_due_deletions()')
    ) as w (name, schedule, command)
    where not exists (select from cron.job as j where j.jobname = w.name and j.active)
  $q$;
end
$$;

comment on function ml.doctor_cron() is 'Scheduled jobs that are missing, where pg_cron is there at all.';
-- end file

-- file: sql/functions/ml/doctor.sql
create or replace function ml.doctor(p_held_for interval default '10 minutes')
returns setof ml.finding
language sql
stable
security invoker
set search_path = ''
as $$
  select f.*
  from (
    select * from ml.doctor_attachments()
    union all
    select * from ml.doctor_work()
    union all
    select * from ml.doctor_storage(p_held_for)
    union all
    select * from ml.doctor_cron()
  ) as f
  order by f.severity, f.finding, f.object
$$;

comment on function ml.doctor(interval) is
  E'What is wrong, and what to do\n\nOne row for each finding: errors stop predictions, warnings will. p_held_for: how long a transaction may hold a snapshot. Changes nothing.';
-- end file

-- file: sql/functions/private/prediction_status.sql
-- Definer: reads ml.*, which no API role may; every branch is held to the caller's own rows. The zeros stand for nobody in the
-- queue, so they are refused as a caller.
-- What is owed comes before what was answered. A superseded receipt without a reason says only that an edit came in between,
-- so it never stands before another. Each branch is cut at a thousand by an index that is led by the owner; receipts are looked
-- through ten thousand deep. Custom plans, because each argument decides which index serves; and
-- nothing but index scans, for the queue's statistics are always out of date.
create or replace function private.prediction_status(p_prediction text, p_row_key text)
returns setof public.prediction_state
language plpgsql
stable
security definer
set search_path = ''
set plan_cache_mode = force_custom_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
declare
  v_me constant uuid := nullif(auth.uid(), ml.nobody());
  v_today constant date := (now() at time zone 'UTC')::date;
begin
  if v_me is null then
    raise sqlstate 'PT401' using
      message = 'Sign in first.', detail = 'NOT_SIGNED_IN', hint = 'Send the user''s access token as bearer token.';
  end if;
  return query
  with attached as (
    select a.id, a.name, shut.reason as shut_reason, shut.until as shut_until
    from ml.attachments as a
    join ml.models as m on m.name = a.model
    left join lateral (
      select 'paused' as reason, null::timestamptz as until where a.paused_at is not null
      union all
      select 'provider_fault', m.breaker_until where m.breaker_until > now()
      union all
      select 'budget_spent', (v_today + 1)::timestamp at time zone 'UTC'
      from ml.budgets as b
      left join ml.usage as u on u.model = b.model and u.day = v_today
        and u.owner_id is not distinct from case b.scope when 'owner' then v_me end
      where b.model = m.name and coalesce(case b.unit when 'calls' then u.calls else u.tokens end, 0) >= b.per_day
      limit 1
    ) as shut on true
    where p_prediction is null or a.name = p_prediction
  ), owed as (
    select
      a.name, j.row_key, 1 as rank, 'pending' as status, a.shut_reason as reason, 0 as attempts, j.enqueued_at as since,
      a.shut_until as next_try_at
    from attached as a
    cross join (values (false), (true)) as b (is_background)
    cross join lateral (
      select x.row_key, x.enqueued_at from ml.jobs as x
      where x.attachment_id = a.id and x.is_background = b.is_background and x.owner_id = v_me
        and (p_row_key is null or x.row_key = p_row_key)
      order by x.enqueued_at desc
      limit 1000
    ) as j
    union all
    select a.name, j.row_key, 2, 'running', null, j.attempts, l.leased_at, null
    from attached as a
    join ml.leases as l on l.attachment_id = a.id
    cross join lateral unnest(l.jobs) as j
    where j.owner_id = v_me and (p_row_key is null or j.row_key = p_row_key)
    union all
    select a.name, r.row_key, 3, 'pending', r.reason, r.attempts, r.enqueued_at, greatest(r.run_at, a.shut_until)
    from attached as a
    cross join lateral (
      select x.* from ml.retries as x
      where x.attachment_id = a.id and x.owner_id = v_me and (p_row_key is null or x.row_key = p_row_key)
      order by x.enqueued_at desc
      limit 1000
    ) as r
  ), answered as (
    select
      a.name, p.row_key, 4 + (p.status = 'superseded' and p.error is null)::integer, p.status, p.error, p.attempts, p.created_at,
      null::timestamptz
    from attached as a
    cross join lateral (
      select x.row_key, x.status, x.error, x.attempts, x.created_at from public.predictions as x
      where x.owner_id = v_me and x.prediction = a.name and (p_row_key is null or x.row_key = p_row_key)
      order by x.created_at desc
      limit 10000
    ) as p
    -- Owed, though not among the newest that are owed.
    where not exists (select from ml.jobs as j where j.attachment_id = a.id and j.row_key = p.row_key and j.owner_id = v_me)
      and not exists (select from ml.retries as r where r.attachment_id = a.id and r.row_key = p.row_key and r.owner_id = v_me)
  ), present as (
    select distinct on (x.name, x.row_key) x.*
    from (select * from owed union all select * from answered) as x
    order by x.name, x.row_key, x.rank, x.since desc
  )
  select p.name, p.row_key, p.status, p.reason, p.attempts, p.since, p.next_try_at
  from present as p
  order by p.since desc, p.name, p.row_key
  limit 1000;
end
$$;

comment on function private.prediction_status(text, text) is 'Present state of the caller''s predictions.';
grant execute on function private.prediction_status(text, text) to authenticated;
-- end file

-- file: sql/functions/public/prediction_status.sql
create or replace function public.prediction_status(p_prediction text default null, p_row_key text default null)
returns setof public.prediction_state
language sql
stable
security invoker
set search_path = ''
begin atomic
  select * from private.prediction_status(p_prediction, p_row_key);
end;

comment on function public.prediction_status(text, text) is
  E'How my predictions are\n\nOne line for each row of mine that a prediction is attached to, newest first, at most 1000: pending (with the reason and the time of the next try, where it waits for one), running, done, superseded, failed or cancelled. Narrow it with p_prediction and p_row_key. Refusal: NOT_SIGNED_IN.';
grant execute on function public.prediction_status(text, text) to authenticated;
-- end file
