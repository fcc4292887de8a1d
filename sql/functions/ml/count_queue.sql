create or replace function ml.count_queue()
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
  select coalesce(jsonb_object_agg(c.attachment_id, to_jsonb(c) - 'attachment_id'), '{}')
  from (
    select
      x.attachment_id,
      coalesce(sum(x.jobs) filter (where x.state = 'pending'), 0) as pending,
      coalesce(sum(x.jobs) filter (where x.state = 'background'), 0) as background,
      coalesce(sum(x.jobs) filter (where x.state = 'waiting'), 0) as waiting,
      coalesce(sum(x.jobs) filter (where x.state = 'running'), 0) as running,
      min(x.oldest) as oldest_at
    from (
      select j.attachment_id, case when j.is_background then 'background' else 'pending' end as state, count(*) as jobs,
        min(j.enqueued_at) as oldest
      from ml.jobs as j
      group by j.attachment_id, j.is_background
      union all
      select r.attachment_id, 'waiting', count(*), min(r.enqueued_at) from ml.retries as r group by r.attachment_id
      union all
      select l.attachment_id, 'running', count(j.row_key), min(j.enqueued_at)
      from ml.leases as l cross join lateral unnest(l.jobs) as j
      where j.row_key is not null
      group by l.attachment_id
    ) as x
    group by x.attachment_id
  ) as c
$$;

comment on function ml.count_queue() is 'Jobs of each attachment by state, and when its oldest was enqueued. Reads the whole queue.';
