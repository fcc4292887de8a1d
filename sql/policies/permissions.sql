revoke all on public.permissions from anon, authenticated, service_role;
grant select on public.permissions to authenticated, service_role;

drop policy if exists "permissions are known" on public.permissions;
create policy "permissions are known" on public.permissions for select to authenticated using (true);
