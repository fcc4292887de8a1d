-- Definer: reads auth.sessions and auth.users, which no API role may. A token outlives its session by up to an hour; this is what ends it.
-- A token without `session_id` was made by whoever holds the signing key: its account alone is looked at. One that names nobody has
-- nothing that could have ended, and reaches nothing. PostgREST is not told an audience by the platform: one that the token names must be
-- Auth's, or another system that signs with the same secret would open this one.
create or replace function private.session_is_live()
returns boolean
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_claims constant jsonb := auth.jwt();
  v_user constant text := v_claims ->> 'sub';
  v_session constant text := v_claims ->> 'session_id';
begin
  if not coalesce(v_claims -> 'aud', '"authenticated"') @> '"authenticated"' then
    return false;
  end if;
  if v_user is null then
    return v_session is null;
  end if;
  if not pg_input_is_valid(v_user, 'uuid') or not pg_input_is_valid(coalesce(v_session, v_user), 'uuid') then
    return false;
  end if;
  return private.account_is_live(v_user::uuid) and (
    v_session is null or exists (
      select from auth.sessions as s
      where s.id = v_session::uuid and s.user_id = v_user::uuid and (s.not_after is null or s.not_after > now())
    )
  );
end
$$;

comment on function private.session_is_live() is 'Whether the token is meant for this project, the caller''s account may be used and the session it came from goes on.';
grant execute on function private.session_is_live() to authenticated;
