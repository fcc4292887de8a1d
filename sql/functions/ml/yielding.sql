-- Rule 3 for jobs that were leased once: of two jobs of a row the older one yields, and never both. The younger one, pending
-- or leased, is only locked if it is free: a writer may hold it to the end of its transaction. Then the older one stays, and
-- ml.lease asks again. One look-up for each partial index, and none for a fresh job: what would be younger has merged into it.
create or replace function ml.yielding(p_job_ids bigint[])
returns bigint[]
language sql
volatile
security invoker
set search_path = ''
as $$
  with candidates as (
    select old.id as old_id, old.is_new, young.id as young_id
    from ml.jobs as old
    cross join lateral (
      select j.id from ml.jobs as j
      where j.attachment_id = old.attachment_id and j.row_key = old.row_key and j.id > old.id
        and j.token is null and not j.is_retry
      union all
      select j.id from ml.jobs as j
      where j.attachment_id = old.attachment_id and j.row_key = old.row_key and j.id > old.id
        and j.token is null and j.is_retry
      union all
      select j.id from ml.jobs as j
      where j.attachment_id = old.attachment_id and j.row_key = old.row_key and j.id > old.id
        and j.token is not null
    ) as young
    where old.id = any (p_job_ids) and (old.is_retry or old.token is not null)
  ), locked as (
    select j.id
    from ml.jobs as j
    where j.id = any (array(select c.young_id from candidates as c))
    order by j.id
    for update skip locked
  ), inherited as (
    update ml.jobs as j set is_new = true
    from candidates as c
    join locked as l on l.id = c.young_id
    where j.id = l.id and c.is_new and not j.is_new
  ), blocked as (
    -- Its younger one is in somebody's hands just now.
    update ml.jobs as j set run_at = clock_timestamp() + interval '1 second'
    from candidates as c
    where j.id = c.old_id and j.token is null
      and not exists (select from locked as l join candidates as x on x.young_id = l.id where x.old_id = j.id)
  )
  select coalesce(array_agg(distinct c.old_id), '{}')
  from candidates as c
  join locked as l on l.id = c.young_id
$$;

comment on function ml.yielding(bigint[]) is
  'Of these jobs, those that yield to a younger job of their row; it inherits that the row is new. A pending one that would, but cannot lock it, is put off for a second.';
