-- Definer: reads who holds which permission.
create or replace function private.may_create_user()
returns void
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  perform private.require_user();
  perform private.require_permission('users.write');
end
$$;

comment on function private.may_create_user() is 'Refuses a caller who may not make accounts.';
grant execute on function private.may_create_user() to authenticated;
