-- Definer: reads the caller's roles and API key. A bad token never comes this far: PostgREST or before_request() refused it.
create or replace function private.verify_token()
returns public.token_state
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_claims constant jsonb := coalesce(auth.jwt(), '{}');
  v_key private.api_keys;
begin
  select k.* into v_key from private.api_keys as k where k.id = (v_claims ->> 'api_key_id')::uuid;
  return (
    current_setting('role'),
    auth.uid(),
    case when v_key.id is not null then 'api_key' when v_claims ? 'session_id' then 'session' else 'key' end,
    (v_claims ->> 'session_id')::uuid,
    v_key.id,
    v_key.scopes,
    case when v_key.id is null then private.roles_of(auth.uid()) else '{}' end,
    v_claims ->> 'aal',
    coalesce(v_key.created_at, to_timestamp((v_claims ->> 'iat')::double precision)),
    coalesce(v_key.expires_at, to_timestamp((v_claims ->> 'exp')::double precision))
  );
end
$$;

comment on function private.verify_token() is 'What the caller''s credential is worth.';
grant execute on function private.verify_token() to anon, authenticated, service_role;
