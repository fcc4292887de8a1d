create or replace function ml.cancel(p_name text, p_row_key text, p_reason text default null)
returns boolean
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  a ml.attachments;
  l ml.leases;
  v_position integer;
  v_jobs ml.owed[] := '{}';
begin
  select x.* into a from ml.attachments as x where x.name = p_name;
  -- A pending job is waited for: only a claim can hold it, and briefly.
  with gone as (
    delete from ml.jobs as j where j.attachment_id = a.id and j.row_key = p_row_key returning j.*
  ), gone_retries as (
    delete from ml.retries as r where r.attachment_id = a.id and r.row_key = p_row_key returning r.*
  )
  select coalesce(array_agg(x.job), '{}') into v_jobs
  from (
    select (g.row_key, g.owner_id, g.enqueued_at, g.is_new, g.is_background, 0, 0, 0, null)::ml.owed as job from gone as g
    union all
    select (g.row_key, g.owner_id, g.enqueued_at, g.is_new, g.is_background, g.attempts, 0, 0, null)::ml.owed from gone_retries as g
  ) as x;

  -- A running one is taken only if its batch is free, because that may be committing to the very row that the caller has locked;
  -- such a commit meets the fence.
  for l in
    select x.* from ml.leases as x
    where x.attachment_id = a.id and p_row_key = any (array(select j.row_key from unnest(x.jobs) as j))
    for update skip locked
  loop
    select u.n into v_position from generate_subscripts(l.jobs, 1) as u (n) where (l.jobs[u.n]).row_key = p_row_key;
    v_jobs := v_jobs || l.jobs[v_position];
    perform ml.settle(l, array[v_position]);
  end loop;

  insert into public.predictions (
    prediction, source_table, row_key, owner_id, model, status, latency_ms, attempts, error
  )
  select
    a.name, a.source_table::text, j.row_key, nullif(j.owner_id, ml.nobody()), a.model, 'cancelled',
    greatest(0, extract(epoch from clock_timestamp() - j.enqueued_at) * 1000), j.attempts, left(p_reason, 2000)
  from unnest(v_jobs) as j;
  return v_jobs <> '{}';
end
$$;

comment on function ml.cancel(text, text, text) is
  E'Call off what is owed to a row\n\nAlso while a worker has it: its commit then finds the place empty and changes nothing. False when nothing was owed.';
