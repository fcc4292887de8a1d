-- Definer: writes private.rate_limits, which no API role may.
create or replace function private.remove_rate_limit(p_name text)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.require_permission('limits.write');
  delete from private.rate_limits as l where l.name = p_name;
  if not found then
    raise sqlstate 'PT404' using
      message = 'There is no such limit.', detail = 'RATE_LIMIT_NOT_FOUND', hint = 'rate_limits() lists them.';
  end if;
  perform private.forget_rate_buckets(p_name);
end
$$;

comment on function private.remove_rate_limit(text) is 'Lifts a rate limit.';
grant execute on function private.remove_rate_limit(text) to authenticated, service_role;
