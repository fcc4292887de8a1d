create or replace function public.health_detailed()
returns public.health_report
language sql
stable
security invoker
set search_path = ''
return private.health_report();

comment on function public.health_detailed() is
  E'How the parts are\n\nDatabase, the queue in total and for each prediction, workers'' heartbeats, last prediction. `degraded` when no worker was heard for 15 s or a job waits for more than 60 s; requests are answered all the same.';
grant execute on function public.health_detailed() to authenticated, service_role;
