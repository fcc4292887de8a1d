create or replace function public.rate_limits()
returns setof public.rate_limit
language sql
stable
security invoker
set search_path = ''
begin atomic
  select * from private.rate_limits();
end;

comment on function public.rate_limits() is
  E'Rate limits\n\nWhom each limits, at what, the burst and the refill. For holders of limits.write. Refusals: PERMISSION_DENIED, NOT_SIGNED_IN.';
grant execute on function public.rate_limits() to authenticated, service_role;
