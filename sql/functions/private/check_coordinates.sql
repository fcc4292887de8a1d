-- NaN is greater than every number in Postgres, so `between` refuses it; NULL must be refused by name.
create or replace function private.check_coordinates(
  p_origin_lat double precision, p_origin_lng double precision, p_dest_lat double precision, p_dest_lng double precision
)
returns void
language plpgsql
immutable
parallel safe
security invoker
set search_path = ''
as $$
begin
  if (
    p_origin_lat between -90 and 90 and p_dest_lat between -90 and 90
    and p_origin_lng between -180 and 180 and p_dest_lng between -180 and 180
  ) is not true then
    raise sqlstate 'PT422' using
      message = 'A coordinate is missing or out of range.', detail = 'COORDINATE_OUT_OF_RANGE',
      hint = 'Latitudes lie between -90 and 90 degrees, longitudes between -180 and 180.';
  end if;
end
$$;

comment on function private.check_coordinates(double precision, double precision, double precision, double precision) is
  'Refuses what is no place on earth.';
grant execute on function private.check_coordinates(double precision, double precision, double precision, double precision)
to anon, authenticated, service_role;
