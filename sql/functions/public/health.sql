create or replace function public.health()
returns public.health_status
language sql
stable
security invoker
set search_path = ''
return row('ok', 'rowcast', pg_catalog.now())::public.health_status;

comment on function public.health() is E'Is the API up\n\nAnswers as long as the Data API reaches the database. For load balancers.';
grant execute on function public.health() to anon, authenticated, service_role;
