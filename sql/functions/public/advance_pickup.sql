create or replace function public.advance_pickup(p_id uuid, p_status public.pickup_status)
returns public.pickup_requests
language sql
volatile
security invoker
set search_path = ''
return private.advance_pickup(p_id, p_status);

comment on function public.advance_pickup(uuid, public.pickup_status) is
  E'Move a pickup on (secret key)\n\nThe database''s clock stamps the change; completion records how long the journey took. Refusals: PICKUP_NOT_FOUND, PICKUP_TRANSITION_REFUSED.';
grant execute on function public.advance_pickup(uuid, public.pickup_status) to service_role;
