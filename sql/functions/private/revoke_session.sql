-- Definer: deletes from auth.sessions, which no API role may; the caller's own row only. Its refresh tokens go with it.
create or replace function private.revoke_session(p_session_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_me constant uuid := private.require_session();
begin
  delete from auth.sessions as s where s.id = p_session_id and s.user_id = v_me;
  if not found then
    raise sqlstate 'PT404' using
      message = 'You have no such session.', detail = 'SESSION_NOT_FOUND', hint = 'my_sessions() lists them.';
  end if;
  perform private.note_event('sessions.ended', v_me, '{"sessions": 1}');
end
$$;

comment on function private.revoke_session(uuid) is 'Ends one of the caller''s own sessions.';
grant execute on function private.revoke_session(uuid) to authenticated;
