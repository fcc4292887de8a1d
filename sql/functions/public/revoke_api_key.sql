create or replace function public.revoke_api_key(p_id uuid)
returns void
language sql
volatile
security invoker
set search_path = ''
return private.revoke_api_key(p_id);

comment on function public.revoke_api_key(uuid) is
  E'Revoke an API key\n\nIt is refused from the next request on. Refusals: API_KEY_NOT_FOUND, NOT_SIGNED_IN, SESSION_REQUIRED.';
grant execute on function public.revoke_api_key(uuid) to authenticated;
