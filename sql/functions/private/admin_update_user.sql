-- Definer: writes other people's profiles, and bans in auth.users. A ban ends the sessions too.
create or replace function private.admin_update_user(p_user_id uuid, p_changes jsonb)
returns public.account
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_until timestamptz;
begin
  perform private.require_permission('users.write');
  perform private.get_user(p_user_id);
  perform private.require_not_above(p_user_id);
  if p_changes ? 'banned_until' then
    if p_user_id = auth.uid() then
      raise sqlstate 'PT409' using
        message = 'Nobody bans himself.', detail = 'SELF_BAN', hint = 'request_deletion() closes one''s own account.';
    end if;
    if jsonb_typeof(p_changes -> 'banned_until') <> 'null' then
      if pg_input_is_valid(p_changes ->> 'banned_until', 'timestamptz') then
        v_until := (p_changes ->> 'banned_until')::timestamptz;
      end if;
      if (v_until > now() and v_until < '2200-01-01') is not true then
        raise sqlstate 'PT422' using
          message = 'A ban ends in the future.', detail = 'EXPIRY_OUT_OF_RANGE',
          hint = 'banned_until: a time before 2200, as in 2027-01-01T00:00:00Z, or null to lift the ban.';
      end if;
    end if;
    update auth.users as u set banned_until = v_until where u.id = p_user_id and u.banned_until is distinct from v_until;
    if found then
      perform private.note_event('account.banned', p_user_id, jsonb_build_object('banned_until', v_until));
    end if;
    if v_until is not null then
      delete from auth.sessions as s where s.user_id = p_user_id;
      if exists (select from public.user_roles as ur where ur.user_id = p_user_id and ur.role = 'admin') then
        perform private.require_an_admin();
      end if;
    end if;
  end if;
  if p_changes - 'banned_until' <> '{}' then
    perform private.change_profile(p_user_id, p_changes - 'banned_until');
  end if;
  return private.get_user(p_user_id);
end
$$;

comment on function private.admin_update_user(uuid, jsonb) is 'Changes another person''s profile, bans and lifts bans.';
grant execute on function private.admin_update_user(uuid, jsonb) to authenticated, service_role;
