-- The inputs are read first, since only that can fail for a row's sake. A job is dropped without a call when its row is gone or
-- has no input (superseded), or when the row's last answer was to the same input, by the same model in the same version, under
-- the same attachment.
create or replace function ml.lease(
  a ml.attachments,
  m ml.models,
  p_jobs ml.owed[],
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
  v_token constant uuid := gen_random_uuid();
  v_found record;
  v_jobs ml.owed[];
  v_inputs text;
  v_answered text[];
begin
  v_found := ml.read_inputs(a, m, p_jobs, p_request_id);
  if v_found.failed is not null then
    p_jobs := array(select j from unnest(p_jobs) as j where j.row_key <> all (v_found.failed));
  end if;
  if exists (select from unnest(p_jobs) as j where not j.is_new) then
    v_answered := ml.answered(a, p_jobs, v_found.row_keys, v_found.hashes, p_model_version);
  end if;

  with read as (
    select j.*, f.input, f.hash
    from unnest(p_jobs) as j
    left join unnest(v_found.row_keys, v_found.inputs, v_found.hashes) as f (row_key, input, hash) on f.row_key = j.row_key
  )
  select
    array_agg(
      (r.row_key, r.owner_id, r.enqueued_at, r.is_new, r.is_background, r.attempts, r.deferrals, r.suspicion, r.hash)::ml.owed
    ),
    '[' || string_agg(r.input, ',') || ']'
  into v_jobs, v_inputs
  from read as r
  where r.input is not null and (v_answered is null or r.row_key <> all (v_answered));

  if v_jobs is not null then
    insert into ml.leases (token, attachment_id, worker, request_id, lease_until, jobs)
    values (
      v_token, a.id, p_worker, p_request_id, clock_timestamp() + make_interval(secs => m.lease_seconds), v_jobs
    );
    perform ml.spend(m.name, v_jobs, 1, 0);
    token := v_token;
    size := cardinality(v_jobs);
    inputs := v_inputs;
    return next;
  end if;

  if cardinality(p_jobs) > coalesce(cardinality(v_jobs), 0) then
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

comment on function ml.lease(ml.attachments, ml.models, ml.owed[], text, text, text) is
  'Leases jobs of one attachment under a new token, with their inputs as they are now: a JSON array in the order of the lease''s positions.';
