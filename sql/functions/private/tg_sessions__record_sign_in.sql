-- Definer: the Auth server's role may not write here. Called by its trigger only.
-- A note is a convenience and a sign-in is not: whatever goes wrong becomes a warning, and nobody waits long for a lock.
create or replace function private.tg_sessions__record_sign_in()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '500ms'
as $$
begin
  perform private.record_sign_in(new.user_id, new.id, true, new.ip, new.user_agent);
  return null;
exception when others then
  raise warning 'sign-in of account % is not noted: %', new.user_id, sqlerrm;
  return null;
end
$$;

comment on function private.tg_sessions__record_sign_in() is 'Notes each new session as a sign-in; never refuses it.';
