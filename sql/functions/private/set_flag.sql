-- Definer: nobody has a right to write the table itself. The caller must hold flags.write, or have the secret key.
create or replace function private.set_flag(p_name text, p_enabled boolean)
returns public.feature_flags
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_flag public.feature_flags;
begin
  perform private.require_permission('flags.write');
  if p_enabled is null then
    raise sqlstate 'PT422' using
      message = 'A feature is on or off.', detail = 'FLAG_VALUE_MISSING', hint = 'Send p_enabled as true or false.';
  end if;

  select f.* into v_flag from public.feature_flags as f where f.name = p_name for update;
  if not found then
    raise sqlstate 'PT404' using
      message = 'There is no such feature flag.', detail = 'FLAG_NOT_FOUND', hint = 'feature_flags() lists them.';
  end if;
  -- Saying it twice is no second change, so the first one's time and author stay.
  if v_flag.enabled <> p_enabled then
    update public.feature_flags as f set enabled = p_enabled, updated_at = now(), updated_by = auth.uid()
    where f.name = p_name
    returning f.* into v_flag;
  end if;
  return v_flag;
end
$$;

comment on function private.set_flag(text, boolean) is 'Switches a feature for holders of flags.write.';
grant execute on function private.set_flag(text, boolean) to authenticated, service_role;
