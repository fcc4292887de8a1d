-- Purpose: sign-ins with where and what they came from, coarsely, and the risk that each was somebody else's.
-- Locks and risks: a short SHARE ROW EXCLUSIVE lock on auth.sessions while the trigger is created.
-- Undo: select ml.detach('sign_in_risk'); drop trigger _100_record_sign_in on auth.sessions; drop tables public.login_events,
-- private.ip_networks, private.sign_in_policy, the functions and the type below; unschedule rowcast-forget-sign-ins.

-- Not partitioned: a prediction needs a key of one column, and a sign-in is too rare a thing for deletes to be felt.
create table public.login_events (
  id bigint generated always as identity constraint login_events_pkey primary key,
  user_id uuid not null constraint login_events_user_id_fkey references auth.users (id) on delete cascade,
  session_id uuid,
  at timestamptz not null default clock_timestamp(),
  succeeded boolean not null,
  country text constraint login_events_country_check check (country ~ '^[A-Z]{2}$'),
  cell_lat double precision constraint login_events_cell_lat_check check (cell_lat between -90 and 90.25),
  cell_lng double precision constraint login_events_cell_lng_check check (cell_lng between -180 and 180.25),
  ip_hash bytea constraint login_events_ip_hash_check check (length(ip_hash) = 16),
  device_hash bytea constraint login_events_device_hash_check check (length(device_hash) = 16),
  user_agent_family text,
  risk double precision constraint login_events_risk_check check (risk between 0 and 1),
  reasons text[],
  model_version text,
  alarmed boolean not null default false,
  confirmed boolean,
  confirmed_at timestamptz
);

comment on table public.login_events is
  E'Who signed in or failed to, and how likely it was somebody else.\n\nWritten by triggers, Auth''s hook, the prediction pipeline and report_sign_in only. Kept for 400 days.';
comment on column public.login_events.id is 'The sign-in.';
comment on column public.login_events.user_id is 'Whose account.';
comment on column public.login_events.session_id is 'The session that it began; NULL for a failure.';
comment on column public.login_events.at is 'When, by the database''s clock.';
comment on column public.login_events.succeeded is 'Whether somebody got in.';
comment on column public.login_events.country is 'Country of the network, ISO 3166; NULL where it is not known.';
comment on column public.login_events.cell_lat is 'Latitude of the middle of a cell of half a degree, about 50 km.';
comment on column public.login_events.cell_lng is 'Longitude of the middle of that cell.';
comment on column public.login_events.ip_hash is 'Address under a secret key: equal for equal addresses, not to be turned back.';
comment on column public.login_events.device_hash is 'Person and user agent without versions under that key.';
comment on column public.login_events.user_agent_family is 'Browser''s name, app, script or other, as the client named itself.';
comment on column public.login_events.risk is 'Probability that it was somebody else; NULL until the model answered, and for failures.';
comment on column public.login_events.reasons is 'What speaks for it most, the strongest first.';
comment on column public.login_events.model_version is 'Which version of the model.';
comment on column public.login_events.alarmed is 'Whether the risk reached the threshold while the sign-in was fresh.';
comment on column public.login_events.confirmed is 'The owner''s word: true, it was me.';
comment on column public.login_events.confirmed_at is 'When the owner said so.';

create index login_events_user_id_at_idx on public.login_events (user_id, at, id);
-- Each kind alone, so that a flood of failures cannot make the past slow to read.
create index login_events_user_id_at_succeeded_idx on public.login_events (user_id, at, id) where succeeded;
create index login_events_user_id_at_failed_idx on public.login_events (user_id, at) where not succeeded;
create index login_events_ip_hash_idx on public.login_events (ip_hash, succeeded, at);
create index login_events_at_idx on public.login_events (at);

alter table public.login_events enable row level security;

-- Data that an operator loads with `./rowcast load-networks`; without it every place is unknown.
create table private.ip_networks (
  network inet not null constraint ip_networks_pkey primary key,
  country text constraint ip_networks_country_check check (country ~ '^[A-Z]{2}$'),
  lat double precision constraint ip_networks_lat_check check (lat between -90 and 90),
  lng double precision constraint ip_networks_lng_check check (lng between -180 and 180)
);

comment on table private.ip_networks is 'Where networks are. The smallest that holds an address counts.';

create index ip_networks_network_idx on private.ip_networks using gist (network inet_ops);

alter table private.ip_networks enable row level security;

