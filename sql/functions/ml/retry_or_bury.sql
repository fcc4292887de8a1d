-- The jobs named are locked by the caller. A retry merges into a newer pending job of its row (rule 3): delete and
-- insert with ON CONFLICT, because turning the row back in place could collide with one that is being inserted.
create or replace function ml.retry_or_bury(p_job_ids bigint[], p_reason text, p_error text, p_delay interval default null)
returns integer
language sql
volatile
security invoker
set search_path = ''
as $$
  with taken as (
    delete from ml.jobs as j where j.id = any (p_job_ids)
    returning j.*
  ), judged as (
    select t.*, a.name, a.source_table, a.model, m.backoff_seconds, t.attempts + 1 >= m.max_attempts as dead
    from taken as t
    join ml.attachments as a on a.id = t.attachment_id
    join ml.models as m on m.name = a.model
  ), back as (
    insert into ml.jobs (id, attachment_id, row_key, owner_id, priority, attempts, deferrals, enqueued_at, run_at)
    select
      g.id, g.attachment_id, g.row_key, g.owner_id, g.priority, g.attempts + 1, g.deferrals, g.enqueued_at,
      -- Exponential, at most an hour, with 20 % of jitter either way.
      clock_timestamp() + coalesce(
        p_delay, make_interval(secs => least(3600, g.backoff_seconds * 2 ^ g.attempts) * (0.8 + 0.4 * random()))
      )
    from judged as g
    where not g.dead
    on conflict (attachment_id, row_key) where token is null do nothing
  ), buried as (
    insert into ml.dead_letters (attachment_id, row_key, owner_id, attempts, reason, error)
    select g.attachment_id, g.row_key, g.owner_id, g.attempts + 1, p_reason, left(p_error, 2000)
    from judged as g
    where g.dead
  ), receipts as (
    insert into public.predictions (
      prediction, source_table, row_key, owner_id, model, status, input_hash, latency_ms, attempts, error, request_id
    )
    select
      g.name, g.source_table::text, g.row_key, g.owner_id, g.model, 'failed', g.input_hash,
      greatest(0, extract(epoch from clock_timestamp() - g.enqueued_at) * 1000), g.attempts + 1, left(p_error, 2000),
      nullif(left(current_setting('rowcast.request_id', true), 200), '')
    from judged as g
    where g.dead
  )
  select count(*)::integer from judged
$$;

comment on function ml.retry_or_bury(bigint[], text, text, interval) is
  'Charges one failure to each job: back with a delay, or to the dead letters when its attempts are used up.';
