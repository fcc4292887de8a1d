create or replace function public.sign_out_everywhere(p_keep_current boolean default false)
returns integer
language sql
volatile
security invoker
set search_path = ''
return private.sign_out_everywhere(p_keep_current);

comment on function public.sign_out_everywhere(boolean) is
  E'End all my sessions\n\nWith p_keep_current all but the one that asks. Gives how many were ended. API keys stay. Refusals: NOT_SIGNED_IN, SESSION_REQUIRED.';
grant execute on function public.sign_out_everywhere(boolean) to authenticated;
