create or replace function public.erase_user(p_user_id uuid, p_cause text default 'admin')
returns private.erasures
language sql
volatile
security invoker
set search_path = ''
set statement_timeout = '10min'
return private.erase_user(p_user_id, p_cause);

comment on function public.erase_user(uuid, text) is
  E'Erase a person (secret key)\n\nFrom every table, in one transaction, and then looks for what is left. NULL when there is nobody. Refusals: STORAGE_NOT_EMPTY.';
grant execute on function public.erase_user(uuid, text) to service_role;
