-- Definer: writes private.api_keys, which no API role may; for the caller only. The plaintext is in the answer and nowhere else.
create or replace function private.create_api_key(p_name text, p_scopes text[], p_expires_at timestamptz)
returns public.new_api_key
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_me constant uuid := private.require_session();
  v_prefix constant text := 'rck_' || encode(extensions.gen_random_bytes(4), 'hex');
  v_plain constant text := v_prefix || '_' || encode(extensions.gen_random_bytes(32), 'hex');
  v_expires_at constant timestamptz := coalesce(p_expires_at, now() + interval '1 year');
  v_key private.api_keys;
begin
  if p_name is null or length(btrim(p_name)) not between 1 and 80 then
    raise sqlstate 'PT422' using
      message = 'A key needs a name.', detail = 'KEY_NAME_OUT_OF_RANGE', hint = 'Give it 1 to 80 characters.';
  end if;
  if p_scopes is null or cardinality(p_scopes) = 0 or not p_scopes <@ '{read,write}' then
    raise sqlstate 'PT422' using
      message = 'That is not a scope.', detail = 'UNKNOWN_SCOPE', hint = 'Give read, or read and write.';
  end if;
  if v_expires_at not between now() and now() + interval '2 years' then
    raise sqlstate 'PT422' using
      message = 'A key ends at some time in the next two years.', detail = 'EXPIRY_OUT_OF_RANGE', hint = 'Leave it out for a year.';
  end if;

  -- One creation at a time for a person, or two would both be the twentieth.
  perform pg_advisory_xact_lock(20261120, hashtext('api keys of ' || v_me));
  delete from private.api_keys as k where k.user_id = v_me and k.expires_at <= now();
  if (select count(*) from private.api_keys as k where k.user_id = v_me) >= 20 then
    raise sqlstate 'PT409' using
      message = 'You have 20 API keys already.', detail = 'TOO_MANY_API_KEYS', hint = 'Revoke one with revoke_api_key().';
  end if;

  insert into private.api_keys as k (user_id, name, prefix, digest, scopes, expires_at)
  values (
    v_me, btrim(p_name), v_prefix, sha256(convert_to(v_plain, 'UTF8')),
    case when 'write' = any (p_scopes) then '{read,write}'::text[] else '{read}'::text[] end, v_expires_at
  )
  returning k.* into v_key;
  return (v_key.id, v_key.name, v_plain, v_key.scopes, v_key.created_at, v_key.expires_at);
end
$$;

comment on function private.create_api_key(text, text[], timestamptz) is 'Makes an API key of the caller''s; gives it in plain text, once.';
grant execute on function private.create_api_key(text, text[], timestamptz) to authenticated;
