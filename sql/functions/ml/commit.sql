-- The fence. Jobs are locked by their token, then the rows in key order; the input is derived again under that lock, and
-- only rows whose hash still matches are written. Everything else is superseded. Definer, as in ml.claim.
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
  v_found_keys text[];
  v_found_hashes bytea[];
  v_fresh_ids bigint[];
  v_fresh_keys text[];
  v_outputs jsonb[];
begin
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

    execute format(
      $q$
      select array_agg(f.row_key), array_agg(f.hash)
      from (
        select t.%1$I::text as row_key, sha256(convert_to(ml.%2$I(t)::text, 'UTF8')) as hash
        from %3$s as t
        where t.%1$I = any ($1::%4$s[])
        order by t.%1$I
        for update
      ) as f
      where f.hash is not null
      $q$,
      a.key_column, a.name || '__input', a.source_table, a.key_type
    ) into v_found_keys, v_found_hashes using v_row_keys;

    select array_agg(j.id), array_agg(j.row_key), array_agg(r.value -> 'output')
    into v_fresh_ids, v_fresh_keys, v_outputs
    from ml.jobs as j
    join unnest(v_found_keys, v_found_hashes) as f (row_key, hash)
      on f.row_key = j.row_key and f.hash = j.input_hash
    join jsonb_array_elements(p_results) as r on (r.value ->> 'job_id')::bigint = j.id
    where j.id = any (v_job_ids);

    if v_fresh_ids is not null then
      execute format('select %s($1, $2, $3)', a.apply_function) using v_fresh_keys, v_outputs, p_model_version;
    end if;

    perform ml.settle(
      a, v_job_ids, coalesce(v_fresh_ids, '{}'), coalesce(v_found_keys, '{}'), p_results, p_model_version,
      coalesce(p_request_id, p_token::text)
    );
  end if;

  -- What the token no longer holds belongs to a later claim, a cancellation or an earlier commit; nothing was written.
  return query
  select
    (r ->> 'job_id')::bigint,
    case
      when (r ->> 'job_id')::bigint = any (v_fresh_ids) then 'done'
      when (r ->> 'job_id')::bigint = any (v_job_ids) then 'superseded'
      else 'stale'
    end
  from jsonb_array_elements(p_results) as r;
end
$$;

comment on function ml.commit(uuid, jsonb, text, text) is
  E'Write a batch of results\n\np_results: [{"job_id", "output", "low", "high"}]. Outcome of each: done, superseded or stale. Rows, receipts and events are one transaction.';
grant execute on function ml.commit(uuid, jsonb, text, text) to rowcast_service;
