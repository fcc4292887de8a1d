create or replace function public.may_predict(p_model text)
returns void
language sql
volatile
security invoker
set search_path = ''
return private.may_predict(p_model);

comment on function public.may_predict(text) is
  E'May I ask this model?\n\nAnswers nothing, or refuses; the edge function predict asks it for each of its calls. Refusals: UNKNOWN_MODEL, NOT_SIGNED_IN, RATE_LIMITED.';
grant execute on function public.may_predict(text) to authenticated;
