create or replace function public.hello()
returns table (message text)
language sql
immutable
security invoker
set search_path = ''
as $$ select 'Hello from Rowcast' $$;

comment on function public.hello() is E'Say hello\n\nAnswers anybody who has a key; good for a first call.';
grant execute on function public.hello() to anon, authenticated, service_role;
