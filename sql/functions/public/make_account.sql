create or replace function public.make_account(p_account jsonb, p_password text default null)
returns uuid
language sql
volatile
security invoker
set search_path = ''
return private.make_account(p_account, p_password);

comment on function public.make_account(jsonb, text) is
  E'Make an account where Auth has no admin API (secret key)\n\nRefusals: EMAIL_INVALID, PASSWORD_INVALID, ACCOUNT_EXISTS.';
grant execute on function public.make_account(jsonb, text) to service_role;