create table private.sign_in_policy (
  id boolean not null default true constraint sign_in_policy_pkey primary key constraint sign_in_policy_id_check check (id),
  alarm_from double precision not null constraint sign_in_policy_alarm_from_check check (alarm_from between 0 and 1),
  keep_days integer not null default 400 constraint sign_in_policy_keep_days_check check (keep_days between 1 and 4000)
);

comment on table private.sign_in_policy is
  'One row: the risk from which on people are told (the artefact''s `alarm_from`: one false alarm in a hundred), and days of keep.';

insert into private.sign_in_policy (alarm_from) values (0.049249);

alter table private.sign_in_policy enable row level security;

create type public.sign_in_quality as (
  sign_ins bigint, scored bigint, alarms bigint, alarms_not_me bigint, alarms_was_me bigint, missed bigint,
  confirmed_share numeric, alarm_share numeric
);
comment on type public.sign_in_quality is 'Answer of sign_in_quality().';

-- The key is drawn here and never leaves the Vault; drawing it anew makes every device and address new.
do $$
begin
  if not exists (select from vault.secrets as s where s.name = 'rowcast_sign_in_key') then
    perform vault.create_secret(
      encode(extensions.gen_random_bytes(32), 'hex'), 'rowcast_sign_in_key', 'Key of the hashes in public.login_events.'
    );
  end if;
end
$$;

-- file: sql/policies/login_events.sql
-- People read their own; holders of users.read ask user_sign_ins: with "or has a permission" here, everybody's would be looked through for
-- each. Written by triggers, the hook and the pipeline only.
revoke all on public.login_events from anon, authenticated, service_role;
grant select on public.login_events to authenticated, service_role;

drop policy if exists "people read their own sign-ins" on public.login_events;
create policy "people read their own sign-ins" on public.login_events
for select to authenticated
using (user_id = (select auth.uid()));
-- end file

-- file: sql/functions/private/coarse_degrees.sql
-- Its Python twin is coarse() in py/rowcast/models/signin_history.py.
create or replace function private.coarse_degrees(p_degrees double precision)
returns double precision
language sql
immutable
parallel safe
security invoker
set search_path = ''
return floor(p_degrees * 2) / 2 + 0.25;

comment on function private.coarse_degrees(double precision) is 'The middle of the half degree, about 50 km, that holds a coordinate.';
-- end file

-- file: sql/functions/private/keyed_hash.sql
-- Keyed, because there are so few addresses that a plain hash of each could be written down. Without the key nothing is kept.
create or replace function private.keyed_hash(p_text text)
returns bytea
language sql
stable
security invoker
set search_path = ''
as $$
  select substr(extensions.hmac(convert_to(p_text, 'UTF8'), convert_to(s.decrypted_secret, 'UTF8'), 'sha256'), 1, 16)
  from vault.decrypted_secrets as s
  where s.name = 'rowcast_sign_in_key' and p_text is not null;
$$;

comment on function private.keyed_hash(text) is 'HMAC-SHA256 under the Vault''s rowcast_sign_in_key, 16 bytes; NULL without the key.';
-- end file

-- file: sql/functions/private/locate_ip.sql
-- The smallest network that holds the address; a GiST index finds all that do, which are a few.
create or replace function private.locate_ip(p_ip inet, out country text, out cell_lat double precision, out cell_lng double precision)
language sql
stable
security invoker
set search_path = ''
as $$
  select n.country, private.coarse_degrees(n.lat), private.coarse_degrees(n.lng)
  from private.ip_networks as n
  where n.network operator(pg_catalog.>>=) p_ip
  order by masklen(n.network) desc
  limit 1;
$$;

comment on function private.locate_ip(inet) is 'Where an address is, as far as private.ip_networks knows; NULLs where it does not.';
-- end file

-- file: sql/functions/private/user_agent_family.sql
-- The order matters: most browsers also claim to be the ones below them.
create or replace function private.user_agent_family(p_user_agent text)
returns text
language sql
immutable
parallel safe
security invoker
set search_path = ''
return case
  when p_user_agent is null or p_user_agent = '' then null
  when p_user_agent ~* '^(curl|wget|python|go-http|java/|libwww|axios|node|ruby|php|postman|apache-http|httpie)' then 'script'
  when p_user_agent ~* '(okhttp|cfnetwork|dart/|electron|reactnative)' then 'app'
  when p_user_agent ~* '(edg|edge|edgios|edga)/' then 'edge'
  when p_user_agent ~* '(opr|opera)/' then 'opera'
  when p_user_agent ~* 'samsungbrowser/' then 'samsung'
  when p_user_agent ~* '(firefox|fxios)/' then 'firefox'
  when p_user_agent ~* '(chrome|chromium|crios)/' then 'chrome'
  when p_user_agent ~* 'safari/' then 'safari'
  else 'other'
