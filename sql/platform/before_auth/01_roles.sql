-- Stand-in: the roles a Supabase project is born with. Run by supabase_admin, which owns the cluster.
-- Lacks: pgbouncer, replication, read-only and ETL roles; supautils, which on the platform lets `postgres`
-- make policies on platform tables and drop triggers from them. For policies `postgres` inherits two owners
-- here, narrowed by 13_platform_tables.sql; dropping a trigger from auth.users is not possible here.
do $$
declare
  v_role record;
begin
  for v_role in
    select * from (values
      ('anon', 'nologin noinherit'),
      ('authenticated', 'nologin noinherit'),
      ('service_role', 'nologin noinherit bypassrls'),
      ('authenticator', 'login noinherit'),
      ('postgres', 'login createdb createrole replication bypassrls'),
      ('dashboard_user', 'nologin createdb createrole replication'),
      ('supabase_auth_admin', 'login noinherit createrole'),
      ('supabase_storage_admin', 'login noinherit createrole'),
      ('supabase_realtime_admin', 'nologin noinherit'),
      ('supabase_functions_admin', 'login noinherit createrole')
    ) as wanted (name, attributes)
  loop
    if to_regrole(v_role.name) is null then
      execute format('create role %I %s', v_role.name, v_role.attributes);
    end if;
  end loop;
end
$$;

-- `postgres` runs the migrations. It is no superuser on the platform, so it is none here.
alter role postgres nosuperuser createdb createrole replication bypassrls login;

-- The API roles inherit, as they do on the platform, so that a role granted to one of them takes effect.
alter role anon inherit;
alter role authenticated inherit;
alter role service_role inherit;

grant anon, authenticated, service_role to authenticator;
grant anon, authenticated, service_role to supabase_storage_admin;
grant anon, authenticated, service_role, authenticator to postgres with admin option;
grant pg_monitor, pg_read_all_data, pg_signal_backend, pg_create_subscription to postgres;
grant supabase_realtime_admin to postgres with inherit true, set false;
grant supabase_storage_admin to postgres with inherit true, set false;

-- Time limits and search paths of the platform. A statement of a client never runs unbounded.
alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';
alter role authenticator set statement_timeout = '8s';
alter role authenticator set lock_timeout = '8s';
alter role postgres set search_path = "$user", public, extensions;
alter role supabase_auth_admin set search_path = auth;
alter role supabase_auth_admin set idle_in_transaction_session_timeout = '60s';
alter role supabase_storage_admin set search_path = storage;

-- On the platform supautils lets `postgres` set PostgREST's own settings on its role.
grant set on parameter pgrst.db_pre_request to postgres;
