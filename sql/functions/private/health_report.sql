-- Definer: reads ml.*, which no API role may. Gives counts only, and nothing of anybody's rows.
create or replace function private.health_report()
returns public.health_report
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_report public.health_report;
begin
  v_report.service := 'rowcast';
  v_report.database := 'ok';
  v_report.checked_at := now();

  select
    coalesce(sum(q.pending + q.background + q.waiting + q.running), 0), coalesce(max(q.oldest_seconds), 0),
    coalesce(sum(q.pending), 0), coalesce(sum(q.background), 0), coalesce(sum(q.waiting), 0), coalesce(sum(q.running), 0),
    coalesce(sum(q.per_second), 0), coalesce(sum(q.dead_letters), 0),
    coalesce(
      jsonb_agg(
        jsonb_build_object(
          'prediction', q.prediction, 'pending', q.pending, 'background', q.background, 'waiting', q.waiting, 'running', q.running,
          'oldest_seconds', q.oldest_seconds, 'per_second', q.per_second, 'dead_letters', q.dead_letters,
          'paused', q.paused_at is not null, 'breaker_open', q.breaker_until is not null
        )
        order by q.prediction
      ),
      '[]'
    )
  into
    v_report.queue_depth, v_report.oldest_job_seconds, v_report.pending, v_report.background, v_report.waiting, v_report.running,
    v_report.per_second, v_report.dead_letters, v_report.predictions
  from ml.queue_stats() as q;

  -- A worker beats at least every five seconds; three missed beats and it counts as gone.
  select count(*) filter (where w.seen_at > now() - interval '15 seconds'), max(w.seen_at), max(w.last_done_at)
  into v_report.workers_alive, v_report.last_heartbeat_at, v_report.last_prediction_at
  from ml.workers as w;

  v_report.status := case
    when v_report.workers_alive = 0 or v_report.oldest_job_seconds > 60 then 'degraded'
    else 'ok'
  end;
  return v_report;
end
$$;

comment on function private.health_report() is 'State of database, queue and workers in one row.';
grant execute on function private.health_report() to authenticated, service_role;
