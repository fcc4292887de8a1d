-- People read their own; holders of users.read ask user_sign_ins: with "or has a permission" here, everybody's would be looked through for
-- each. Written by triggers, the hook and the pipeline only.
revoke all on public.login_events from anon, authenticated, service_role;
grant select on public.login_events to authenticated, service_role;

drop policy if exists "people read their own sign-ins" on public.login_events;
create policy "people read their own sign-ins" on public.login_events
for select to authenticated
using (user_id = (select auth.uid()));
