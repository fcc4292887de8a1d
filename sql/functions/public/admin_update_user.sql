create or replace function public.admin_update_user(p_user_id uuid, p_changes jsonb)
returns public.account
language sql
volatile
security invoker
set search_path = ''
return private.admin_update_user(p_user_id, p_changes);

comment on function public.admin_update_user(uuid, jsonb) is
  E'Change or ban an account\n\nFor holders of users.write, on people who may do no more than the caller. p_changes as in update_me, and banned_until: a time, or null to lift the ban. A ban ends all sessions.';
grant execute on function public.admin_update_user(uuid, jsonb) to authenticated, service_role;
