-- The fence. The lease is locked by its token, then the rows; the input is derived again under that lock, and only rows whose
-- hash still matches are written. Everything else is superseded, but for rows that somebody else has locked: those are put
-- back for a while, uncharged. Definer, as in ml.claim.
create or replace function ml.commit(
  p_token uuid,
  p_outputs jsonb,
  p_model_version text,
  p_positions integer[] default null,
  p_lows double precision[] default null,
  p_highs double precision[] default null,
  p_tokens bigint default null,
  p_request_id text default null
)
returns table (outcome text, jobs integer)
language plpgsql
volatile
security definer
set search_path = ''
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  a ml.attachments;
  l ml.leases;
  v_jobs ml.owed[];
  v_outputs jsonb[];
  v_now record;
  v_fresh_keys text[];
  v_fresh_outputs jsonb[];
  v_done integer;
  v_busy integer := 0;
  v_source text;
begin
  v_outputs := array(select o.value from jsonb_array_elements(p_outputs) with ordinality as o (value, n) order by o.n);
  select x.* into l from ml.leases as x where x.token = p_token for update;
  if not found then
    -- What the token no longer holds belongs to a later claim, a cancellation or an earlier commit; nothing is written.
    return query select 'stale', cardinality(v_outputs);
    return;
  end if;
  v_jobs := case
    when p_positions is null then l.jobs
    else array(select l.jobs[u.n] from unnest(p_positions) with ordinality as u (n, place) order by u.place)
  end;
  if cardinality(v_outputs) <> cardinality(v_jobs)
    or (p_positions is not null and cardinality(p_positions) <> (select count(distinct n) from unnest(p_positions) as n))
  then
    raise sqlstate 'PT422' using
      message = 'There must be one output for each position.', detail = 'WRONG_LENGTH', hint = 'Commit as many as were leased.';
  end if;
  select x.* into strict a from ml.attachments as x where x.id = l.attachment_id;
  v_source := a.source_table::text;

  execute format('select r.* from ml.%I($1, true) as r', a.name || '__read') into v_now
  using array(select j.row_key from unnest(v_jobs) as j where j.row_key is not null);
  select array_agg(j.row_key), array_agg(j.output) into v_fresh_keys, v_fresh_outputs
  from unnest(v_jobs, v_outputs) as j (
    row_key, owner_id, enqueued_at, is_new, is_background, attempts, deferrals, suspicion, input_hash, output
  )
  join unnest(v_now.row_keys, v_now.hashes) as f (row_key, hash) on f.row_key = j.row_key and f.hash = j.input_hash;
  v_done := coalesce(cardinality(v_fresh_keys), 0);

  if v_done > 0 then
    execute format('select %s($1, $2, $3)', a.apply_function) using v_fresh_keys, v_fresh_outputs, p_model_version;
    insert into public.predictions (
      prediction, source_table, row_key, owner_id, model, model_version, status, input_hash, output, interval_low,
      interval_high, latency_ms, attempts, request_id
    )
    select
      a.name, v_source, j.row_key, nullif(j.owner_id, ml.nobody()), a.model, p_model_version, 'done', j.input_hash,
      j.output, j.low, j.high, greatest(0, extract(epoch from clock_timestamp() - j.enqueued_at) * 1000), j.attempts,
      left(coalesce(p_request_id, l.request_id), 200)
    from unnest(v_jobs, v_outputs, p_lows, p_highs) as j (
      row_key, owner_id, enqueued_at, is_new, is_background, attempts, deferrals, suspicion, input_hash, output, low, high
    )
    join unnest(v_fresh_keys) as f (row_key) on f.row_key = j.row_key;
  end if;

  if p_positions is null then
    delete from ml.leases as x where x.token = p_token;
  else
    perform ml.settle(l, p_positions);
  end if;
  -- Before anything is given back, as in a claim: the day's sum is locked first, retries after it.
  if p_tokens is not null then
    perform ml.spend(a.model, v_jobs, 0, p_tokens);
  end if;
  if v_done < cardinality(v_jobs) then
    v_busy := ml.settle_unanswered(
      a, l, array(select j from unnest(v_jobs) as j where v_done = 0 or j.row_key <> all (v_fresh_keys)), v_now.row_keys, v_now.hashes,
      p_model_version
    );
  end if;

  outcome := 'done';
  jobs := v_done;
  if v_done > 0 then
    return next;
  end if;
  if v_done < cardinality(v_jobs) then
    return query
    select c.outcome, c.jobs
    from (select count(j.row_key)::integer as held, count(*)::integer as asked from unnest(v_jobs) as j) as n
    cross join lateral (
      values ('busy', v_busy), ('superseded', n.held - v_done - v_busy), ('stale', n.asked - n.held)
    ) as c (outcome, jobs)
    where c.jobs > 0;
  end if;
end
$$;

comment on function ml.commit(uuid, jsonb, text, integer[], double precision[], double precision[], bigint, text) is
  E'Write a batch of results\n\np_outputs: a JSON array, one output for each position of the lease, or for each of p_positions. p_lows and p_highs alike, where the model has intervals; p_tokens as the provider counted. Returns how many were done, superseded, busy or stale. Rows, receipts and events are one transaction.';
grant execute on function ml.commit(uuid, jsonb, text, integer[], double precision[], double precision[], bigint, text) to rowcast_service;
