-- Definer: reads ml.*, which no API role may. Without a worker nobody has counted the queue lately, and counting is not for
-- anybody to cause: a stranger is told at once that it is degraded, which is what the count would come to.
create or replace function private.health_queue()
returns public.health_queue_report
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_known boolean := coalesce(auth.role() in ('authenticated', 'service_role'), false);
  v_report public.health_queue_report;
  r public.health_report;
begin
  v_report.status := 'degraded';
  v_report.checked_at := now();
  if not v_known and not exists (select from ml.workers as w where w.seen_at > now() - interval '15 seconds') then
    return v_report;
  end if;

  r := private.health_report();
  v_report.status := r.status;
  if v_known then
    v_report.queue_depth := r.queue_depth;
    v_report.oldest_job_seconds := r.oldest_job_seconds;
    v_report.pending := r.pending;
    v_report.background := r.background;
    v_report.waiting := r.waiting;
    v_report.running := r.running;
    v_report.per_second := r.per_second;
    v_report.dead_letters := r.dead_letters;
    v_report.workers_alive := r.workers_alive;
    v_report.last_heartbeat_at := r.last_heartbeat_at;
    v_report.last_prediction_at := r.last_prediction_at;
  end if;
  return v_report;
end
$$;

comment on function private.health_queue() is 'How the queue is: figures for the signed-in, the verdict alone for others.';
grant execute on function private.health_queue() to anon, authenticated, service_role;
