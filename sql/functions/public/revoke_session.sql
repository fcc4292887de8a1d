create or replace function public.revoke_session(p_session_id uuid)
returns void
language sql
volatile
security invoker
set search_path = ''
return private.revoke_session(p_session_id);

comment on function public.revoke_session(uuid) is
  E'End one of my sessions\n\nIts access token is refused from the next request on, and it cannot be refreshed. Refusals: SESSION_NOT_FOUND, NOT_SIGNED_IN, SESSION_REQUIRED.';
grant execute on function public.revoke_session(uuid) to authenticated;
