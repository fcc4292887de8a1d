create or replace function public.request_deletion(p_reason text default null)
returns public.deletion_requests
language sql
volatile
security invoker
set search_path = ''
return private.request_deletion(p_reason);

comment on function public.request_deletion(text) is
  E'Ask for my account to be deleted\n\nIt is erased with all its data at `due_at`; until then cancel_deletion() takes it back. Asking again changes nothing. Refusals: REASON_TOO_LONG, LAST_ADMIN, ACCOUNT_NOT_FOUND, NOT_SIGNED_IN.';
grant execute on function public.request_deletion(text) to authenticated;
