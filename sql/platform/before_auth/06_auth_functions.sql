-- Stand-in: auth.uid(), auth.role(), auth.email() and auth.jwt() with the platform's shape and owner.
-- They read `request.jwt.claim.*` first and `request.jwt.claims` second; empty settings count as absent.
-- Why the event trigger: the embedded Auth server replaces these functions whenever it starts, with bodies
-- that read only `request.jwt.claim.*`, which PostgREST 10 and newer does not set. Left alone, every policy
-- would see a null user after a restart of that process. The trigger puts the platform's bodies back in the
-- same transaction.
create or replace procedure extensions.restore_auth_functions()
language plpgsql
set search_path = ''
as $body$
declare
  v_function record;
begin
  for v_function in
    select * from (values
      ('uid', 'uuid', 'sub'),
      ('role', 'text', 'role'),
      ('email', 'text', 'email')
    ) as wanted (name, result, claim)
  loop
    execute format(
      $sql$
        create or replace function auth.%1$I() returns %2$s language sql stable as $f$
  select coalesce(
    nullif(current_setting('request.jwt.claim.%3$s', true), ''),
    (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> '%3$s')
  )::%2$s
$f$
      $sql$,
      v_function.name, v_function.result, v_function.claim
    );
  end loop;
  create or replace function auth.jwt() returns jsonb language sql stable as $f$
  select coalesce(
    nullif(current_setting('request.jwt.claim', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')
  )::jsonb
$f$;
end
$body$;

create or replace function extensions.guard_auth_functions()
returns event_trigger
language plpgsql
set search_path = ''
as $$
begin
  if exists (
    select
    from pg_catalog.pg_event_trigger_ddl_commands() as command
    join pg_catalog.pg_proc as proc on proc.oid = command.objid
    where command.classid = 'pg_catalog.pg_proc'::regclass
      and command.schema_name = 'auth'
      and proc.proname in ('uid', 'role', 'email', 'jwt')
      and proc.prosrc !~ 'coalesce\(\s+nullif\(current_setting\(''request.jwt.claim'
  ) then
    call extensions.restore_auth_functions();
  end if;
end
$$;

call extensions.restore_auth_functions();
alter function auth.uid() owner to supabase_auth_admin;
alter function auth.role() owner to supabase_auth_admin;
alter function auth.email() owner to supabase_auth_admin;
alter function auth.jwt() owner to supabase_auth_admin;
grant execute on function auth.uid(), auth.role(), auth.email(), auth.jwt()
  to anon, authenticated, service_role, postgres, dashboard_user;
revoke all on procedure extensions.restore_auth_functions() from public;

drop event trigger if exists guard_auth_functions;
create event trigger guard_auth_functions on ddl_command_end
  when tag in ('CREATE FUNCTION')
  execute function extensions.guard_auth_functions();
