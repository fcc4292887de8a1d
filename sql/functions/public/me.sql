create or replace function public.me()
returns public.account
language sql
stable
security invoker
set search_path = ''
return private.me();

comment on function public.me() is
  E'My account\n\nThe signed-in person''s own account and profile, with the roles and permissions held now. For what to show; what one may do is decided anew by each request.';
grant execute on function public.me() to authenticated;
