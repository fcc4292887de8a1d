-- Stand-in: the migration history belongs to `postgres`, which runs `supabase db push` and `db reset`.
create schema if not exists supabase_migrations;
alter schema supabase_migrations owner to postgres;
do $$
declare
  v_table regclass;
begin
  for v_table in
    select oid::regclass from pg_catalog.pg_class
    where relnamespace = 'supabase_migrations'::regnamespace and relkind = 'r'
  loop
    execute format('alter table %s owner to postgres', v_table);
  end loop;
end
$$;
