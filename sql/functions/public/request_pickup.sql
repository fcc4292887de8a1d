create or replace function public.request_pickup(
  p_origin_lat double precision,
  p_origin_lng double precision,
  p_dest_lat double precision,
  p_dest_lng double precision,
  p_kind public.pickup_kind default 'ride',
  p_client_key text default gen_random_uuid()::text
)
returns public.pickup_requests
language sql
volatile
security invoker
set search_path = ''
return private.request_pickup(p_origin_lat, p_origin_lng, p_dest_lat, p_dest_lng, p_kind, p_client_key);

comment on function public.request_pickup(
  double precision, double precision, double precision, double precision, public.pickup_kind, text
) is
  E'Ask for a pickup\n\nAnswers at once with a closed-form estimate (`eta_source = estimate`); the model''s travel time and its 80 % interval follow on the row and on the channel `user:<id>`. The same p_client_key gives the same pickup. Refusals: COORDINATE_OUT_OF_RANGE, TRIP_TOO_LONG, CLIENT_KEY_OUT_OF_RANGE, CLIENT_KEY_REUSED, NOT_SIGNED_IN.';
grant execute on function public.request_pickup(
  double precision, double precision, double precision, double precision, public.pickup_kind, text
) to authenticated;
