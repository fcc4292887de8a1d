-- The fence. Jobs are locked by their token, then the rows; the input is derived again under that lock, and only rows whose
-- hash still matches are written. Everything else is superseded, but for rows that somebody else has locked: those are put
-- back for a while, uncharged. Definer, as in ml.claim.
create or replace function ml.commit(
  p_token uuid,
  p_results jsonb,
  p_model_version text,
  p_request_id text default null
)
returns table (job_id bigint, outcome text)
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  a ml.attachments;
  v_job_ids bigint[];
  v_row_keys text[];
  v_locked_keys text[];
  v_inputs jsonb[];
  v_fresh_ids bigint[];
  v_fresh_keys text[];
  v_outputs jsonb[];
  v_busy_ids bigint[];
begin
  perform set_config('rowcast.request_id', coalesce(p_request_id, p_token::text), true);
  -- A token is one claim of one attachment.
  with mine as (
    select j.id, j.row_key, j.attachment_id
    from ml.jobs as j
    where j.token = p_token
      and j.id = any (array(select (r ->> 'job_id')::bigint from jsonb_array_elements(p_results) as r))
    order by j.id
    for update
  )
  select array_agg(m.id), array_agg(m.row_key), min(m.attachment_id)
  into v_job_ids, v_row_keys, a.id
  from mine as m;

  if v_job_ids is not null then
    select x.* into strict a from ml.attachments as x where x.id = a.id;
    select array_agg(r.row_key), array_agg(r.input) into v_locked_keys, v_inputs
    from ml.read_inputs(a, v_row_keys, true) as r;

    select array_agg(j.id), array_agg(j.row_key), array_agg(r.value -> 'output')
    into v_fresh_ids, v_fresh_keys, v_outputs
    from ml.jobs as j
    join unnest(v_locked_keys, v_inputs) as f (row_key, input)
      on f.row_key = j.row_key and sha256(convert_to(f.input::text, 'UTF8')) = j.input_hash
    join jsonb_array_elements(p_results) as r on (r.value ->> 'job_id')::bigint = j.id
    where j.id = any (v_job_ids);

    if v_fresh_ids is not null then
      execute format('select %s($1, $2, $3)', a.apply_function) using v_fresh_keys, v_outputs, p_model_version;
    end if;

    if cardinality(v_locked_keys) is distinct from cardinality(v_row_keys) then
      v_busy_ids := ml.busy_jobs(a, v_job_ids, v_locked_keys);
      perform ml.give_back(v_busy_ids, 'row_busy', null, false);
    end if;
    perform ml.settle(a, v_job_ids, coalesce(v_fresh_ids, '{}'), v_locked_keys, v_inputs, p_results, p_model_version);
  end if;

  -- What the token no longer holds belongs to a later claim, a cancellation or an earlier commit; nothing was written.
  return query
  select
    (r ->> 'job_id')::bigint,
    case
      when (r ->> 'job_id')::bigint = any (v_fresh_ids) then 'done'
      when (r ->> 'job_id')::bigint = any (v_busy_ids) then 'busy'
      when (r ->> 'job_id')::bigint = any (v_job_ids) then 'superseded'
      else 'stale'
    end
  from jsonb_array_elements(p_results) as r;
end
$$;

comment on function ml.commit(uuid, jsonb, text, text) is
  E'Write a batch of results\n\np_results: [{"job_id", "output", "low", "high"}]. Outcome of each: done, superseded, busy or stale. Rows, receipts and events are one transaction.';
grant execute on function ml.commit(uuid, jsonb, text, text) to rowcast_service;
