-- Definer: writes private.rate_limits, which no API role may.
create or replace function private.set_rate_limit(
  p_name text, p_capacity integer, p_refill_per_second double precision, p_caller text, p_for_reads boolean, p_path text
)
returns public.rate_limit
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_limit private.rate_limits;
begin
  perform private.require_permission('limits.write');
  if p_caller is not null and p_caller <> all ('{anon,authenticated,service_role,api_key}')
    and not exists (select from public.app_roles as r where r.name = p_caller)
  then
    raise sqlstate 'PT404' using
      message = 'There is no such role.', detail = 'ROLE_NOT_FOUND',
      hint = 'Give anon, authenticated, service_role, api_key, or one of app_roles.';
  end if;

  insert into private.rate_limits as l (name, caller, for_reads, path, capacity, refill_per_second, updated_by)
  values (
    p_name, coalesce(p_caller, 'authenticated'), coalesce(p_for_reads, false), p_path, p_capacity, p_refill_per_second, auth.uid()
  )
  on conflict (name) do update set
    caller = coalesce(p_caller, l.caller), for_reads = coalesce(p_for_reads, l.for_reads), path = coalesce(p_path, l.path),
    capacity = excluded.capacity, refill_per_second = excluded.refill_per_second,
    updated_at = now(), updated_by = excluded.updated_by
  returning l.* into v_limit;
  -- What was counted under the old limit says nothing under the new one.
  perform private.forget_rate_buckets(p_name);

  return (
    v_limit.name, v_limit.caller, v_limit.for_reads, v_limit.path, v_limit.capacity, v_limit.refill_per_second,
    v_limit.updated_at, v_limit.updated_by
  );
exception
  when check_violation or not_null_violation then
    raise sqlstate 'PT422' using
      message = 'That limit is not one that is taken.', detail = 'RATE_LIMIT_OUT_OF_RANGE',
      hint = 'Capacity is 1 to 100000, refill_per_second 0.0001 to 100000; the name has a-z, 0-9 and _, a path begins with a slash.';
  when unique_violation then
    raise sqlstate 'PT409' using
      message = 'Another limit is on the same callers and path.', detail = 'RATE_LIMIT_EXISTS', hint = 'rate_limits() lists them.';
end
$$;

comment on function private.set_rate_limit(text, integer, double precision, text, boolean, text) is 'Makes or changes a rate limit.';
grant execute on function private.set_rate_limit(text, integer, double precision, text, boolean, text) to authenticated, service_role;
