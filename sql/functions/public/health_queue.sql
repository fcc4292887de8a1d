create or replace function public.health_queue()
returns public.health_queue_report
language sql
stable
security invoker
set search_path = ''
return private.health_queue();

comment on function public.health_queue() is
  E'How the queue is\n\nFigures for the signed-in; others see status and checked_at. `degraded` when no worker was heard for 15 s or a job waits for more than 60 s, as in health_detailed().';
grant execute on function public.health_queue() to anon, authenticated, service_role;
