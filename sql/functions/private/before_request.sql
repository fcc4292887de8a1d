-- Definer: reads sessions, keys and limits, which no API role may. Called by gate.before_request() only; a wrong order would let a
-- request be charged to somebody it does not speak for.
create or replace function private.before_request()
returns text
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_role text := current_setting('role');
  v_headers jsonb := nullif(current_setting('request.headers', true), '')::jsonb;
begin
  perform private.refuse_estimated_counts(v_headers);
  if v_headers ? 'x-api-key' then
    perform private.use_api_key(v_headers ->> 'x-api-key');
    perform private.charge('api_key', auth.uid()::text);
    return 'authenticated';
  end if;
  if v_role = 'authenticated' and not private.session_is_live() then
    raise sqlstate 'PT401' using
      message = 'This token is of no session that goes on here.', detail = 'SESSION_REVOKED', hint = 'Sign in again.';
  end if;
  perform private.charge(v_role, coalesce(auth.uid()::text, private.client_address(v_headers)));
  return v_role;
end
$$;

comment on function private.before_request() is
  'Refuses ended sessions, bad API keys, guessed counts and callers over their limit; gives the role to go on with.';
grant execute on function private.before_request() to anon, authenticated, service_role;
