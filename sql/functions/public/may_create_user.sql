create or replace function public.may_create_user()
returns void
language sql
stable
security invoker
set search_path = ''
return private.may_create_user();

comment on function public.may_create_user() is
  E'May I make accounts?\n\nAnswers nothing, or refuses. Refusals: PERMISSION_DENIED, NOT_SIGNED_IN.';
grant execute on function public.may_create_user() to authenticated;
