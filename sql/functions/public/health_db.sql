create or replace function public.health_db()
returns public.health_db_report
language sql
stable
security invoker
set search_path = ''
return private.health_db();

comment on function public.health_db() is
  E'How the database is\n\nFigures for the signed-in; others see status and checked_at. `degraded` from nine tenths of the connections, or when a transaction is open for more than an hour.';
grant execute on function public.health_db() to anon, authenticated, service_role;
