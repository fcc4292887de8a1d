-- Definer: reads auth.sessions, which no API role may; the caller's own rows only.
create or replace function private.my_sessions()
returns setof public.session_state
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_me constant uuid := private.require_session();
  v_session constant text := auth.jwt() ->> 'session_id';
begin
  return query
  select
    s.id, s.created_at, coalesce(s.refreshed_at at time zone 'UTC', s.created_at), s.user_agent::text, host(s.ip),
    s.aal::text, s.id::text is not distinct from v_session
  from auth.sessions as s
  where s.user_id = v_me and (s.not_after is null or s.not_after > now())
  order by 3 desc, 1;
end
$$;

comment on function private.my_sessions() is 'Where the caller is signed in, last used first.';
grant execute on function private.my_sessions() to authenticated;
