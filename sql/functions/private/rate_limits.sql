-- Definer: reads private.rate_limits, which no API role may.
create or replace function private.rate_limits()
returns setof public.rate_limit
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  perform private.require_permission('limits.write');
  return query
  select l.name, l.caller, l.for_reads, l.path, l.capacity, l.refill_per_second, l.updated_at, l.updated_by
  from private.rate_limits as l
  order by l.name;
end
$$;

comment on function private.rate_limits() is 'Every rate limit by name.';
grant execute on function private.rate_limits() to authenticated, service_role;
