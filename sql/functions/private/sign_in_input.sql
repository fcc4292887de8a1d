-- Everything here came before the sign-in, so the answer does not change with what comes after it. What the owner disowned is no
-- part of the past: a thief's visits teach nothing. Devices and addresses are given as codes, 0 for this sign-in's own,
-- equal ones equal, -1 not known; no hash leaves the database. Its Python twin is py/rowcast/models/signin_history.py.
create or replace function private.sign_in_input(t public.login_events)
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
  select jsonb_build_object(
    'at', extract(epoch from t.at)::bigint, 'lat', t.cell_lat, 'lng', t.cell_lng,
    'scripted', coalesce(t.user_agent_family = 'script', false),
    'device_known', t.device_hash is not null, 'address_known', t.ip_hash is not null,
    'failures_here', f.here, 'failures_elsewhere', f.elsewhere,
    'address_tried', private.people_at_address(t.ip_hash, t.user_id, t.at - interval '1 day', t.at, false),
    'address_shared', private.people_at_address(t.ip_hash, t.user_id, t.at - interval '400 days', t.at, true),
    'past', h.past
  )
  from (
    select case when count(*) = 0 then '{}' else jsonb_build_object(
      'at', jsonb_agg(extract(epoch from p.at)::bigint order by p.n),
      'lat', jsonb_agg(p.cell_lat order by p.n), 'lng', jsonb_agg(p.cell_lng order by p.n),
      'device', jsonb_agg(p.device order by p.n), 'address', jsonb_agg(p.address order by p.n)
    ) end as past
    from (
      select
        e.at, e.cell_lat, e.cell_lng, e.n,
        case when e.device_hash is null then -1 when e.device_hash = t.device_hash then 0
          else min(e.n) over (partition by e.device_hash) end as device,
        case when e.ip_hash is null then -1 when e.ip_hash = t.ip_hash then 0
          else min(e.n) over (partition by e.ip_hash) end as address
      from (
        select s.*, row_number() over (order by s.at desc, s.id desc) as n
        from public.login_events as s
        where s.user_id = t.user_id and s.succeeded and s.confirmed is not false and (s.at, s.id) < (t.at, t.id)
        order by s.at desc, s.id desc
        limit 50
      ) as e
    ) as p
  ) as h
  cross join (
    -- A failure that the same address made good within an hour was the person's own.
    select
      count(*) filter (where e.ip_hash = t.ip_hash and e.at >= t.at - interval '1 hour') as here,
      count(*) filter (where e.ip_hash is distinct from t.ip_hash and not exists (
        select from public.login_events as s
        where s.user_id = t.user_id and s.succeeded and s.ip_hash = e.ip_hash
          and s.at >= e.at and s.at < least(t.at, e.at + interval '1 hour')
      )) as elsewhere
    from (
      select x.ip_hash, x.at from public.login_events as x
      where x.user_id = t.user_id and not x.succeeded and x.at >= t.at - interval '7 days' and x.at < t.at
      order by x.at desc
      limit 100
    ) as e
  ) as f;
$$;

comment on function private.sign_in_input(public.login_events) is
  'What the sign-in model is told of a sign-in: when, where, and what came before it.';
