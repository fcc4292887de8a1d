-- Definer: reads private.api_keys, which no API role may; the caller's own rows, without the digest.
create or replace function private.my_api_keys()
returns setof public.api_key_state
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_me constant uuid := private.require_session();
begin
  return query
  select k.id, k.name, k.prefix, k.scopes, k.created_at, k.expires_at from private.api_keys as k
  where k.user_id = v_me
  order by k.created_at desc, k.id;
end
$$;

comment on function private.my_api_keys() is 'The caller''s API keys, newest first.';
grant execute on function private.my_api_keys() to authenticated;
