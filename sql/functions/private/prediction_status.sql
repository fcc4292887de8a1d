-- Definer: reads ml.*, which no API role may; every branch is held to the caller's own rows. The zeros stand for nobody in the
-- queue, so they are refused as a caller.
-- What is owed comes before what was answered. A superseded receipt without a reason says only that an edit came in between,
-- so it never stands before another. Each branch is cut at a thousand by an index that is led by the owner; receipts are looked
-- through ten thousand deep. Custom plans, because each argument decides which index serves; and
-- nothing but index scans, for the queue's statistics are always out of date.
create or replace function private.prediction_status(p_prediction text, p_row_key text)
returns setof public.prediction_state
language plpgsql
stable
security definer
set search_path = ''
set plan_cache_mode = force_custom_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
declare
  v_me constant uuid := nullif(auth.uid(), ml.nobody());
  v_today constant date := (now() at time zone 'UTC')::date;
begin
  if v_me is null then
    raise sqlstate 'PT401' using
      message = 'Sign in first.', detail = 'NOT_SIGNED_IN', hint = 'Send the user''s access token as bearer token.';
  end if;
  return query
  with attached as (
    select a.id, a.name, shut.reason as shut_reason, shut.until as shut_until
    from ml.attachments as a
    join ml.models as m on m.name = a.model
    left join lateral (
      select 'paused' as reason, null::timestamptz as until where a.paused_at is not null
      union all
      select 'provider_fault', m.breaker_until where m.breaker_until > now()
      union all
      select 'budget_spent', (v_today + 1)::timestamp at time zone 'UTC'
      from ml.budgets as b
      left join ml.usage as u on u.model = b.model and u.day = v_today
        and u.owner_id is not distinct from case b.scope when 'owner' then v_me end
      where b.model = m.name and coalesce(case b.unit when 'calls' then u.calls else u.tokens end, 0) >= b.per_day
      limit 1
    ) as shut on true
    where p_prediction is null or a.name = p_prediction
  ), owed as (
    select
      a.name, j.row_key, 1 as rank, 'pending' as status, a.shut_reason as reason, 0 as attempts, j.enqueued_at as since,
      a.shut_until as next_try_at
    from attached as a
    cross join (values (false), (true)) as b (is_background)
    cross join lateral (
      select x.row_key, x.enqueued_at from ml.jobs as x
      where x.attachment_id = a.id and x.is_background = b.is_background and x.owner_id = v_me
        and (p_row_key is null or x.row_key = p_row_key)
      order by x.enqueued_at desc
      limit 1000
    ) as j
    union all
    select a.name, j.row_key, 2, 'running', null, j.attempts, l.leased_at, null
    from attached as a
    join ml.leases as l on l.attachment_id = a.id
    cross join lateral unnest(l.jobs) as j
    where j.owner_id = v_me and (p_row_key is null or j.row_key = p_row_key)
    union all
    select a.name, r.row_key, 3, 'pending', r.reason, r.attempts, r.enqueued_at, greatest(r.run_at, a.shut_until)
    from attached as a
    cross join lateral (
      select x.* from ml.retries as x
      where x.attachment_id = a.id and x.owner_id = v_me and (p_row_key is null or x.row_key = p_row_key)
      order by x.enqueued_at desc
      limit 1000
    ) as r
  ), answered as (
    select
      a.name, p.row_key, 4 + (p.status = 'superseded' and p.error is null)::integer, p.status, p.error, p.attempts, p.created_at,
      null::timestamptz
    from attached as a
    cross join lateral (
      select x.row_key, x.status, x.error, x.attempts, x.created_at from public.predictions as x
      where x.owner_id = v_me and x.prediction = a.name and (p_row_key is null or x.row_key = p_row_key)
      order by x.created_at desc
      limit 10000
    ) as p
    -- Owed, though not among the newest that are owed.
    where not exists (select from ml.jobs as j where j.attachment_id = a.id and j.row_key = p.row_key and j.owner_id = v_me)
      and not exists (select from ml.retries as r where r.attachment_id = a.id and r.row_key = p.row_key and r.owner_id = v_me)
  ), present as (
    select distinct on (x.name, x.row_key) x.*
    from (select * from owed union all select * from answered) as x
    order by x.name, x.row_key, x.rank, x.since desc
  )
  select p.name, p.row_key, p.status, p.reason, p.attempts, p.since, p.next_try_at
  from present as p
  order by p.since desc, p.name, p.row_key
  limit 1000;
end
$$;

comment on function private.prediction_status(text, text) is 'Present state of the caller''s predictions.';
grant execute on function private.prediction_status(text, text) to authenticated;
