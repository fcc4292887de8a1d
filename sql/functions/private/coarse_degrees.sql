-- Its Python twin is coarse() in py/rowcast/models/signin_history.py.
create or replace function private.coarse_degrees(p_degrees double precision)
returns double precision
language sql
immutable
parallel safe
security invoker
set search_path = ''
return floor(p_degrees * 2) / 2 + 0.25;

comment on function private.coarse_degrees(double precision) is 'The middle of the half degree, about 50 km, that holds a coordinate.';
