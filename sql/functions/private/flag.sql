-- Definer: the table has no reader among the API roles, so that no policy has to be asked for a switch that everybody may know.
-- An unknown name is a mistake in the caller's code; answering false would hide it for ever.
create or replace function private.flag(p_name text)
returns boolean
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_enabled boolean;
begin
  select f.enabled into v_enabled from public.feature_flags as f where f.name = p_name;
  if not found then
    raise sqlstate 'PT404' using
      message = 'There is no such feature flag.', detail = 'FLAG_NOT_FOUND', hint = 'feature_flags() lists them.';
  end if;
  return v_enabled;
end
$$;

comment on function private.flag(text) is 'Whether a feature is on. One index probe; for use inside SQL.';
grant execute on function private.flag(text) to anon, authenticated, service_role;
