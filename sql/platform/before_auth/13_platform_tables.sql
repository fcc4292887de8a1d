-- Stand-in: what supautils does on the platform. There `postgres` owns none of these tables, yet may make and
-- drop policies on them. PostgreSQL lets only owners do so, therefore `postgres` inherits the two owners here,
-- and this trigger takes back the rest of what ownership brings. A migration that alters or drops one of
-- these tables fails here as it fails when hosted.
create or replace function extensions.guard_platform_tables()
returns event_trigger
language plpgsql
set search_path = ''
as $$
declare
  v_guarded constant text[] := array['realtime.messages', 'storage.objects', 'storage.buckets'];
  v_table text;
begin
  if (select rolsuper from pg_catalog.pg_roles where rolname = current_user) then
    return;
  end if;
  if tg_event = 'sql_drop' then
    select object_identity into v_table
    from pg_catalog.pg_event_trigger_dropped_objects()
    where object_identity = any (v_guarded)
    limit 1;
  else
    select guarded.name into v_table
    from pg_catalog.pg_event_trigger_ddl_commands() as command
    left join pg_catalog.pg_index as index on index.indexrelid = command.objid
    join unnest(v_guarded) as guarded (name)
      on to_regclass(guarded.name) in (command.objid, index.indrelid)
    where command.classid = 'pg_catalog.pg_class'::regclass
    limit 1;
  end if;
  if v_table is not null then
    raise exception 'must be owner of table %', v_table using errcode = '42501';
  end if;
end
$$;

drop event trigger if exists guard_platform_tables;
drop event trigger if exists guard_platform_tables_drop;
create event trigger guard_platform_tables on ddl_command_end
  when tag in ('ALTER TABLE', 'CREATE INDEX')
  execute function extensions.guard_platform_tables();
create event trigger guard_platform_tables_drop on sql_drop
  when tag in ('DROP TABLE', 'ALTER TABLE')
  execute function extensions.guard_platform_tables();
