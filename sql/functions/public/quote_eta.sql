-- A body in the SQL standard's form is bound when it is made: its callers need EXECUTE on the functions of `private`
-- below it, and no USAGE on the schema.
create or replace function public.quote_eta(
  p_origin_lat double precision,
  p_origin_lng double precision,
  p_dest_lat double precision,
  p_dest_lng double precision
)
returns public.eta_quote
language sql
immutable
parallel safe
security invoker
set search_path = ''
begin atomic
  select private.check_coordinates(p_origin_lat, p_origin_lng, p_dest_lat, p_dest_lng);
  select
    round(private.eta_closed_form(way.metres))::integer as eta_seconds,
    round(way.metres)::integer as distance_metres,
    'estimate' as eta_source
  from (
    select private.haversine_metres(p_origin_lat, p_origin_lng, p_dest_lat, p_dest_lng) as metres
  ) as way;
end;

comment on function public.quote_eta(double precision, double precision, double precision, double precision) is
  E'Estimate a travel time\n\nThe closed form alone: nothing is written, no model is asked. Refusal: COORDINATE_OUT_OF_RANGE.';
grant execute on function public.quote_eta(double precision, double precision, double precision, double precision)
to anon, authenticated, service_role;
