create or replace function public.prediction_status(p_prediction text default null, p_row_key text default null)
returns setof public.prediction_state
language sql
stable
security invoker
set search_path = ''
begin atomic
  select * from private.prediction_status(p_prediction, p_row_key);
end;

comment on function public.prediction_status(text, text) is
  E'How my predictions are\n\nOne line for each row of mine that a prediction is attached to, newest first, at most 1000: pending (with the reason and the time of the next try, where it waits for one), running, done, superseded, failed or cancelled. Narrow it with p_prediction and p_row_key. Refusal: NOT_SIGNED_IN.';
grant execute on function public.prediction_status(text, text) to authenticated;
