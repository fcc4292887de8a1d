-- Finished jobs leave the hot table in the same statement that writes their receipts. A superseded row whose edit did not
-- enqueue (its input depends on more than the watched columns) is owed again, at the cost of an attempt, so that an
-- expression that never holds still ends among the dead letters rather than in a loop.
create or replace function ml.settle(
  p_attachment ml.attachments,
  p_job_ids bigint[],
  p_fresh_ids bigint[],
  p_locked_keys text[],
  p_inputs jsonb[],
  p_results jsonb,
  p_model_version text
)
returns void
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_unsettled bigint[];
begin
  select array_agg(j.id) into v_unsettled
  from ml.jobs as j
  join unnest(p_locked_keys, p_inputs) as f (row_key, input) on f.row_key = j.row_key and f.input is not null
  where j.id = any (p_job_ids)
    and j.id <> all (p_fresh_ids)
    -- Unless the row's last answer was to what it holds now.
    and (
      select
        last.status = 'done' and last.input_hash = sha256(convert_to(f.input::text, 'UTF8'))
        and (not j.is_new or last.created_at > j.enqueued_at)
      from public.predictions as last
      where last.prediction = p_attachment.name and last.row_key = j.row_key and last.status <> 'superseded'
      order by last.created_at desc, last.id desc
      limit 1
    ) is not true;
  -- Or a younger job will answer.
  v_unsettled := array(select unnest(v_unsettled) except select unnest(ml.yielding(v_unsettled)));

  with finished as (
    select j.*, j.id = any (p_fresh_ids) as fresh, r.value as result
    from ml.jobs as j
    join jsonb_array_elements(p_results) as r on (r.value ->> 'job_id')::bigint = j.id
    where j.id = any (p_job_ids) and j.token is not null
  ), gone as (
    delete from ml.jobs as j
    where j.id = any (p_job_ids) and j.token is not null and j.id <> all (v_unsettled)
  )
  insert into public.predictions (
    prediction, source_table, row_key, owner_id, model, model_version, status, input_hash, output, interval_low,
    interval_high, latency_ms, attempts, request_id
  )
  select
    p_attachment.name, p_attachment.source_table::text, f.row_key, f.owner_id, p_attachment.model, p_model_version,
    case when f.fresh then 'done' else 'superseded' end, f.input_hash,
    case when f.fresh then f.result -> 'output' end,
    case when f.fresh then (f.result ->> 'low')::double precision end,
    case when f.fresh then (f.result ->> 'high')::double precision end,
    greatest(0, extract(epoch from clock_timestamp() - f.enqueued_at) * 1000), f.attempts,
    left(current_setting('rowcast.request_id', true), 200)
  from finished as f;

  if v_unsettled <> '{}' then
    perform ml.give_back(v_unsettled, 'input_unstable', 'The input changes though no watched column does.', true);
  end if;
end
$$;

comment on function ml.settle(ml.attachments, bigint[], bigint[], text[], jsonb[], jsonb, text) is
  'Receipts for a committed batch, and its jobs out of the queue.';
