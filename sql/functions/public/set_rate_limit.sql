create or replace function public.set_rate_limit(
  p_name text, p_capacity integer, p_refill_per_second double precision,
  p_caller text default null, p_for_reads boolean default null, p_path text default null
)
returns public.rate_limit
language sql
volatile
security invoker
set search_path = ''
return private.set_rate_limit(p_name, p_capacity, p_refill_per_second, p_caller, p_for_reads, p_path);

comment on function public.set_rate_limit(text, integer, double precision, text, boolean, text) is
  E'Make or change a rate limit\n\nIt holds from the next request on. What is left out stays; a new limit is for authenticated, writes and every path. For holders of limits.write. Refusals: RATE_LIMIT_OUT_OF_RANGE, RATE_LIMIT_EXISTS, ROLE_NOT_FOUND, PERMISSION_DENIED, NOT_SIGNED_IN.';
grant execute on function public.set_rate_limit(text, integer, double precision, text, boolean, text) to authenticated, service_role;
