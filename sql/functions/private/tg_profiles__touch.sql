create or replace function private.tg_profiles__touch()
returns trigger
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  new.updated_at := pg_catalog.now();
  return new;
end
$$;

comment on function private.tg_profiles__touch() is 'Keeps updated_at true.';
