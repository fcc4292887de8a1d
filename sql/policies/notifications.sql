-- Written by private.notify and its kin, marked by mark_notifications_read; the owner reads.
revoke all on public.notifications from anon, authenticated, service_role;
grant select on public.notifications to authenticated, service_role;

drop policy if exists "people read their own notifications" on public.notifications;
create policy "people read their own notifications" on public.notifications
for select to authenticated
using (user_id = (select auth.uid()));
