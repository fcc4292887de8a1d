create or replace function public.admin_sign_out(p_user_id uuid)
returns integer
language sql
volatile
security invoker
set search_path = ''
return private.admin_sign_out(p_user_id);

comment on function public.admin_sign_out(uuid) is
  E'Sign somebody out\n\nEnds every session of a person and revokes their API keys; gives how many sessions. They may sign in again: ban them to prevent it. Refusals: PERMISSION_DENIED, ABOVE_YOURSELF, ACCOUNT_NOT_FOUND, NOT_SIGNED_IN.';
grant execute on function public.admin_sign_out(uuid) to authenticated, service_role;
