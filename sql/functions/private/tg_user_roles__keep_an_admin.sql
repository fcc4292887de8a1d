-- On the table, so that no way around it is left: set_role, a deleted account, an operator's statement.
create or replace function private.tg_user_roles__keep_an_admin()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  if exists (select from gone as g where g.role = 'admin' and g.expires_at is null) then
    perform private.require_an_admin();
  end if;
  return null;
end
$$;

comment on function private.tg_user_roles__keep_an_admin() is 'Refuses that the last admin loses the role.';
