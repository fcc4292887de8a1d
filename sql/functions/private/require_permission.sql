create or replace function private.require_permission(p_permission text)
returns void
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  if private.is_service() then
    return;
  end if;
  perform private.require_user();
  if not private.has_permission(p_permission) then
    if auth.jwt() ->> 'api_key_id' is null and private.holds_behind_mfa(p_permission) then
      raise sqlstate 'PT403' using
        message = 'This takes a second factor.', detail = 'MFA_REQUIRED', hint = 'Verify it with auth.mfa, then try again.';
    end if;
    raise sqlstate 'PT403' using
      message = 'You may not do this.', detail = 'PERMISSION_DENIED',
      hint = format('It takes the permission %s.', p_permission);
  end if;
end
$$;

comment on function private.require_permission(text) is 'Refuses a caller without this permission; the secret key has them all.';
grant execute on function private.require_permission(text) to authenticated, service_role;
