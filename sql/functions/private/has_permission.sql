-- Definer: reads the roles whatever the caller may read. In a policy, wrap it in a select, so that it runs once a query rather than
-- once a row. The tables decide, not the token: a right that is taken back is gone with the next statement. A request under an
-- API key has no permission: such a key acts on its owner's rows only. What requires_mfa is held only in a session that has passed a
-- second factor, which the token says (`aal`); Auth alone can write that. In PL/pgSQL, which keeps its plan: a tenth of the time.
create or replace function private.has_permission(p_permission text)
returns boolean
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return (auth.jwt() ->> 'api_key_id') is null and exists (
    select from public.user_roles as ur
    join public.role_permissions as rp on rp.role = ur.role
    join public.permissions as p on p.name = rp.permission
    where ur.user_id = auth.uid() and rp.permission = p_permission and (ur.expires_at is null or ur.expires_at > now())
      and (not p.requires_mfa or auth.jwt() ->> 'aal' = 'aal2')
  );
end
$$;

comment on function private.has_permission(text) is 'Whether the caller holds a permission now.';
grant execute on function private.has_permission(text) to anon, authenticated, service_role;
