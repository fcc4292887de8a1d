-- Everybody signed in reads and changes their own profile; rows are made by the sign-up trigger only. Holders of users.read ask
-- list_users and get_user: with "or has a permission" here, one's own profile would be looked for in all of them.
revoke all on public.profiles from anon, authenticated, service_role;
grant select on public.profiles to authenticated, service_role;
grant update (display_name, username, avatar_url, locale, time_zone) on public.profiles to authenticated, service_role;

drop policy if exists "people read their own profile" on public.profiles;
create policy "people read their own profile" on public.profiles
for select to authenticated
using (id = (select auth.uid()));

drop policy if exists "people change their own profile" on public.profiles;
create policy "people change their own profile" on public.profiles
for update to authenticated
using (id = (select auth.uid()))
with check (id = (select auth.uid()));
