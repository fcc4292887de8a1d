create or replace function public.user_sign_ins(p_user_id uuid, p_limit integer default 50)
returns setof public.login_events
language sql
stable
security invoker
set search_path = ''
begin atomic
  select * from private.user_sign_ins(p_user_id, p_limit);
end;

comment on function public.user_sign_ins(uuid, integer) is
  E'Somebody''s sign-ins, newest first\n\nAs my_sign_ins, for holders of users.read. Refusals: LIMIT_OUT_OF_RANGE, PERMISSION_DENIED, NOT_SIGNED_IN.';
grant execute on function public.user_sign_ins(uuid, integer) to authenticated, service_role;
