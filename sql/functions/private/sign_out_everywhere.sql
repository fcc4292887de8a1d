-- Definer: deletes from auth.sessions, which no API role may; the caller's own rows only.
create or replace function private.sign_out_everywhere(p_keep_current boolean)
returns integer
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_me constant uuid := private.require_session();
  v_session constant text := auth.jwt() ->> 'session_id';
  v_ended integer;
begin
  delete from auth.sessions as s
  where s.user_id = v_me and (p_keep_current is not true or s.id::text is distinct from v_session);
  get diagnostics v_ended = row_count;
  if v_ended > 0 then
    perform private.note_event('sessions.ended', v_me, jsonb_build_object('sessions', v_ended));
  end if;
  return v_ended;
end
$$;

comment on function private.sign_out_everywhere(boolean) is 'Ends the caller''s sessions, all or all but this; gives how many.';
grant execute on function private.sign_out_everywhere(boolean) to authenticated;
