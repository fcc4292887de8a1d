create or replace function public.sync_profile()
returns public.account
language sql
volatile
security invoker
set search_path = ''
return private.sync_profile();

comment on function public.sync_profile() is
  E'Make or complete my profile\n\nCreates the caller''s profile where the sign-up trigger could not, and fills an empty display name from the account.';
grant execute on function public.sync_profile() to authenticated;
