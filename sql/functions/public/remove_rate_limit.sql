create or replace function public.remove_rate_limit(p_name text)
returns void
language sql
volatile
security invoker
set search_path = ''
return private.remove_rate_limit(p_name);

comment on function public.remove_rate_limit(text) is
  E'Lift a rate limit\n\nFor holders of limits.write. Refusals: RATE_LIMIT_NOT_FOUND, PERMISSION_DENIED, NOT_SIGNED_IN.';
grant execute on function public.remove_rate_limit(text) to authenticated, service_role;
