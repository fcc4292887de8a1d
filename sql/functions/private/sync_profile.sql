-- Definer: reads auth.users, which no API role may. Touches the caller's own row only.
create or replace function private.sync_profile()
returns public.account
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.require_user();
  insert into public.profiles as p (id, display_name)
  select u.id, nullif(left(btrim(u.raw_user_meta_data ->> 'display_name'), 80), '')
  from auth.users as u
  where u.id = auth.uid()
  on conflict (id) do update set display_name = excluded.display_name
  where p.display_name is null and excluded.display_name is not null;
  if not exists (select from public.profiles as p where p.id = auth.uid()) then
    raise sqlstate 'PT404' using
      message = 'This account no longer exists.', detail = 'ACCOUNT_NOT_FOUND', hint = 'Sign in again.';
  end if;
  return private.me();
end
$$;

comment on function private.sync_profile() is 'Makes or completes the caller''s profile from the account.';
grant execute on function private.sync_profile() to authenticated;
