create or replace function public.verify_token()
returns public.token_state
language sql
stable
security invoker
set search_path = ''
return private.verify_token();

comment on function public.verify_token() is
  E'What my token is worth\n\nThe role it gives, whose it is, its session or API key, the roles held now and when it ends. A token that is worth nothing is refused with 401 instead.';
grant execute on function public.verify_token() to anon, authenticated, service_role;
