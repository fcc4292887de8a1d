-- Jobs that a commit or a fail has locked are passed over: they are about to leave the lease.
create or replace function ml.heartbeat(p_worker text, p_models jsonb, p_tokens uuid[] default '{}')
returns table (token uuid, jobs integer, queue_depth bigint, oldest_job_seconds double precision)
language sql
volatile
security definer
set search_path = ''
as $$
  with seen as (
    insert into ml.workers as w (name, models) values (p_worker, p_models)
    on conflict (name) do update set seen_at = now(), models = excluded.models
  ), mine as (
    select j.id, m.lease_seconds
    from ml.jobs as j
    join ml.attachments as a on a.id = j.attachment_id
    join ml.models as m on m.name = a.model
    where j.token = any (p_tokens)
    order by j.id
    for update of j skip locked
  ), extended as (
    update ml.jobs as j set lease_until = clock_timestamp() + make_interval(secs => mine.lease_seconds)
    from mine
    where j.id = mine.id
  ), held as (
    select j.token, count(*)::integer as jobs
    from ml.jobs as j
    where j.token = any (p_tokens)
    group by j.token
  ), queue as (
    select count(*) as depth, coalesce(extract(epoch from now() - min(j.enqueued_at)), 0)::double precision as oldest
    from ml.jobs as j
  )
  select h.token, h.jobs, q.depth, q.oldest
  from queue as q
  left join held as h on true
$$;

comment on function ml.heartbeat(text, jsonb, uuid[]) is
  E'Say that a worker lives\n\nExtends the leases of the tokens it holds. A token that does not come back has lost its jobs. Also gives the queue''s depth and the age of its oldest job.';
grant execute on function ml.heartbeat(text, jsonb, uuid[]) to rowcast_service;
