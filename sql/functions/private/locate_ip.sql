-- The smallest network that holds the address; a GiST index finds all that do, which are a few.
create or replace function private.locate_ip(p_ip inet, out country text, out cell_lat double precision, out cell_lng double precision)
language sql
stable
security invoker
set search_path = ''
as $$
  select n.country, private.coarse_degrees(n.lat), private.coarse_degrees(n.lng)
  from private.ip_networks as n
  where n.network operator(pg_catalog.>>=) p_ip
  order by masklen(n.network) desc
  limit 1;
$$;

comment on function private.locate_ip(inet) is 'Where an address is, as far as private.ip_networks knows; NULLs where it does not.';
