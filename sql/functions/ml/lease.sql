-- The inputs are read first, since only that can fail for a row's sake; nothing is returned unless all is well.
-- A job is dropped without a call when its row is gone or has no input (superseded), or when the row's last answer was to
-- the same input, by the same model in the same version, under the same attachment, and to this very row: an answer from
-- before the row was inserted went to another of the same key. A retry is dropped as well when there is a younger job.
create or replace function ml.lease(
  p_attachment_id smallint,
  p_job_ids bigint[],
  p_row_keys text[],
  p_models jsonb
)
returns table (
  job_id bigint, token uuid, prediction text, model text, row_key text, input jsonb,
  attempts smallint, batch_size integer, timeout_ms integer, lease_seconds real
)
language plpgsql
volatile
security invoker
set search_path = ''
as $$
#variable_conflict use_column
declare
  a ml.attachments;
  m ml.models;
  v_token uuid := gen_random_uuid();
  v_keys text[];
  v_inputs jsonb[];
  v_yielding bigint[];
begin
  select x.* into strict a from ml.attachments as x where x.id = p_attachment_id;
  select x.* into strict m from ml.models as x where x.name = a.model;
  select array_agg(r.row_key), array_agg(r.input) into v_keys, v_inputs
  from ml.read_inputs(a, p_row_keys, false) as r;
  v_yielding := ml.yielding(p_job_ids);

  return query
  with judged as (
    select
      p.id, p.row_key, f.input, f.row_key is null as gone, sha256(convert_to(f.input::text, 'UTF8')) as hash
    from unnest(p_job_ids, p_row_keys) as p (id, row_key)
    left join unnest(v_keys, v_inputs) as f (row_key, input) on f.row_key = p.row_key
  ), settled as (
    select g.*, (
      select
        last.status = 'done' and last.input_hash = g.hash and last.model = a.model
        and last.model_version = p_models ->> a.model and last.created_at > a.updated_at
        and (not j.is_new or last.created_at > j.enqueued_at)
      from public.predictions as last
      where last.prediction = a.name and last.row_key = g.row_key and last.status <> 'superseded'
      order by last.created_at desc, last.id desc
      limit 1
    ) is true as answered, g.id = any (v_yielding) as yields
    from judged as g
    -- Less those that ml.yielding has just put off.
    join ml.jobs as j on j.id = g.id and j.run_at <= clock_timestamp()
  ), leased as (
    update ml.jobs as j set
      token = v_token, lease_until = clock_timestamp() + make_interval(secs => m.lease_seconds), input_hash = g.hash
    from settled as g
    where j.id = g.id and g.input is not null and not g.yields and not g.answered
    returning j.id, g.row_key, g.input, j.attempts
  ), dropped as (
    delete from ml.jobs as j using settled as g
    where j.id = g.id and (g.input is null or g.yields or g.answered)
    returning j.row_key, j.owner_id, j.attempts, j.enqueued_at, g.gone, g.input, g.yields
  ), receipts as (
    insert into public.predictions (
      prediction, source_table, row_key, owner_id, model, status, latency_ms, attempts, error, request_id
    )
    select
      a.name, a.source_table::text, d.row_key, d.owner_id, a.model, 'superseded',
      greatest(0, extract(epoch from clock_timestamp() - d.enqueued_at) * 1000), d.attempts,
      case when d.gone then 'ROW_GONE' else 'NO_INPUT' end,
      left(current_setting('rowcast.request_id', true), 200)
    from dropped as d
    where d.input is null and not d.yields
  )
  select l.id, v_token, a.name, a.model, l.row_key, l.input, l.attempts, m.batch_size, m.timeout_ms, m.lease_seconds
  from leased as l;
end
$$;

comment on function ml.lease(smallint, bigint[], text[], jsonb) is
  'Leases jobs of one attachment under a new token, with their inputs as they are now.';
