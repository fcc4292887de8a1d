-- One's own exports. Written by request_export only.
revoke all on public.export_requests from anon, authenticated, service_role;
grant select on public.export_requests to authenticated, service_role;

drop policy if exists "people read their own exports" on public.export_requests;
create policy "people read their own exports" on public.export_requests
for select to authenticated
using (user_id = (select auth.uid()));
