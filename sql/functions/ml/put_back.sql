create or replace function ml.put_back(p_job_ids bigint[], p_class text, p_wait interval)
returns integer
language sql
volatile
security invoker
set search_path = ''
as $$
  with taken as (
    delete from ml.jobs as j where j.id = any (p_job_ids)
    returning j.*
  ), back as (
    insert into ml.jobs (id, attachment_id, row_key, owner_id, priority, attempts, deferrals, enqueued_at, run_at)
    select
      t.id, t.attachment_id, t.row_key, t.owner_id, t.priority, t.attempts,
      case when p_class = 'release' then t.deferrals else least(t.deferrals + 1, 32767) end, t.enqueued_at,
      clock_timestamp() + case p_class
        when 'release' then '0'::interval
        when 'provider' then p_wait
        else make_interval(secs => least(300, m.backoff_seconds * 2 ^ least(t.deferrals, 12)) * (0.8 + 0.4 * random()))
      end
    from taken as t
    join ml.attachments as a on a.id = t.attachment_id
    join ml.models as m on m.name = a.model
    on conflict (attachment_id, row_key) where token is null do nothing
  ), hinted as (
    select ml.hint() where p_class = 'release'
  )
  select count(*)::integer + 0 * (select count(*) from hinted)::integer from taken
$$;

comment on function ml.put_back(bigint[], text, interval) is
  'Back to pending without a charge; yields to a newer pending job of the same row.';
