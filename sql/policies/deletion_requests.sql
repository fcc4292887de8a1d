-- One's own request. Written by request_deletion and cancel_deletion only.
revoke all on public.deletion_requests from anon, authenticated, service_role;
grant select on public.deletion_requests to authenticated, service_role;

drop policy if exists "people read their own request to be deleted" on public.deletion_requests;
create policy "people read their own request to be deleted" on public.deletion_requests
for select to authenticated
using (user_id = (select auth.uid()));
