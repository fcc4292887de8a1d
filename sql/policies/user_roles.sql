-- One's own roles, or everybody's for holders of users.read. Written by set_role only.
revoke all on public.user_roles from anon, authenticated, service_role;
grant select on public.user_roles to authenticated, service_role;

drop policy if exists "people read their own roles" on public.user_roles;
create policy "people read their own roles" on public.user_roles
for select to authenticated
using (user_id = (select auth.uid()) or (select private.has_permission('users.read')));
