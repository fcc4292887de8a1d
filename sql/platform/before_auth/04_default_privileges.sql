-- Stand-in: the platform's default privileges. Everything new in public is open to the API roles until a
-- migration says otherwise; the first migration of this project does.
do $$
declare
  v_owner text;
begin
  foreach v_owner in array array['postgres', 'supabase_admin']
  loop
    execute format(
      'alter default privileges for role %1$I in schema public
         grant all on tables to postgres, anon, authenticated, service_role;
       alter default privileges for role %1$I in schema public
         grant all on functions to postgres, anon, authenticated, service_role;
       alter default privileges for role %1$I in schema public
         grant all on sequences to postgres, anon, authenticated, service_role;',
      v_owner
    );
  end loop;
end
$$;
