create or replace function private.is_time_zone(p_name text)
returns boolean
language plpgsql
immutable
security invoker
set search_path = ''
as $$
begin
  perform timestamp '2000-01-01' at time zone p_name;
  return true;
exception when invalid_parameter_value then
  return false;
end
$$;

comment on function private.is_time_zone(text) is 'Whether Postgres knows a time zone by this name.';
grant execute on function private.is_time_zone(text) to authenticated, service_role;
