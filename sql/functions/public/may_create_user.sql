create or replace function public.may_create_user(p_role text default null)
returns void
language sql
stable
security invoker
set search_path = ''
return private.may_create_user(p_role);

comment on function public.may_create_user(text) is
  E'May I make accounts?\n\nAnswers nothing, or refuses; p_role: with that role at once. Refusals: PERMISSION_DENIED, ROLE_NOT_FOUND, ABOVE_YOURSELF, GRANT_OUTLASTS_YOURS, NOT_SIGNED_IN.';
grant execute on function public.may_create_user(text) to authenticated;
