-- Stand-in: the platform's event triggers that tell PostgREST to reload its schema cache after DDL.
-- Temporary objects and the platform's own schemas do not count.
create or replace function extensions.pgrst_ddl_watch()
returns event_trigger
language plpgsql
set search_path = ''
as $$
begin
  if exists (
    select
    from pg_catalog.pg_event_trigger_ddl_commands() as command
    where coalesce(command.schema_name, '')
          not in ('pg_temp', 'auth', 'storage', 'realtime', 'vault', 'net', 'cron')
      and command.command_tag !~ '^(GRANT|REVOKE|CREATE INDEX|CREATE EXTENSION)'
  ) then
    notify pgrst, 'reload schema';
  end if;
end
$$;

create or replace function extensions.pgrst_drop_watch()
returns event_trigger
language plpgsql
set search_path = ''
as $$
begin
  if exists (
    select
    from pg_catalog.pg_event_trigger_dropped_objects() as dropped
    where dropped.is_temporary is false
      and coalesce(dropped.schema_name, '')
          not in ('auth', 'storage', 'realtime', 'vault', 'net', 'cron')
      and dropped.object_type in (
        'schema', 'table', 'foreign table', 'view', 'materialized view', 'function', 'type', 'rule'
      )
  ) then
    notify pgrst, 'reload schema';
  end if;
end
$$;

drop event trigger if exists pgrst_ddl_watch;
drop event trigger if exists pgrst_drop_watch;
create event trigger pgrst_ddl_watch on ddl_command_end
  execute function extensions.pgrst_ddl_watch();
create event trigger pgrst_drop_watch on sql_drop
  execute function extensions.pgrst_drop_watch();
