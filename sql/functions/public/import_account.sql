create or replace function public.import_account(p_document jsonb)
returns jsonb
language sql
volatile
security invoker
set search_path = ''
set statement_timeout = '5min'
return private.import_account(p_document);

comment on function public.import_account(jsonb) is
  E'Restore an account from its export (secret key)\n\nThe account has no password then. Refusals: IMPORT_REFUSED, ACCOUNT_EXISTS, EMAIL_INVALID.';
grant execute on function public.import_account(jsonb) to service_role;
