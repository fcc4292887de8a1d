create or replace function public.get_user(p_user_id uuid)
returns public.account
language sql
stable
security invoker
set search_path = ''
return private.get_user(p_user_id);

comment on function public.get_user(uuid) is E'One account\n\nOne''s own, or anybody''s for holders of users.read.';
grant execute on function public.get_user(uuid) to authenticated, service_role;
