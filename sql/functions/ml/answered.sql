create or replace function ml.answered(
  a ml.attachments,
  p_jobs ml.owed[],
  p_row_keys text[],
  p_hashes bytea[],
  p_model_version text,
  p_since timestamptz default null
)
returns text[]
language plpgsql
volatile
security invoker
set search_path = ''
set enable_seqscan = off
as $$
declare
  v_answered text[];
begin
  select array_agg(j.row_key) into v_answered
  from unnest(p_jobs) as j
  join unnest(p_row_keys, p_hashes) as f (row_key, hash) on f.row_key = j.row_key
  cross join lateral (
    select p.status, p.input_hash, p.model, p.model_version, p.created_at
    from public.predictions as p
    where p.prediction = a.name and p.row_key = j.row_key and p.status <> 'superseded'
    order by p.created_at desc, p.id desc
    limit 1
  ) as last
  where (not j.is_new or last.created_at > coalesce(p_since, j.enqueued_at)) and last.status = 'done'
    and last.input_hash = f.hash and last.model = a.model and last.model_version = p_model_version and last.created_at > a.updated_at;
  return v_answered;
end
$$;

comment on function ml.answered(ml.attachments, ml.owed[], text[], bytea[], text, timestamptz) is
  'Keys of those jobs whose row''s last answer was to this very input, by this version of the model, under the attachment as it is. A row that is new counts only with an answer since p_since, or else since it was owed.';
