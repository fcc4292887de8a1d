-- Definer: reads private.api_keys. Called by private.before_request() only.
-- The digest of 256 random bits is looked up in an index: no comparison depends on how much of a guess was right, and a slow hash
-- would protect nothing that could be guessed.
create or replace function private.use_api_key(p_key text)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_key private.api_keys;
begin
  if current_setting('role') <> 'anon' then
    raise sqlstate 'PT400' using
      message = 'This request carries an API key and another credential.', detail = 'TWO_CREDENTIALS',
      hint = 'Send x-api-key with the publishable key and no user''s token.';
  end if;

  select k.* into v_key from private.api_keys as k
  where k.digest = sha256(convert_to(p_key, 'UTF8')) and k.expires_at > now();
  if not found or not private.account_is_live(v_key.user_id) then
    raise sqlstate 'PT401' using
      message = 'This API key is not valid.', detail = 'INVALID_API_KEY', hint = 'Make a new one with create_api_key().';
  end if;
  if not 'write' = any (v_key.scopes) and current_setting('request.method', true) not in ('GET', 'HEAD') then
    raise sqlstate 'PT403' using
      message = 'This API key may only read.', detail = 'API_KEY_READ_ONLY', hint = 'Use GET, or a key with the scope write.';
  end if;

  perform set_config(
    'request.jwt.claims',
    json_build_object('role', 'authenticated', 'aud', 'authenticated', 'sub', v_key.user_id, 'api_key_id', v_key.id)::text,
    true
  );
  -- PostgREST has set the time limit of `anon` already.
  perform set_config('statement_timeout', split_part(c.setting, '=', 2), true)
  from pg_catalog.pg_roles as r, unnest(r.rolconfig) as c (setting)
  where r.rolname = 'authenticated' and starts_with(c.setting, 'statement_timeout=');
end
$$;

comment on function private.use_api_key(text) is 'Puts an API key''s owner in the place of the caller; refuses what is not a valid key.';
