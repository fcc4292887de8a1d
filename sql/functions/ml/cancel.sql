create or replace function ml.cancel(p_name text, p_row_key text, p_reason text default null)
returns boolean
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_id smallint := (select a.id from ml.attachments as a where a.name = p_name);
  v_ids bigint[];
  v_count integer;
begin
  -- A pending job is waited for: only a claim can hold it, and briefly. Once for each partial index.
  v_ids := array(
    select j.id from ml.jobs as j
    where j.attachment_id = v_id and j.row_key = p_row_key and j.token is null and not j.is_retry
    for update
  ) || array(
    select j.id from ml.jobs as j
    where j.attachment_id = v_id and j.row_key = p_row_key and j.token is null and j.is_retry
    for update
  );
  -- A leased one is taken only if it is free, because its commit may be at work on the very row that the caller has locked;
  -- that commit meets the fence.
  v_ids := v_ids || array(
    select j.id from ml.jobs as j
    where j.attachment_id = v_id and j.row_key = p_row_key and j.token is not null
    for update skip locked
  );

  with gone as (
    delete from ml.jobs as j using ml.attachments as a
    where j.id = any (v_ids) and a.id = j.attachment_id
    returning j.*, a.name, a.source_table, a.model
  )
  insert into public.predictions (
    prediction, source_table, row_key, owner_id, model, status, latency_ms, attempts, error
  )
  select
    g.name, g.source_table::text, g.row_key, g.owner_id, g.model, 'cancelled',
    greatest(0, extract(epoch from clock_timestamp() - g.enqueued_at) * 1000), g.attempts, left(p_reason, 2000)
  from gone as g;
  get diagnostics v_count = row_count;
  return v_count > 0;
end
$$;

comment on function ml.cancel(text, text, text) is
  E'Call off what is owed to a row\n\nAlso while a worker has it: its commit then holds a stale token and changes nothing. False when nothing was owed.';
