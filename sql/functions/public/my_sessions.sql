create or replace function public.my_sessions()
returns setof public.session_state
language sql
stable
security invoker
set search_path = ''
begin atomic
  select * from private.my_sessions();
end;

comment on function public.my_sessions() is
  E'Where I am signed in\n\nOne line for each session, last refreshed first. Refusals: NOT_SIGNED_IN, SESSION_REQUIRED.';
grant execute on function public.my_sessions() to authenticated;
