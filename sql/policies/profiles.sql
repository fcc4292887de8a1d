-- Everybody signed in reads and renames their own profile; rows are made by the sign-up trigger only.
revoke all on public.profiles from anon, authenticated, service_role;
grant select on public.profiles to authenticated, service_role;
grant update (display_name) on public.profiles to authenticated, service_role;

drop policy if exists "people read their own profile" on public.profiles;
create policy "people read their own profile" on public.profiles
for select to authenticated
using (id = (select auth.uid()));

drop policy if exists "people rename their own profile" on public.profiles;
create policy "people rename their own profile" on public.profiles
for update to authenticated
using (id = (select auth.uid()))
with check (id = (select auth.uid()));
