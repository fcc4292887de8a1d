-- Definer: no role of the API writes user_roles. Nobody gives away, or takes, what he does not hold himself, nor for longer than
-- he holds it.
create or replace function private.set_role(p_user_id uuid, p_role text, p_granted boolean, p_expires_at timestamptz)
returns text[]
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.require_permission('roles.grant');
  -- Whoever takes the caller's own right at the same time comes before this, or after it.
  perform from public.user_roles as ur where ur.user_id in (auth.uid(), p_user_id) order by ur.user_id, ur.role for update;
  perform private.require_permission('roles.grant');
  if not exists (select from auth.users as u where u.id = p_user_id) then
    raise sqlstate 'PT404' using
      message = 'There is no such account.', detail = 'ACCOUNT_NOT_FOUND', hint = 'list_users finds accounts.';
  end if;
  if p_expires_at <= now() or p_expires_at > now() + interval '10 years' then
    raise sqlstate 'PT422' using
      message = 'A role ends in the future, within ten years, or not at all.', detail = 'EXPIRY_OUT_OF_RANGE',
      hint = 'Leave p_expires_at out for a role without an end.';
  end if;
  perform private.require_not_above(p_user_id);

  perform private.require_grantable(p_role, case when p_granted is not false then coalesce(p_expires_at, 'infinity') end);

  if p_granted is false then
    delete from public.user_roles as ur where ur.user_id = p_user_id and ur.role = p_role;
  else
    insert into public.user_roles as ur (user_id, role, granted_by, expires_at)
    values (p_user_id, p_role, auth.uid(), p_expires_at)
    on conflict (user_id, role) do update set
      granted_by = excluded.granted_by, granted_at = now(), expires_at = excluded.expires_at
    where ur.expires_at is distinct from excluded.expires_at;
  end if;
  return private.roles_of(p_user_id);
end
$$;

comment on function private.set_role(uuid, text, boolean, timestamptz) is 'Gives a person a role, or takes it. Returns the roles held now.';
grant execute on function private.set_role(uuid, text, boolean, timestamptz) to authenticated, service_role;
