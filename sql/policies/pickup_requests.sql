-- Riders read their own. Every write goes through a function, so no role of the API gets INSERT, UPDATE or DELETE.
revoke all on public.pickup_requests from anon, authenticated, service_role;
grant select on public.pickup_requests to authenticated, service_role;

drop policy if exists "riders read their own pickups" on public.pickup_requests;
create policy "riders read their own pickups" on public.pickup_requests
for select to authenticated
using (user_id = (select auth.uid()));
