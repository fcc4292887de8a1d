-- The inputs are read first, since only that can fail for a row's sake. A job is dropped without a call when its row is gone or
-- has no input (superseded), or when the row's last answer was to the same input, by the same model in the same version, under
-- the same attachment.
create or replace function ml.lease(
  a ml.attachments,
  m ml.models,
  p_jobs ml.owed[],
  p_retries boolean,
  p_size integer,
  p_worker text,
  p_model_version text,
  p_request_id text
)
returns table (token uuid, size integer, inputs text)
language plpgsql
volatile
security invoker
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_found record;
  v_answered text[];
begin
  v_found := ml.read_inputs(a, m, p_jobs, p_request_id);
  if v_found.failed is not null then
    p_jobs := array(select j from unnest(p_jobs) as j where j.row_key <> all (v_found.failed));
  end if;
  if p_retries then
    p_jobs := ml.let_overtake(a, m, p_jobs);
  end if;
  -- What is new and has not been away cannot have been answered.
  if p_retries or exists (select from unnest(p_jobs) as j where not j.is_new) then
    v_answered := ml.answered(a, p_jobs, v_found.row_keys, v_found.hashes, p_model_version);
  end if;

  return query
  with read as (
    select j.*, f.input, f.hash, row_number() over (order by j.ordinality) as n
    from unnest(p_jobs) with ordinality as j
    join unnest(v_found.row_keys, v_found.inputs, v_found.hashes) as f (row_key, input, hash) on f.row_key = j.row_key
    where f.input is not null and (v_answered is null or j.row_key <> all (v_answered))
  ), batches as (
    select
      gen_random_uuid() as token, count(*)::integer as size, '[' || string_agg(r.input, ',') || ']' as inputs,
      array_agg(
        (r.row_key, r.owner_id, r.enqueued_at, r.is_new, r.is_background, r.attempts, r.deferrals, r.suspicion, r.hash)::ml.owed
      ) as jobs
    from read as r
    group by (r.n - 1) / p_size
  ), leased as (
    insert into ml.leases (token, attachment_id, worker, request_id, lease_until, jobs)
    select
      b.token, a.id, p_worker, p_request_id, clock_timestamp() + make_interval(secs => m.lease_seconds), b.jobs
    from batches as b
  )
  select b.token, b.size, b.inputs from batches as b;

  if exists (select from ml.budgets as b where b.model = m.name) then
    perform ml.spend(m.name, array(
      select j from unnest(p_jobs) as j
      join unnest(v_found.row_keys, v_found.inputs) as f (row_key, input) on f.row_key = j.row_key
      where f.input is not null and (v_answered is null or j.row_key <> all (v_answered))
    ), 1, 0);
  end if;
  -- Rows that are gone, or have no input.
  if p_retries or coalesce(cardinality(v_found.row_keys), 0) < cardinality(p_jobs)
    or array_position(v_found.inputs, null) is not null
  then
    insert into public.predictions (
      prediction, source_table, row_key, owner_id, model, status, latency_ms, attempts, error, request_id
    )
    select
      a.name, a.source_table::text, j.row_key, nullif(j.owner_id, ml.nobody()), a.model, 'superseded',
      greatest(0, extract(epoch from clock_timestamp() - j.enqueued_at) * 1000), j.attempts,
      case when f.row_key is null then 'ROW_GONE' else 'NO_INPUT' end, left(p_request_id, 200)
    from unnest(p_jobs) as j
    left join unnest(v_found.row_keys, v_found.inputs) as f (row_key, input) on f.row_key = j.row_key
    where f.input is null;
  end if;
end
$$;

comment on function ml.lease(ml.attachments, ml.models, ml.owed[], boolean, integer, text, text, text) is
  'Leases jobs of one attachment, p_size under a token, with their inputs as they are now: a JSON array in the order of the lease''s positions.';
