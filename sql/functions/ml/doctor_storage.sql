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
