create or replace function public.my_api_keys()
returns setof public.api_key_state
language sql
stable
security invoker
set search_path = ''
begin atomic
  select * from private.my_api_keys();
end;

comment on function public.my_api_keys() is
  E'My API keys\n\nNewest first, each with its first characters, never the key; one whose expires_at has passed is refused. Refusals: NOT_SIGNED_IN, SESSION_REQUIRED.';
grant execute on function public.my_api_keys() to authenticated;
