create or replace function public.report_sign_in(p_id bigint, p_was_me boolean)
returns public.login_events
language sql
volatile
security invoker
set search_path = ''
return private.report_sign_in(p_id, p_was_me);

comment on function public.report_sign_in(bigint, boolean) is
  E'Was it me?\n\nThe owner''s word on one of their sign-ins; it may be changed. What was not me is no part of the past that later ones are compared with. Refusals: SIGN_IN_NOT_FOUND, SESSION_UNDER_SUSPICION, ANSWER_MISSING, SESSION_REQUIRED, NOT_SIGNED_IN.';
grant execute on function public.report_sign_in(bigint, boolean) to authenticated;
