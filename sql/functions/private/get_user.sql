-- Definer: reads auth.users. One's own account, or anybody's with the permission; who may not ask learns nothing, not even whether
-- the account exists.
create or replace function private.get_user(p_user_id uuid)
returns public.account
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_account public.account;
begin
  if p_user_id is distinct from auth.uid() then
    perform private.require_permission('users.read');
  end if;
  select a.* into v_account from private.accounts(array[p_user_id]) as a;
  if v_account.id is null then
    raise sqlstate 'PT404' using
      message = 'There is no such account.', detail = 'ACCOUNT_NOT_FOUND', hint = 'list_users finds accounts.';
  end if;
  return v_account;
end
$$;

comment on function private.get_user(uuid) is 'One account, for its person or holders of users.read.';
grant execute on function private.get_user(uuid) to authenticated, service_role;
