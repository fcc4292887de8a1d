-- Definer: reads who holds which permission. The role is asked for before there is an account, so that nothing has to be undone.
create or replace function private.may_create_user(p_role text default null)
returns void
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  perform private.require_user();
  perform private.require_permission('users.write');
  if p_role is not null then
    perform private.require_permission('roles.grant');
    perform private.require_grantable(p_role, 'infinity');
  end if;
end
$$;

comment on function private.may_create_user(text) is 'Refuses a caller who may not make accounts, or not with this role.';
grant execute on function private.may_create_user(text) to authenticated;
