revoke all on public.role_permissions from anon, authenticated, service_role;
grant select on public.role_permissions to authenticated, service_role;

drop policy if exists "what a role may do is known" on public.role_permissions;
create policy "what a role may do is known" on public.role_permissions for select to authenticated using (true);
