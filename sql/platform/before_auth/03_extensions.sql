-- Stand-in: extensions the platform preinstalls, and those that supautils lets `postgres` make and drop there
-- although PostgreSQL reserves them to superusers.
-- Lacks: whatever this PostgreSQL build does not ship; such an extension is skipped, not faked.
-- All of them belong to `postgres`, so `supabase db reset` may drop them; the event trigger makes them again
-- as soon as a migration says `create extension if not exists …`, of these or of any other.
create or replace function extensions.make_platform_extensions()
returns void
language plpgsql
security definer -- reserved to superusers: runs as supabase_admin, takes no argument, does nothing else
set search_path = ''
as $$
declare
  v_name text;
begin
  for v_name in
    select wanted.name
    from unnest(array[
      'pgcrypto', 'uuid-ossp', 'pg_stat_statements', 'vector', 'cube', 'earthdistance', 'pgtap'
    ]) with ordinality as wanted (name, n)
    join pg_catalog.pg_available_extensions as available on available.name = wanted.name
    where available.installed_version is null
    order by wanted.n
  loop
    execute format('create extension if not exists %I with schema extensions', v_name);
    -- There is no `alter extension … owner to`. Whoever owns it may drop it; its objects stay supabase_admin's.
    update pg_catalog.pg_extension set extowner = 'postgres'::regrole where extname = v_name;
  end loop;
end
$$;

create or replace function extensions.keep_platform_extensions()
returns event_trigger
language plpgsql
set search_path = ''
as $$
begin
  if current_setting('rowcast.making_extensions', true) is distinct from 'on' then
    perform set_config('rowcast.making_extensions', 'on', true);
    perform extensions.make_platform_extensions();
    perform set_config('rowcast.making_extensions', 'off', true);
  end if;
end
$$;

select extensions.make_platform_extensions();
drop event trigger if exists keep_platform_extensions;
create event trigger keep_platform_extensions on ddl_command_start
  when tag in ('CREATE EXTENSION')
  execute function extensions.keep_platform_extensions();
