-- Definer: reads auth.users. The caller's own account only.
create or replace function private.me()
returns public.account
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_account public.account;
begin
  select a.* into v_account from private.accounts(array[private.require_user()]) as a;
  if v_account.id is null then
    raise sqlstate 'PT404' using
      message = 'You have no profile yet.', detail = 'PROFILE_NOT_FOUND', hint = 'Call sync_profile() once.';
  end if;
  return v_account;
end
$$;

comment on function private.me() is 'The caller''s own account.';
grant execute on function private.me() to authenticated;
