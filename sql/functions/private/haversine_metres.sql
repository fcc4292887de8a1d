-- Degrees are counted from 360 on: differences of nanometres vanish there, whose squares Postgres would refuse as an
-- underflow.
create or replace function private.haversine_metres(
  p_origin_lat double precision, p_origin_lng double precision, p_dest_lat double precision, p_dest_lng double precision
)
returns double precision
language sql
immutable
parallel safe
security invoker
set search_path = ''
return 2 * 6371008.8 * asin(sqrt(least(1.0, greatest(0.0,
  sin(radians((360 + p_dest_lat) - (360 + p_origin_lat)) / 2) ^ 2
  + cos(radians(360 + p_origin_lat)) * cos(radians(360 + p_dest_lat))
  * sin(radians((360 + p_dest_lng) - (360 + p_origin_lng)) / 2) ^ 2
))));

comment on function private.haversine_metres(double precision, double precision, double precision, double precision) is
  'Great-circle distance in metres on a sphere of the earth''s mean radius.';
grant execute on function private.haversine_metres(double precision, double precision, double precision, double precision)
to anon, authenticated, service_role;
