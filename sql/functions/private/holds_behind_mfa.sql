-- Definer: reads the caller's roles.
create or replace function private.holds_behind_mfa(p_permission text)
returns boolean
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return exists (
    select from private.permissions_of(auth.uid()) as held
    join public.permissions as p on p.name = held.permission
    where held.permission = p_permission and p.requires_mfa
  );
end
$$;

comment on function private.holds_behind_mfa(text) is 'Whether the caller would hold a permission in a session with a second factor.';
grant execute on function private.holds_behind_mfa(text) to authenticated, service_role;
