create or replace function public.check_erasable(p_user_id uuid)
returns void
language sql
stable
security invoker
set search_path = ''
return private.check_erasable(p_user_id);

comment on function public.check_erasable(uuid) is
  E'Can this person be erased? (secret key)\n\nAnswers nothing, or refuses. Refusal: LAST_ADMIN.';
grant execute on function public.check_erasable(uuid) to service_role;
