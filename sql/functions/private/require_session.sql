-- For what changes an account or its credentials: a key that leaked must not make another key, or end the sessions of its owner.
create or replace function private.require_session()
returns uuid
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  if auth.jwt() ? 'api_key_id' then
    raise sqlstate 'PT403' using
      message = 'An API key may not do this.', detail = 'SESSION_REQUIRED', hint = 'Sign in, and send the user''s access token.';
  end if;
  return private.require_user();
end
$$;

comment on function private.require_session() is 'The caller''s id; refuses API keys and who is not signed in.';
grant execute on function private.require_session() to authenticated, service_role;