end;

comment on function private.user_agent_family(text) is 'The kind of client: a browser''s name, app, script or other; NULL when it named none.';
-- end file

-- file: sql/functions/private/record_sign_in.sql
-- An IPv6 address counts by its /64, since phones change the rest every day. A device is the user agent without its versions;
-- the person is hashed along, so that no two people's devices can be compared.
create or replace function private.record_sign_in(
  p_user_id uuid, p_session_id uuid, p_succeeded boolean, p_ip inet, p_user_agent text
)
returns void
language sql
volatile
security invoker
set search_path = ''
as $$
  insert into public.login_events (
    user_id, session_id, succeeded, country, cell_lat, cell_lng, ip_hash, device_hash, user_agent_family
  )
  select
    p_user_id, p_session_id, p_succeeded, l.country, l.cell_lat, l.cell_lng,
    private.keyed_hash(host(network(set_masklen(p_ip, case family(p_ip) when 6 then 64 else 32 end)))),
    private.keyed_hash(p_user_id || ' ' || regexp_replace(left(nullif(p_user_agent, ''), 500), '[0-9]+', '', 'g')),
    private.user_agent_family(left(p_user_agent, 500))
  from (select) as one
  left join lateral private.locate_ip(p_ip) as l on true;
$$;

comment on function private.record_sign_in(uuid, uuid, boolean, inet, text) is
  'Notes a sign-in: of the address and the user agent only what cannot be turned back.';
-- end file

-- file: sql/functions/private/tg_sessions__record_sign_in.sql
-- Definer: the Auth server's role may not write here. Called by its trigger only.
-- A note is a convenience and a sign-in is not: whatever goes wrong becomes a warning, and nobody waits long for a lock.
create or replace function private.tg_sessions__record_sign_in()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '500ms'
as $$
begin
  perform private.record_sign_in(new.user_id, new.id, true, new.ip, new.user_agent);
  return null;
exception when others then
  raise warning 'sign-in of account % is not noted: %', new.user_id, sqlerrm;
  return null;
end
$$;

comment on function private.tg_sessions__record_sign_in() is 'Notes each new session as a sign-in; never refuses it.';
-- end file

-- file: sql/functions/private/hook_password_verification_attempt.sql
-- Auth calls this under its own role at each password, right or wrong, within two seconds, and refuses the sign-in when it raises;
-- so it never does. Right ones are noted by their session. Strangers can call it as often as Auth lets them guess: from the
-- sixtieth failure within an hour on, an account's are no longer written down. Definer: Auth's role may not write here.
create or replace function private.hook_password_verification_attempt(event jsonb)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '500ms'
as $$
declare
  v_user_id uuid;
  v_ip inet;
