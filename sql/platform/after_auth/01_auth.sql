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

-- The embedded Auth server stores its json columns as a string that holds json; the platform's stores the json.
create or replace function auth._standin_unwrap_json()
returns trigger
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_column text;
  v_value jsonb;
begin
  foreach v_column in array tg_argv loop
    v_value := pg_catalog.to_jsonb(new) -> v_column;
    if pg_catalog.jsonb_typeof(v_value) = 'string' then
      new := pg_catalog.jsonb_populate_record(
        new, pg_catalog.jsonb_build_object(v_column, (v_value #>> '{}')::jsonb)
      );
    end if;
  end loop;
  return new;
end
$$;
revoke all on function auth._standin_unwrap_json() from public;

create or replace trigger _000_standin_unwrap before insert or update on auth.users
for each row execute function auth._standin_unwrap_json('raw_user_meta_data', 'raw_app_meta_data');

create or replace trigger _000_standin_unwrap before insert or update on auth.identities
for each row execute function auth._standin_unwrap_json('identity_data');
