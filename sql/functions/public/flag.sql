create or replace function public.flag(p_name text)
returns boolean
language sql
stable
security invoker
set search_path = ''
return private.flag(p_name);

comment on function public.flag(text) is
  E'Is a feature on\n\nOne feature flag by its name. A name that does not exist is refused, never false.';
grant execute on function public.flag(text) to anon, authenticated, service_role;
