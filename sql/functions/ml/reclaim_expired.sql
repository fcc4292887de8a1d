-- A lease that ran out is a charged failure: whatever killed the worker may have been the job.
create or replace function ml.reclaim_expired(p_limit integer)
returns integer
language sql
volatile
security invoker
set search_path = ''
as $$
  with expired as (
    select j.id
    from ml.jobs as j
    where j.token is not null and j.lease_until < clock_timestamp()
    order by j.lease_until
    limit p_limit
    for update skip locked
  )
  select ml.give_back(array_agg(e.id), 'lease_expired', 'The worker fell silent before it answered.', true, '0'::interval)
  from expired as e
$$;

comment on function ml.reclaim_expired(integer) is 'Takes back jobs whose lease ran out. Returns how many.';
