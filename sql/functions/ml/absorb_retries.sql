create or replace function ml.absorb_retries(p_attachment_id smallint, p_jobs ml.owed[])
returns ml.owed[]
language plpgsql
volatile
security invoker
set search_path = ''
set enable_seqscan = off
as $$
declare
  v_jobs ml.owed[];
begin
  with gone as (
    delete from ml.retries as r
    where r.ctid = any (array(
      select x.ctid from ml.retries as x
      where x.attachment_id = p_attachment_id
        and x.row_key = any (array(select j.row_key from unnest(p_jobs) as j))
      for update skip locked
    ))
    returning r.row_key, r.is_new
  )
  select array_agg(
    (j.row_key, j.owner_id, j.enqueued_at, j.is_new or coalesce(g.is_new, false), j.is_background,
      j.attempts, j.deferrals, j.suspicion, null)::ml.owed
  )
  into v_jobs
  from unnest(p_jobs) as j
  left join gone as g on g.row_key = j.row_key;
  return v_jobs;
end
$$;

comment on function ml.absorb_retries(smallint, ml.owed[]) is
  'Drops retries of rows that these fresh jobs answer; the jobs, which inherit that the row is new.';
