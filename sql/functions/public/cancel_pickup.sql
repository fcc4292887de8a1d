create or replace function public.cancel_pickup(p_id uuid, p_reason text default null)
returns public.pickup_requests
language sql
volatile
security invoker
set search_path = ''
return private.cancel_pickup(p_id, p_reason);

comment on function public.cancel_pickup(uuid, text) is
  E'Call off one of my pickups\n\nAgain on a cancelled one answers with it. Refusals: PICKUP_NOT_FOUND, PICKUP_TRANSITION_REFUSED (it is completed), REASON_TOO_LONG.';
grant execute on function public.cancel_pickup(uuid, text) to authenticated;
