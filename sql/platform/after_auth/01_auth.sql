-- Stand-in: ownership and grants of schema auth after the embedded Auth server has made its tables.
-- `postgres` may read and reference auth.users and hang triggers on it; the API roles see no table.
-- Lacks: the platform's mfa_*, sso_*, saml_*, one_time_tokens, instances and schema_migrations tables. Unlike
-- the platform's, this Auth server connects as supabase_admin, so a trigger on auth.users that forgot
-- `security definer` works here and fails there.
do $$
declare
  v_table regclass;
begin
  for v_table in
    select oid::regclass from pg_catalog.pg_class
    where relnamespace = 'auth'::regnamespace and relkind in ('r', 'p')
  loop
    execute format('alter table %s owner to supabase_auth_admin', v_table);
    execute format('alter table %s enable row level security', v_table);
    execute format('revoke all on table %s from public, anon, authenticated, service_role', v_table);
    execute format('grant all on table %s to postgres, dashboard_user', v_table);
    execute format('grant select on table %s to postgres with grant option', v_table);
  end loop;
end
$$;
alter schema auth owner to supabase_admin;
revoke create on schema auth from postgres;
