-- A deleted row's job goes with it. Only what is free is taken, so that no DELETE waits for a worker: a claim that has the job
-- just now, or a batch that is running, finds the row gone by itself.
create or replace function ml.drop_gone(p_attachment_id smallint, p_row_keys text[])
returns void
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  with gone as (
    delete from ml.jobs as j
    where j.ctid = any (array(
      select x.ctid from ml.jobs as x
      where x.attachment_id = p_attachment_id and x.row_key = any (p_row_keys)
      for update skip locked
    ))
    returning j.row_key, j.owner_id, j.enqueued_at, 0::smallint as attempts
  ), gone_retries as (
    delete from ml.retries as r
    where r.ctid = any (array(
      select x.ctid from ml.retries as x
      where x.attachment_id = p_attachment_id and x.row_key = any (p_row_keys)
      for update skip locked
    ))
    returning r.row_key, r.owner_id, r.enqueued_at, r.attempts
  )
  insert into public.predictions (
    prediction, source_table, row_key, owner_id, model, status, latency_ms, attempts, error
  )
  select
    a.name, a.source_table::text, g.row_key, nullif(g.owner_id, ml.nobody()), a.model, 'superseded',
    greatest(0, extract(epoch from clock_timestamp() - g.enqueued_at) * 1000), g.attempts, 'ROW_GONE'
  from (select * from gone union all select * from gone_retries) as g
  cross join ml.attachments as a
  where a.id = p_attachment_id;
end
$$;

comment on function ml.drop_gone(smallint, text[]) is 'Takes the jobs of deleted rows out of the queue, with a receipt that says so.';
