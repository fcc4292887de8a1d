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
  ), extended as (
    update ml.jobs as j set lease_until = clock_timestamp() + make_interval(secs => m.lease_seconds)
    from ml.attachments as a
    join ml.models as m on m.name = a.model
    where j.token = any (p_tokens) and j.attachment_id = a.id
    returning j.token
  ), queue as (
    select count(*) as depth, coalesce(extract(epoch from now() - min(j.enqueued_at)), 0)::double precision as oldest
    from ml.jobs as j
  )
  select e.token, e.jobs, q.depth, q.oldest
  from queue as q
  left join (select x.token, count(*)::integer as jobs from extended as x group by x.token) as e on true
$$;

comment on function ml.heartbeat(text, jsonb, uuid[]) is
  E'Say that a worker lives\n\nExtends the leases of the tokens it holds. A token that does not come back has lost its jobs. Also gives the queue''s depth and the age of its oldest job.';
grant execute on function ml.heartbeat(text, jsonb, uuid[]) to rowcast_service;
