create or replace function public.sign_in_quality(p_days integer default 90)
returns public.sign_in_quality
language sql
stable
security invoker
set search_path = ''
return private.sign_in_quality(p_days);

comment on function public.sign_in_quality(integer) is
  E'How good the alarms are (users.read)\n\nSign-ins, alarms, and what people answered, over the last p_days. Refusals: PERMISSION_DENIED, DAYS_OUT_OF_RANGE, NOT_SIGNED_IN.';
grant execute on function public.sign_in_quality(integer) to authenticated, service_role;
