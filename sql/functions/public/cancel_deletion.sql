create or replace function public.cancel_deletion()
returns public.deletion_requests
language sql
volatile
security invoker
set search_path = ''
return private.cancel_deletion();

comment on function public.cancel_deletion() is
  E'Keep my account after all\n\nRefusals: DELETION_NOT_REQUESTED, NOT_SIGNED_IN.';
grant execute on function public.cancel_deletion() to authenticated;
