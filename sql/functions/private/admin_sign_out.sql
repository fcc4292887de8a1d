-- Definer: deletes from auth.sessions and private.api_keys, which no API role may.
create or replace function private.admin_sign_out(p_user_id uuid)
returns integer
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_ended integer;
begin
  perform private.require_permission('users.write');
  perform private.require_not_above(p_user_id);
  if not exists (select from auth.users as u where u.id = p_user_id) then
    raise sqlstate 'PT404' using
      message = 'There is no such account.', detail = 'ACCOUNT_NOT_FOUND', hint = 'list_users() finds accounts.';
  end if;
  delete from private.api_keys as k where k.user_id = p_user_id;
  delete from auth.sessions as s where s.user_id = p_user_id;
  get diagnostics v_ended = row_count;
  perform private.note_event('sessions.ended', p_user_id, jsonb_build_object('sessions', v_ended));
  return v_ended;
end
$$;

comment on function private.admin_sign_out(uuid) is 'Ends every session and API key of another person; gives how many sessions.';
grant execute on function private.admin_sign_out(uuid) to authenticated, service_role;
