-- Its Python twin, which the model corrects, is py/rowcast/models/eta_closed_form.py; a test holds them together.
create or replace function private.eta_closed_form(p_metres double precision)
returns double precision
language sql
immutable
parallel safe
security invoker
set search_path = ''
return 90 + 1.3 * p_metres / (6 + 9 * (1.3 * p_metres) / (1.3 * p_metres + 8000));

comment on function private.eta_closed_form(double precision) is
  'Travel time in seconds from the great-circle distance: detour 1.3, 6 to 15 m/s growing with the way, 90 s to get going.';
grant execute on function private.eta_closed_form(double precision) to anon, authenticated, service_role;
