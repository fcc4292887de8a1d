create or replace function public.quote_eta(
  p_origin_lat double precision,
  p_origin_lng double precision,
  p_dest_lat double precision,
  p_dest_lng double precision
)
returns public.eta_quote
language plpgsql
immutable
parallel safe
security invoker
set search_path = ''
as $$
declare
  v_metres double precision;
begin
  perform private.check_coordinates(p_origin_lat, p_origin_lng, p_dest_lat, p_dest_lng);
  v_metres := private.haversine_metres(p_origin_lat, p_origin_lng, p_dest_lat, p_dest_lng);
  return (round(private.eta_closed_form(v_metres))::integer, round(v_metres)::integer, 'estimate')::public.eta_quote;
end
$$;

comment on function public.quote_eta(double precision, double precision, double precision, double precision) is
  E'Estimate a travel time\n\nThe closed form alone: nothing is written, no model is asked. Refusal: COORDINATE_OUT_OF_RANGE.';
grant execute on function public.quote_eta(double precision, double precision, double precision, double precision)
to anon, authenticated, service_role;
