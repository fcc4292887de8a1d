-- The one way back from a lease. Charged: an attempt is used up, and the last one ends among the dead letters. Not charged:
-- only put off. A job yields to a younger one of its row that is pending (rule 3).
-- It never waits for a writer: what comes back is marked as a retry, which the unique index of pending jobs leaves out. So
-- it may stand beside a pending job whose writer has not committed yet; ml.lease lets the older of the two go.
-- The error's text stays with the operator, but for the model's own word on an input: a receipt is read by its owner.
create or replace function ml.give_back(
  p_job_ids bigint[],
  p_reason text,
  p_error text,
  p_charge boolean,
  p_wait interval default null
)
returns integer
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_yielding bigint[] := ml.yielding(p_job_ids);
  v_count integer;
begin
  with judged as (
    select
      j.*, a.name, a.source_table, a.model, m.backoff_seconds, j.id = any (v_yielding) as yields,
      p_charge and j.attempts + 1 >= m.max_attempts and j.id <> all (v_yielding) as dead
    from ml.jobs as j
    join ml.attachments as a on a.id = j.attachment_id
    join ml.models as m on m.name = a.model
    where j.id = any (p_job_ids)
  ), back as (
    update ml.jobs as j set
      token = null, lease_until = null, input_hash = null, is_retry = true,
      attempts = g.attempts + p_charge::integer,
      deferrals = least(g.deferrals + (p_reason = 'batch_fault' and not p_charge)::integer, 32767),
      -- Exponential, at most an hour, with 20 % of jitter either way.
      run_at = clock_timestamp() + coalesce(
        p_wait,
        -- Whoever holds the row has held it for a while, and may go on: a quarter of the job's age, a minute at most.
        case when p_reason = 'row_busy' then
          make_interval(secs => least(60, greatest(1, extract(epoch from clock_timestamp() - g.enqueued_at) / 4)))
        end,
        make_interval(secs => least(
          3600, g.backoff_seconds * 2 ^ least(case when p_charge then g.attempts else g.deferrals end, 20)
        ) * (0.8 + 0.4 * random()))
      )
    from judged as g
    where j.id = g.id and not g.dead and not g.yields
  ), gone as (
    delete from ml.jobs as j using judged as g where j.id = g.id and (g.dead or g.yields)
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
      greatest(0, extract(epoch from clock_timestamp() - g.enqueued_at) * 1000), g.attempts + 1,
      case when p_error like 'INVALID_INPUT: %' then left(p_error, 2000) else p_reason end,
      nullif(left(current_setting('rowcast.request_id', true), 200), '')
    from judged as g
    where g.dead
  )
  select count(*) into v_count from judged;
  return v_count;
end
$$;

comment on function ml.give_back(bigint[], text, text, boolean, interval) is
  'Jobs of a lease go back to pending, or to the dead letters when they are charged for the last time. Returns how many.';
