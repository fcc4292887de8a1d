-- Definer: looks at the caller's own permissions. p_until is when the grant would end, NULL where a role is taken.
create or replace function private.require_grantable(p_role text, p_until timestamptz)
returns void
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_until timestamptz;
begin
  if not exists (select from public.app_roles as r where r.name = p_role) then
    raise sqlstate 'PT404' using
      message = 'There is no such role.', detail = 'ROLE_NOT_FOUND', hint = 'GET /app_roles lists them.';
  end if;
  if private.is_service() then
    return;
  end if;
  select min(coalesce(mine.until, '-infinity')) into v_until
  from public.role_permissions as rp
  left join private.permissions_of(auth.uid()) as mine on mine.permission = rp.permission
  where rp.role = p_role;
  if v_until = '-infinity' then
    raise sqlstate 'PT403' using
      message = 'This role may do more than you.', detail = 'ABOVE_YOURSELF',
      hint = 'A role is given and taken by somebody who holds all of its permissions.';
  end if;
  if p_until > v_until then
    raise sqlstate 'PT403' using
      message = 'You hold this right for a shorter time yourself.', detail = 'GRANT_OUTLASTS_YOURS',
      hint = format('Set p_expires_at to %s at most.', to_char(v_until at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'));
  end if;
end
$$;

comment on function private.require_grantable(text, timestamptz) is 'Refuses a role that is not there, may do more than the caller, or would outlast the caller''s own right.';
