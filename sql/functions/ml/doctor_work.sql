create or replace function ml.doctor_work()
returns setof ml.finding
language sql
stable
security invoker
set search_path = ''
as $$
  -- The same test as in ml.claim.
  select
    case when bool_or(a.paused_at is null and x.is_owed) then 'error' else 'warning' end, 'MODEL_NOT_SERVED', m.name,
    format('no living worker serves it; %s', case when bool_or(x.is_owed) then 'jobs wait' else 'nothing is owed now' end),
    case when m.url is null then 'start a service whose ROWCAST_MODELS names it' else 'start a service' end
  from ml.models as m
  join ml.attachments as a on a.model = m.name
  cross join lateral (
    select exists (select from ml.jobs as j where j.attachment_id = a.id)
      or exists (select from ml.retries as r where r.attachment_id = a.id) as is_owed
  ) as x
  where not exists (
    select from ml.workers as w
    where w.seen_at > clock_timestamp() - interval '15 seconds'
      and case when m.url is null then w.models ? m.name else w.models ? '*' end
  )
  group by m.name, m.url
  union all
  select
    'error', 'LEASE_EXPIRED', l.worker,
    format('%s batches ran out, the first at %s, and no worker takes them back', count(*), min(l.lease_until)),
    'start a service, or: select ml.reclaim_expired()'
  from ml.leases as l
  where l.lease_until < clock_timestamp() - interval '1 minute'
    and exists (select from ml.attachments as a where a.id = l.attachment_id)
  group by l.worker
  union all
  select
    'warning', 'BREAKER_OPEN', m.name, format('its provider is away since %s: %s', m.breaker_since, m.breaker_reason),
    format('mend the provider; to ask it now: update ml.models set breaker_until = null where name = %L', m.name)
  from ml.models as m
  where m.breaker_until > clock_timestamp()
    and (m.breaker_since < clock_timestamp() - interval '1 hour' or m.breaker_until > clock_timestamp() + interval '1 hour')
  union all
  select 'warning', 'PAUSED', a.name, format('paused since %s', a.paused_at), format('select ml.resume(%L)', a.name)
  from ml.attachments as a
  where a.paused_at < clock_timestamp() - interval '1 day'
  union all
  select
    'warning', 'BUDGET_SPENT', b.model,
    case b.scope
      when 'model' then format('%s of %s %s are spent until midnight UTC', u.spent, b.per_day, b.unit)
      else format('%s owners have spent their %s %s until midnight UTC', u.owners, b.per_day, b.unit)
    end,
    'wait, or raise per_day in ml.budgets'
  from ml.budgets as b
  cross join lateral (
    select coalesce(max(s.spent), 0) as spent, count(*) filter (where s.spent >= b.per_day) as owners
    from (
      select case b.unit when 'calls' then x.calls else x.tokens end as spent
      from ml.usage as x
      where x.model = b.model and x.day = (clock_timestamp() at time zone 'UTC')::date
        and (x.owner_id is null) = (b.scope = 'model')
    ) as s
  ) as u
  where case b.scope when 'model' then u.spent >= b.per_day else u.owners > 0 end
  union all
  select
    'warning', 'BUDGET_IDLE', b.model, 'its budget counts tokens, which only a remote model has', 'set unit to calls in ml.budgets'
  from ml.budgets as b
  join ml.models as m on m.name = b.model
  where b.unit = 'tokens' and m.url is null
  union all
  -- With many jobs of it waiting, a backfill has reason to pause; see ml.advance_backfills.
  select
    'warning', 'BACKFILL_STUCK', a.name,
    format('%s of about %s rows are enqueued; the last step was at %s', b.enqueued, b.total, b.moved_at),
    format('./rowcast queue backfill %s, and see that ml.advance_backfills is scheduled', a.name)
  from ml.backfills as b
  join ml.attachments as a on a.id = b.attachment_id
  where b.finished_at is null and b.moved_at < clock_timestamp() - interval '10 minutes' and a.paused_at is null
    and (
      select count(*) from (select from ml.jobs as j where j.attachment_id = a.id and j.is_background limit 20000) as x
    ) < 20000
  union all
  select
    'warning', 'JOBS_ORPHANED', x.attachment_id::text, format('%s jobs of an attachment that is gone', count(*)),
    format('select ml.forget_jobs(%s::smallint)', x.attachment_id)
  from (
    select j.attachment_id from ml.jobs as j
    union all
    select r.attachment_id from ml.retries as r
    union all
    select l.attachment_id from ml.leases as l
  ) as x
  where not exists (select from ml.attachments as a where a.id = x.attachment_id)
  group by x.attachment_id
$$;

comment on function ml.doctor_work() is
  'What keeps jobs from being done: workers, breakers, pauses, budgets, backfills; and jobs of nobody.';