begin
  if (event ->> 'valid') is distinct from 'false' then
    return '{"decision": "continue"}';
  end if;
  v_user_id := (event ->> 'user_id')::uuid;
  if (
    select count(*) from (
      select from public.login_events as e
      where e.user_id = v_user_id and not e.succeeded and e.at > now() - interval '1 hour'
      limit 60
    ) as recent
  ) < 60 then
    -- A cast inside one statement with its check would be computed before the check.
    if pg_input_is_valid(event #>> '{metadata,ip_address}', 'inet') then
      v_ip := event #>> '{metadata,ip_address}';
    end if;
    perform private.record_sign_in(v_user_id, null, false, v_ip, null);
  end if;
  return '{"decision": "continue"}';
exception when others then
  raise warning 'a failed password is not noted: %', sqlerrm;
  return '{"decision": "continue"}';
end
$$;

comment on function private.hook_password_verification_attempt(jsonb) is
  'Auth''s password verification hook: notes failures, and always lets Auth go on.';
grant execute on function private.hook_password_verification_attempt(jsonb) to supabase_auth_admin;
-- end file

-- file: sql/functions/private/people_at_address.sql
-- The newest thousand rows of the address are counted, so that a busy one costs no more.
create or replace function private.people_at_address(
  p_ip_hash bytea, p_except uuid, p_from timestamptz, p_before timestamptz, p_succeeded boolean
)
returns bigint
language sql
stable
security invoker
set search_path = ''
as $$
  select count(distinct e.user_id) from (
    select x.user_id from public.login_events as x
    where x.ip_hash = p_ip_hash and x.at >= p_from and x.at < p_before and x.succeeded = p_succeeded and x.user_id <> p_except
    order by x.at desc
    limit 1000
  ) as e;
$$;

comment on function private.people_at_address(bytea, uuid, timestamptz, timestamptz, boolean) is
  'How many other people signed in, or failed to, from an address within a time.';
-- end file

-- file: sql/functions/private/sign_in_input.sql
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
-- end file

-- file: sql/functions/private/tell_of_sign_in.sql
-- private.notify comes with a later migration, which is there before anything is predicted. A message that cannot be written must
-- not undo the batch of risks that it belongs to.
create or replace function private.tell_of_sign_in(p_user_id uuid, p_data jsonb)
returns void
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  perform private.notify(
    p_user_id, 'account', p_data, 'Was this sign-in you?', null, 'sign_in:' || (p_data ->> 'login_event_id')
  );
exception when others then
  raise warning 'account % is not told of a sign-in: %', p_user_id, sqlerrm;
end
$$;

comment on function private.tell_of_sign_in(uuid, jsonb) is 'Tells a person of a sign-in that may not have been theirs.';
-- end file

-- file: sql/functions/private/apply_sign_in_risk.sql
-- An alarm is raised once, and not for what is long past, so that a new version of the model may score old sign-ins anew.
create or replace function private.apply_sign_in_risk(p_row_keys text[], p_outputs jsonb[], p_model_version text)
returns void
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_alarm record;
begin
  for v_alarm in
    with answers as (
      select o.row_key::bigint as id, (o.output ->> 'risk')::double precision as risk,
        array(select jsonb_array_elements_text(o.output -> 'reasons')) as reasons
      from unnest(p_row_keys, p_outputs) as o (row_key, output)
    ), before as (
      select e.id, e.alarmed from public.login_events as e join answers as a on a.id = e.id
    )
    update public.login_events as e set
      risk = a.risk, reasons = a.reasons, model_version = p_model_version,
      alarmed = e.alarmed or (a.risk >= p.alarm_from and e.at > now() - interval '1 day')
    from answers as a
    join before as b on b.id = a.id
    cross join private.sign_in_policy as p
    where e.id = a.id
    returning e.id, e.user_id, e.at, e.country, e.risk, e.reasons, e.alarmed and not b.alarmed as is_new
  loop
    if v_alarm.is_new then
      perform private.tell_of_sign_in(
        v_alarm.user_id,
        jsonb_build_object(
          'login_event_id', v_alarm.id, 'at', v_alarm.at, 'country', v_alarm.country,
          'risk', v_alarm.risk, 'reasons', v_alarm.reasons
        )
      );
    end if;
  end loop;
end
$$;

comment on function private.apply_sign_in_risk(text[], jsonb[], text) is
  'Writes the model''s risks to their sign-ins, and tells people of those at or above the threshold.';
-- end file

-- file: sql/functions/private/report_sign_in.sql
-- Definer: people may not write the table. Touches the caller's own row only.
-- A thief answers too. So "it was me" is taken only from a session that was there before the sign-in: one that came later may be his
-- second, which his first made look ordinary. A session under suspicion vouches for nothing, and disowns nothing that came before it;
-- a token without a session cannot say from where it speaks, so it vouches for nothing either.
create or replace function private.report_sign_in(p_id bigint, p_was_me boolean)
returns public.login_events
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_caller uuid := private.require_session();
  v_session text := auth.jwt() ->> 'session_id';
  v_row public.login_events;
  v_since timestamptz;
  v_is_suspect boolean;
begin
  if p_was_me is null then
    raise sqlstate 'PT422' using
      message = 'p_was_me is missing.', detail = 'ANSWER_MISSING', hint = 'Say true or false.';
  end if;
  select e.* into v_row from public.login_events as e where e.id = p_id and e.user_id = v_caller for update;
  if not found then
    raise sqlstate 'PT404' using
      message = 'You have no such sign-in.', detail = 'SIGN_IN_NOT_FOUND', hint = 'my_sign_ins() lists yours.';
  end if;
  select e.at, e.alarmed and e.confirmed is not true into v_since, v_is_suspect
  from public.login_events as e
  where e.user_id = v_caller and e.session_id::text = v_session;
  if not found then -- begun before sign-ins were noted
    select s.created_at, false into v_since, v_is_suspect from auth.sessions as s where s.user_id = v_caller and s.id::text = v_session;
  end if;
  if p_was_me and (v_since is null or v_is_suspect or v_row.succeeded and v_since >= v_row.at)
    or not p_was_me and v_is_suspect and v_row.at < v_since
  then
    raise sqlstate 'PT403' using
      message = 'This session cannot vouch for this sign-in.', detail = 'SESSION_UNDER_SUSPICION',
      hint = 'Answer from a session that was there before, and raised no alarm.';
  end if;

  update public.login_events as e set confirmed = p_was_me, confirmed_at = now() where e.id = p_id returning * into v_row;
  insert into public.prediction_outcomes as o (prediction, row_key, owner_id, prediction_id, predicted, truth)
  select
    'sign_in_risk', p_id::text, v_caller, r.id,
    jsonb_build_object('risk', v_row.risk, 'alarmed', v_row.alarmed, 'model_version', v_row.model_version),
    jsonb_build_object('was_me', p_was_me)
  from (select) as one
  left join lateral (
    select p.id from public.predictions as p
    where p.prediction = 'sign_in_risk' and p.row_key = p_id::text and p.status = 'done'
    order by p.created_at desc
    limit 1
  ) as r on true
  on conflict (prediction, row_key) do update set
    truth = excluded.truth, predicted = excluded.predicted, prediction_id = excluded.prediction_id, observed_at = now();
  return v_row;
end
$$;

comment on function private.report_sign_in(bigint, boolean) is 'Takes the owner''s word on a sign-in of theirs, and keeps it as the truth.';
grant execute on function private.report_sign_in(bigint, boolean) to authenticated;
-- end file

-- file: sql/functions/private/sign_in_quality.sql
-- Definer: reads everybody's sign-ins, for holders of users.read.
create or replace function private.sign_in_quality(p_days integer)
returns public.sign_in_quality
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_found public.sign_in_quality;
begin
  perform private.require_permission('users.read');
  if p_days is null or p_days not between 1 and 400 then
    raise sqlstate 'PT422' using
      message = 'p_days takes 1 to 400.', detail = 'DAYS_OUT_OF_RANGE', hint = 'Sign-ins are kept for 400 days.';
  end if;
  select
    count(*), count(e.risk), count(*) filter (where e.alarmed),
    count(*) filter (where e.alarmed and o.was_me is false),
    count(*) filter (where e.alarmed and o.was_me),
    count(*) filter (where not e.alarmed and o.was_me is false),
    round(count(*) filter (where e.alarmed and o.was_me is false)::numeric / nullif(count(*) filter (where e.alarmed and o.was_me is not null), 0), 4),
    round(count(*) filter (where e.alarmed)::numeric / nullif(count(e.risk), 0), 4)
  into v_found
  from public.login_events as e
  left join lateral (
    select (x.truth ->> 'was_me')::boolean as was_me from public.prediction_outcomes as x
    where x.prediction = 'sign_in_risk' and x.row_key = e.id::text
  ) as o on true
  where e.succeeded and e.at >= now() - make_interval(days => p_days);
  return v_found;
end
$$;

comment on function private.sign_in_quality(integer) is 'How often the model raised an alarm, and what people said to it.';
grant execute on function private.sign_in_quality(integer) to authenticated, service_role;
-- end file

-- file: sql/functions/private/forget_sign_ins.sql
-- In portions, so that no run holds its locks for long; cron calls it every hour.
create or replace function private.forget_sign_ins()
returns bigint
language sql
volatile
security invoker
set search_path = ''
as $$
  with gone as (
    delete from public.login_events as e
    where e.id in (
      select x.id from public.login_events as x
      where x.at < now() - make_interval(days => (select p.keep_days from private.sign_in_policy as p))
      order by x.at
      limit 20000
    )
    returning 1
  )
  select count(*) from gone;
$$;

comment on function private.forget_sign_ins() is 'Deletes sign-ins that are past their keep; returns how many.';
-- end file

-- file: sql/functions/private/user_sign_ins.sql
-- Definer: the table shows everybody their own alone. For holders of users.read.
create or replace function private.user_sign_ins(p_user_id uuid, p_limit integer)
returns setof public.login_events
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  perform private.require_permission('users.read');
  if p_limit is null or p_limit not between 1 and 500 then
    raise sqlstate 'PT422' using
      message = 'p_limit takes 1 to 500.', detail = 'LIMIT_OUT_OF_RANGE', hint = 'Ask for fewer.';
  end if;
  return query
  select e.* from public.login_events as e
  where e.user_id = p_user_id
  order by e.at desc, e.id desc
  limit p_limit;
end
$$;

comment on function private.user_sign_ins(uuid, integer) is 'Somebody''s sign-ins, newest first.';
grant execute on function private.user_sign_ins(uuid, integer) to authenticated, service_role;
-- end file

-- file: sql/functions/public/user_sign_ins.sql
create or replace function public.user_sign_ins(p_user_id uuid, p_limit integer default 50)
returns setof public.login_events
language sql
stable
security invoker
set search_path = ''
begin atomic
  select * from private.user_sign_ins(p_user_id, p_limit);
end;

comment on function public.user_sign_ins(uuid, integer) is
  E'Somebody''s sign-ins, newest first\n\nAs my_sign_ins, for holders of users.read. Refusals: LIMIT_OUT_OF_RANGE, PERMISSION_DENIED, NOT_SIGNED_IN.';
grant execute on function public.user_sign_ins(uuid, integer) to authenticated, service_role;
-- end file

-- file: sql/functions/public/my_sign_ins.sql
create or replace function public.my_sign_ins(p_limit integer default 50)
returns setof public.login_events
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  if p_limit is null or p_limit not between 1 and 500 then
    raise sqlstate 'PT422' using
      message = 'p_limit takes 1 to 500.', detail = 'LIMIT_OUT_OF_RANGE', hint = 'Ask for fewer.';
  end if;
  return query
  select e.* from public.login_events as e
  where e.user_id = (select auth.uid())
  order by e.at desc, e.id desc
  limit p_limit;
end
$$;

comment on function public.my_sign_ins(integer) is
  E'My sign-ins, newest first\n\nSuccesses and failed passwords, with the model''s risk (0 to 1) and its reasons a moment after each success. Refusal: LIMIT_OUT_OF_RANGE.';
grant execute on function public.my_sign_ins(integer) to authenticated;
-- end file

-- file: sql/functions/public/report_sign_in.sql
create or replace function public.report_sign_in(p_id bigint, p_was_me boolean)
returns public.login_events
language sql
volatile
security invoker
set search_path = ''
return private.report_sign_in(p_id, p_was_me);

comment on function public.report_sign_in(bigint, boolean) is
  E'Was it me?\n\nThe owner''s word on one of their sign-ins; it may be changed. What was not me is no part of the past that later ones are compared with. Refusals: SIGN_IN_NOT_FOUND, SESSION_UNDER_SUSPICION, ANSWER_MISSING, SESSION_REQUIRED, NOT_SIGNED_IN.';
grant execute on function public.report_sign_in(bigint, boolean) to authenticated;
-- end file

-- file: sql/functions/public/sign_in_quality.sql
create or replace function public.sign_in_quality(p_days integer default 90)
returns public.sign_in_quality
language sql
stable
security invoker
set search_path = ''
return private.sign_in_quality(p_days);

comment on function public.sign_in_quality(integer) is
  E'How good the alarms are (users.read)\n\nSign-ins, alarms, and what people answered, over the last p_days. Refusals: PERMISSION_DENIED, DAYS_OUT_OF_RANGE, NOT_SIGNED_IN.';
grant execute on function public.sign_in_quality(integer) to authenticated, service_role;
-- end file

create trigger _100_record_sign_in after insert on auth.sessions
for each row execute function private.tg_sessions__record_sign_in();

insert into ml.models (name, batch_size, timeout_ms) values ('signin', 128, 5000);

-- No owner: receipts and events on the person's channel would tell a thief how well the disguise is.
select ml.attach(
  p_name => 'sign_in_risk',
  p_table => 'public.login_events',
  p_model => 'signin',
  p_input => $$ case when t.succeeded then private.sign_in_input(t) end $$,
  p_watch => array['succeeded', 'at'],
  p_apply => 'private.apply_sign_in_risk'
);

do $$
begin
  if to_regnamespace('cron') is not null then
    perform cron.schedule('rowcast-forget-sign-ins', '37 * * * *', 'select private.forget_sign_ins()');
  end if;
end
$$;
