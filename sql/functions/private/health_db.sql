-- Definer: reads what pg_monitor may. Names no session, query or address. Anybody may ask, so the figures that take a look at
-- every file are gathered for the signed-in only.
create or replace function private.health_db()
returns public.health_db_report
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_report public.health_db_report;
  v_started timestamptz := clock_timestamp();
begin
  perform from public.feature_flags as f where f.name = 'registration';
  v_report.probe_ms := extract(epoch from clock_timestamp() - v_started) * 1000;

  select count(*), coalesce(max(extract(epoch from clock_timestamp() - a.xact_start)) filter (where a.pid <> pg_backend_pid()), 0)
  into v_report.connections, v_report.oldest_transaction_seconds
  from pg_stat_activity as a
  where a.backend_type = 'client backend';
  -- What is reserved is not to be had; the second setting is there from PostgreSQL 16 on.
  v_report.max_connections := current_setting('max_connections')::integer
    - current_setting('superuser_reserved_connections')::integer - coalesce(current_setting('reserved_connections', true), '0')::integer;

  v_report.status := case
    when v_report.connections >= 0.9 * v_report.max_connections or v_report.oldest_transaction_seconds > 3600 then 'degraded'
    else 'ok'
  end;
  v_report.checked_at := now();
  if auth.role() is distinct from 'authenticated' and auth.role() is distinct from 'service_role' then
    return row(v_report.status, v_report.checked_at, null, null, null, null, null, null)::public.health_db_report;
  end if;

  select round(d.blks_hit / nullif(d.blks_hit + d.blks_read, 0)::numeric, 4) into v_report.cache_hit_ratio
  from pg_stat_database as d
  where d.datname = current_database();
  v_report.database_bytes := pg_database_size(current_database());
  return v_report;
end
$$;

comment on function private.health_db() is 'How the database is: figures for the signed-in, the verdict alone for others.';
grant execute on function private.health_db() to anon, authenticated, service_role;
