-- What a commit could not write. A row that somebody has locked is asked again later, uncharged. A superseded row whose edit did
-- not enqueue (its input depends on more than the watched columns) is owed again, at the cost of an attempt, so that an
-- expression that never holds still ends among the dead letters rather than in a loop.
create or replace function ml.settle_unanswered(
  a ml.attachments,
  l ml.leases,
  p_jobs ml.owed[],
  p_locked_keys text[],
  p_hashes bytea[],
  p_model_version text
)
returns integer
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  m ml.models;
  v_present record;
  v_busy ml.owed[];
  v_settled text[];
  v_unstable ml.owed[];
begin
  select x.* into strict m from ml.models as x where x.name = a.model;
  execute format('select r.* from ml.%I($1, false) as r', a.name || '__read') into v_present
  using array(select j.row_key from unnest(p_jobs) as j where p_locked_keys is null or j.row_key <> all (p_locked_keys));
  v_busy := array(select j from unnest(p_jobs) as j where j.row_key = any (v_present.row_keys));
  perform ml.give_back(a, m, v_busy, 'row_busy', null, false, p_leased_at => l.leased_at, p_request_id => l.request_id);

  -- The row was there, with an input, and its last answer was not to what it holds now.
  v_settled := ml.answered(
    a, array(select j from unnest(p_jobs) as j where j.row_key is not null), p_locked_keys, p_hashes, p_model_version, l.leased_at
  );
  v_unstable := array(
    select j from unnest(p_jobs) as j
    join unnest(p_locked_keys, p_hashes) as f (row_key, hash) on f.row_key = j.row_key and f.hash is not null
    where v_settled is null or j.row_key <> all (v_settled)
  );
  perform ml.give_back(
    a, m, v_unstable, 'input_unstable', 'The input changes though no watched column does.', true,
    p_leased_at => l.leased_at, p_request_id => l.request_id
  );

  insert into public.predictions (
    prediction, source_table, row_key, owner_id, model, model_version, status, input_hash, latency_ms, attempts, request_id
  )
  select
    a.name, a.source_table::text, j.row_key, nullif(j.owner_id, ml.nobody()), a.model, p_model_version, 'superseded',
    j.input_hash, greatest(0, extract(epoch from clock_timestamp() - j.enqueued_at) * 1000), j.attempts,
    left(l.request_id, 200)
  from unnest(p_jobs) as j
  where j.row_key is not null and (v_present.row_keys is null or j.row_key <> all (v_present.row_keys));
  return cardinality(v_busy);
end
$$;

comment on function ml.settle_unanswered(ml.attachments, ml.leases, ml.owed[], text[], bytea[], text) is
  'Ends the jobs of a commit whose rows are gone, changed or locked. Returns how many were locked.';
