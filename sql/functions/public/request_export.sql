create or replace function public.request_export()
returns jsonb
language sql
volatile
security invoker
set search_path = ''
return private.request_export();

comment on function public.request_export() is
  E'Everything held about me\n\nOne document with all my rows, what they are and what is left out. Tables with `complete = false` are continued by export_page(). A few times a day. Refusals: EXPORT_LIMIT_REACHED, ACCOUNT_NOT_FOUND, NOT_SIGNED_IN.';
grant execute on function public.request_export() to authenticated;
