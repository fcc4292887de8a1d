create or replace function public.may_delete_user(p_user_id uuid)
returns void
language sql
volatile
security invoker
set search_path = ''
return private.may_delete_user(p_user_id);

comment on function public.may_delete_user(uuid) is
  E'May I delete this account?\n\nAnswers nothing, or refuses. Refusals: PERMISSION_DENIED, ABOVE_YOURSELF, LAST_ADMIN, ACCOUNT_NOT_FOUND, NOT_SIGNED_IN.';
grant execute on function public.may_delete_user(uuid) to authenticated;
