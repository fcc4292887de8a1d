-- What roles there are is no secret; they are made by migrations.
revoke all on public.app_roles from anon, authenticated, service_role;
grant select on public.app_roles to authenticated, service_role;

drop policy if exists "roles are known" on public.app_roles;
create policy "roles are known" on public.app_roles for select to authenticated using (true);
