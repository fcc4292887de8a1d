-- Definer: deletes from private.api_keys, which no API role may; the caller's own row only.
create or replace function private.revoke_api_key(p_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_me constant uuid := private.require_session();
begin
  delete from private.api_keys as k where k.id = p_id and k.user_id = v_me;
  if not found then
    raise sqlstate 'PT404' using
      message = 'You have no such API key.', detail = 'API_KEY_NOT_FOUND', hint = 'my_api_keys() lists them.';
  end if;
end
$$;

comment on function private.revoke_api_key(uuid) is 'Ends one of the caller''s own API keys.';
grant execute on function private.revoke_api_key(uuid) to authenticated;
