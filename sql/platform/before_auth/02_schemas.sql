-- Stand-in: the schemas of a Supabase project, who owns them and who may look inside.
-- Lacks: graphql, graphql_public, pgbouncer, supabase_functions.
do $$
begin
  -- The platform's database belongs to `postgres`, which therefore owns schema public too.
  execute format('alter database %I owner to postgres', current_database());
  execute format('alter database %I set timezone to ''UTC''', current_database());
  execute format('grant all on database %I to dashboard_user', current_database());
end
$$;

create schema if not exists extensions authorization postgres;
create schema if not exists auth authorization supabase_admin;
create schema if not exists storage authorization supabase_admin;
create schema if not exists realtime authorization supabase_admin;
create schema if not exists vault authorization supabase_admin;
create schema if not exists net authorization supabase_admin;
create schema if not exists cron authorization supabase_admin;

grant usage on schema public to postgres, anon, authenticated, service_role;
grant usage on schema extensions to public;
grant all on schema extensions to dashboard_user;
grant usage on schema auth to postgres, anon, authenticated, service_role;
grant usage on schema storage to postgres with grant option;
grant usage on schema storage to anon, authenticated, service_role;
grant usage on schema realtime to postgres with grant option;
grant usage on schema realtime to anon, authenticated, service_role;
grant all on schema auth to supabase_auth_admin, dashboard_user;
grant all on schema storage to dashboard_user;
-- No create for the next two, unlike the platform: `postgres` inherits their rights (see 01_roles.sql).
grant usage on schema storage to supabase_storage_admin;
grant usage on schema realtime to supabase_realtime_admin;
