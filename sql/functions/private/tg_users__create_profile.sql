-- Definer: the Auth server's role may not write profiles. Called by its trigger only.
-- A profile is a convenience and an account is not: whatever goes wrong here becomes a warning, and sync_profile() mends it.
create or replace function private.tg_users__create_profile()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  insert into public.profiles (id, display_name)
  values (new.id, nullif(left(btrim(new.raw_user_meta_data ->> 'display_name'), 80), ''))
  on conflict (id) do nothing;
  return null;
exception when others then
  raise warning 'no profile for account %: %', new.id, sqlerrm;
  return null;
end
$$;

comment on function private.tg_users__create_profile() is 'Makes the profile of a new account; never refuses the account.';

-- The Auth server fires the trigger under its own role; a trigger's function is not checked for EXECUTE when it fires.
