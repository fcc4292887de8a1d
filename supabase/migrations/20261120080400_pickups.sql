-- Purpose: pickups. A rider asks, gets a closed-form estimate at once, and the model's answer follows.
-- Locks and risks: new objects only.
-- Undo: select ml.detach('pickup_eta'); drop table public.pickup_requests; drop the types and functions below.

create type public.pickup_kind as enum ('ride', 'parcel', 'pool');
comment on type public.pickup_kind is 'What is to be picked up.';

create type public.pickup_status as enum (
  'requested', -- asked for; nobody is on the way
  'assigned', -- somebody will come
  'picked_up', -- on the way to the destination
  'completed', -- arrived; terminal
  'cancelled' -- called off by the rider or an operator; terminal
);
comment on type public.pickup_status is 'Where a pickup stands. private.pickup_transitions says what may follow what.';

create table private.pickup_transitions (
  from_status public.pickup_status not null,
  to_status public.pickup_status not null,
  constraint pickup_transitions_pkey primary key (from_status, to_status)
);

comment on table private.pickup_transitions is 'Every change of status that is allowed; all others are refused by a trigger.';

insert into private.pickup_transitions (from_status, to_status)
values
('requested', 'assigned'), ('requested', 'cancelled'),
('assigned', 'requested'), ('assigned', 'picked_up'), ('assigned', 'cancelled'),
('picked_up', 'completed'), ('picked_up', 'cancelled');

alter table private.pickup_transitions enable row level security;

create table public.pickup_requests (
  id uuid not null default gen_random_uuid() constraint pickup_requests_pkey primary key,
  user_id uuid not null constraint pickup_requests_user_id_fkey references auth.users (id) on delete cascade,
  client_key text not null constraint pickup_requests_client_key_check check (length(client_key) between 1 and 100),
  kind public.pickup_kind not null default 'ride',
  status public.pickup_status not null default 'requested',
  origin_lat double precision not null constraint pickup_requests_origin_lat_check check (origin_lat between -90 and 90),
  origin_lng double precision not null constraint pickup_requests_origin_lng_check check (origin_lng between -180 and 180),
  dest_lat double precision not null constraint pickup_requests_dest_lat_check check (dest_lat between -90 and 90),
  dest_lng double precision not null constraint pickup_requests_dest_lng_check check (dest_lng between -180 and 180),
  requested_at timestamptz not null default now(),
  estimate_seconds integer not null,
  eta_seconds integer not null constraint pickup_requests_eta_seconds_check check (eta_seconds between 0 and 604800),
  eta_low_seconds integer,
  eta_high_seconds integer,
  eta_source text not null default 'estimate'
    constraint pickup_requests_eta_source_check check (eta_source in ('estimate', 'model')),
  eta_model_version text,
  picked_up_at timestamptz,
  completed_at timestamptz,
  cancelled_at timestamptz,
  cancel_reason text constraint pickup_requests_cancel_reason_check check (length(cancel_reason) <= 500),
  updated_at timestamptz not null default now(),
  constraint pickup_requests_user_id_client_key_key unique (user_id, client_key),
  constraint pickup_requests_eta_interval_check
    check (eta_low_seconds between 0 and eta_seconds and eta_high_seconds between eta_seconds and 604800),
  constraint pickup_requests_times_check check (completed_at >= picked_up_at)
);

comment on table public.pickup_requests is
  E'Rides, parcels and pool places that were asked for.\n\nWritten by request_pickup, cancel_pickup, advance_pickup and the prediction pipeline only.';
comment on column public.pickup_requests.id is 'The pickup.';
comment on column public.pickup_requests.user_id is 'The rider, from the token.';
comment on column public.pickup_requests.client_key is 'Idempotency key, the rider''s own.';
comment on column public.pickup_requests.kind is 'What is to be picked up.';
comment on column public.pickup_requests.status is 'Where it stands.';
comment on column public.pickup_requests.origin_lat is 'Latitude of the start, degrees.';
comment on column public.pickup_requests.origin_lng is 'Longitude of the start, degrees.';
comment on column public.pickup_requests.dest_lat is 'Latitude of the destination, degrees.';
comment on column public.pickup_requests.dest_lng is 'Longitude of the destination, degrees.';
comment on column public.pickup_requests.requested_at is 'When it was asked for.';
comment on column public.pickup_requests.estimate_seconds is 'Closed-form travel time, kept beside the model''s.';
comment on column public.pickup_requests.eta_seconds is 'Expected travel time from start to destination, the best there is.';
comment on column public.pickup_requests.eta_low_seconds is 'Lower end of the 80 % interval; NULL until the model answered.';
comment on column public.pickup_requests.eta_high_seconds is 'Upper end of the 80 % interval; NULL until the model answered.';
comment on column public.pickup_requests.eta_source is 'estimate: the closed form; model: the model.';
comment on column public.pickup_requests.eta_model_version is 'Which version of the model.';
comment on column public.pickup_requests.picked_up_at is 'When the journey began.';
comment on column public.pickup_requests.completed_at is 'When it ended.';
comment on column public.pickup_requests.cancelled_at is 'When it was called off.';
comment on column public.pickup_requests.cancel_reason is 'Why it was called off, in the rider''s words.';
comment on column public.pickup_requests.updated_at is 'When the row last changed.';

create index pickup_requests_user_id_requested_at_idx on public.pickup_requests (user_id, requested_at desc, id);
-- Training reads completed journeys in the order of time.
create index pickup_requests_completed_at_idx on public.pickup_requests (completed_at) where status = 'completed';

alter table public.pickup_requests enable row level security;

create type public.eta_quote as (eta_seconds integer, distance_metres integer, eta_source text);
comment on type public.eta_quote is 'Answer of quote_eta().';

-- file: sql/policies/pickup_requests.sql
-- Riders read their own. Every write goes through a function, so no role of the API gets INSERT, UPDATE or DELETE.
revoke all on public.pickup_requests from anon, authenticated, service_role;
grant select on public.pickup_requests to authenticated, service_role;

drop policy if exists "riders read their own pickups" on public.pickup_requests;
create policy "riders read their own pickups" on public.pickup_requests
for select to authenticated
using (user_id = (select auth.uid()));
-- end file

-- file: sql/functions/private/haversine_metres.sql
-- Degrees are counted from 360 on: differences of nanometres vanish there, whose squares Postgres would refuse as an
-- underflow.
create or replace function private.haversine_metres(
  p_origin_lat double precision, p_origin_lng double precision, p_dest_lat double precision, p_dest_lng double precision
)
returns double precision
language sql
immutable
parallel safe
security invoker
set search_path = ''
return 2 * 6371008.8 * asin(sqrt(least(1.0, greatest(0.0,
  sin(radians((360 + p_dest_lat) - (360 + p_origin_lat)) / 2) ^ 2
  + cos(radians(360 + p_origin_lat)) * cos(radians(360 + p_dest_lat))
  * sin(radians((360 + p_dest_lng) - (360 + p_origin_lng)) / 2) ^ 2
))));

comment on function private.haversine_metres(double precision, double precision, double precision, double precision) is
  'Great-circle distance in metres on a sphere of the earth''s mean radius.';
grant execute on function private.haversine_metres(double precision, double precision, double precision, double precision)
to anon, authenticated, service_role;
-- end file

-- file: sql/functions/private/eta_closed_form.sql
-- Its Python twin, which the model corrects, is py/rowcast/models/eta_closed_form.py; a test holds them together.
create or replace function private.eta_closed_form(p_metres double precision)
returns double precision
language sql
immutable
parallel safe
security invoker
set search_path = ''
return 90 + 1.3 * p_metres / (6 + 9 * (1.3 * p_metres) / (1.3 * p_metres + 8000));

comment on function private.eta_closed_form(double precision) is
  'Travel time in seconds from the great-circle distance: detour 1.3, 6 to 15 m/s growing with the way, 90 s to get going.';
grant execute on function private.eta_closed_form(double precision) to anon, authenticated, service_role;
-- end file

-- file: sql/functions/private/check_coordinates.sql
-- NaN is greater than every number in Postgres, so `between` refuses it; NULL must be refused by name.
create or replace function private.check_coordinates(
  p_origin_lat double precision, p_origin_lng double precision, p_dest_lat double precision, p_dest_lng double precision
)
returns void
language plpgsql
immutable
parallel safe
security invoker
set search_path = ''
as $$
begin
  if (
    p_origin_lat between -90 and 90 and p_dest_lat between -90 and 90
    and p_origin_lng between -180 and 180 and p_dest_lng between -180 and 180
  ) is not true then
    raise sqlstate 'PT422' using
      message = 'A coordinate is missing or out of range.', detail = 'COORDINATE_OUT_OF_RANGE',
      hint = 'Latitudes lie between -90 and 90 degrees, longitudes between -180 and 180.';
  end if;
end
$$;

comment on function private.check_coordinates(double precision, double precision, double precision, double precision) is
  'Refuses what is no place on earth.';
grant execute on function private.check_coordinates(double precision, double precision, double precision, double precision)
to anon, authenticated, service_role;
-- end file

-- file: sql/functions/private/tg_pickup_requests__guard_status.sql
create or replace function private.tg_pickup_requests__guard_status()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  new.updated_at := now();
  if new.status is distinct from old.status then
    if not exists (
      select from private.pickup_transitions as t where t.from_status = old.status and t.to_status = new.status
    ) then
      raise sqlstate 'PT409' using
        message = format('A pickup that is %s cannot become %s.', old.status, new.status),
        detail = 'PICKUP_TRANSITION_REFUSED', hint = 'Read the pickup again: its status may have changed.';
    end if;
    case new.status
      when 'picked_up' then new.picked_up_at := now();
      when 'completed' then new.completed_at := now();
      when 'cancelled' then new.cancelled_at := now();
      else null;
    end case;
  end if;
  return new;
end
$$;

comment on function private.tg_pickup_requests__guard_status() is
  'Lets a status change only along private.pickup_transitions, and stamps it with the database''s clock.';
-- end file

-- file: sql/functions/private/apply_pickup_eta.sql
create or replace function private.apply_pickup_eta(p_row_keys text[], p_outputs jsonb[], p_model_version text)
returns void
language sql
volatile
security invoker
set search_path = ''
begin atomic
  update public.pickup_requests as r set
    eta_seconds = (o.output ->> 'eta_seconds')::integer,
    eta_low_seconds = (o.output ->> 'eta_low_seconds')::integer,
    eta_high_seconds = (o.output ->> 'eta_high_seconds')::integer,
    eta_source = 'model',
    eta_model_version = p_model_version
  from unnest(p_row_keys, p_outputs) as o (row_key, output)
  where r.id = o.row_key::uuid;
end;

comment on function private.apply_pickup_eta(text[], jsonb[], text) is 'Writes the model''s travel times to their pickups.';
-- end file

-- file: sql/functions/private/request_pickup.sql
-- Definer: riders may not write the table. The rider is the token's, the estimate is ours; the caller sends places, a kind
-- and a key.
create or replace function private.request_pickup(
  p_origin_lat double precision, p_origin_lng double precision, p_dest_lat double precision, p_dest_lng double precision,
  p_kind public.pickup_kind, p_client_key text
)
returns public.pickup_requests
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_user uuid := auth.uid();
  v_row public.pickup_requests;
  v_estimate integer;
begin
  if v_user is null then
    raise sqlstate 'PT401' using
      message = 'Sign in first.', detail = 'NOT_SIGNED_IN', hint = 'Send the user''s access token as bearer token.';
  end if;
  perform private.check_coordinates(p_origin_lat, p_origin_lng, p_dest_lat, p_dest_lng);
  if (length(p_client_key) between 1 and 100) is not true then
    raise sqlstate 'PT422' using
      message = 'p_client_key takes 1 to 100 characters.', detail = 'CLIENT_KEY_OUT_OF_RANGE',
      hint = 'Use a random UUID for each pickup, and the same one when you try again.';
  end if;

  v_estimate := round(private.eta_closed_form(
    private.haversine_metres(p_origin_lat, p_origin_lng, p_dest_lat, p_dest_lng)
  ));
  -- The same limit as the column's: a week.
  if v_estimate > 604800 then
    raise sqlstate 'PT422' using
      message = 'That is too far for a pickup.', detail = 'TRIP_TOO_LONG', hint = 'It would take more than a week.';
  end if;
  insert into public.pickup_requests (
    user_id, client_key, kind, origin_lat, origin_lng, dest_lat, dest_lng, estimate_seconds, eta_seconds
  )
  select
    u.id, p_client_key, coalesce(p_kind, 'ride'), p_origin_lat, p_origin_lng, p_dest_lat, p_dest_lng, v_estimate,
    v_estimate
  from auth.users as u
  where u.id = v_user
  on conflict (user_id, client_key) do nothing
  returning * into v_row;

  if v_row.id is null then
    select r.* into v_row
    from public.pickup_requests as r
    where r.user_id = v_user and r.client_key = p_client_key;
    if not found then
      raise sqlstate 'PT404' using
        message = 'This account no longer exists.', detail = 'ACCOUNT_NOT_FOUND', hint = 'Sign in again.';
    end if;
    if (v_row.origin_lat, v_row.origin_lng, v_row.dest_lat, v_row.dest_lng, v_row.kind)
      is distinct from (p_origin_lat, p_origin_lng, p_dest_lat, p_dest_lng, coalesce(p_kind, 'ride'))
    then
      raise sqlstate 'PT409' using
        message = 'This client key belongs to another pickup of yours.', detail = 'CLIENT_KEY_REUSED',
        hint = 'Use a new key for a new pickup.';
    end if;
  end if;
  return v_row;
end
$$;

comment on function private.request_pickup(
  double precision, double precision, double precision, double precision, public.pickup_kind, text
) is 'Books a pickup for the caller, once for each client key.';
grant execute on function private.request_pickup(
  double precision, double precision, double precision, double precision, public.pickup_kind, text
) to authenticated;
-- end file

-- file: sql/functions/private/cancel_pickup.sql
-- Definer: riders may not write the table. Touches the caller's own row only.
create or replace function private.cancel_pickup(p_id uuid, p_reason text)
returns public.pickup_requests
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_row public.pickup_requests;
begin
  select r.* into v_row from public.pickup_requests as r where r.id = p_id and r.user_id = auth.uid() for update;
  if not found then
    raise sqlstate 'PT404' using
      message = 'You have no such pickup.', detail = 'PICKUP_NOT_FOUND', hint = 'my_pickups() lists yours.';
  end if;
  if v_row.status = 'cancelled' then
    return v_row;
  end if;
  if length(p_reason) > 500 then
    raise sqlstate 'PT422' using
      message = 'p_reason takes at most 500 characters.', detail = 'REASON_TOO_LONG', hint = 'Shorten it.';
  end if;

  update public.pickup_requests as r set status = 'cancelled', cancel_reason = p_reason
  where r.id = p_id
  returning * into v_row;
  perform ml.cancel('pickup_eta', p_id::text, 'pickup cancelled');
  return v_row;
end
$$;

comment on function private.cancel_pickup(uuid, text) is 'Calls off one of the caller''s pickups and the prediction it is owed.';
grant execute on function private.cancel_pickup(uuid, text) to authenticated;
-- end file

-- file: sql/functions/private/advance_pickup.sql
-- Definer: the table is written by functions alone. Operators' back ends call it with the secret key.
create or replace function private.advance_pickup(p_id uuid, p_status public.pickup_status)
returns public.pickup_requests
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_row public.pickup_requests;
begin
  update public.pickup_requests as r set status = p_status
  where r.id = p_id
  returning * into v_row;
  if not found then
    raise sqlstate 'PT404' using
      message = 'There is no such pickup.', detail = 'PICKUP_NOT_FOUND', hint = 'Check the id.';
  end if;

  -- The truth beside the prediction: eta quality is a query over outcomes.
  if p_status = 'completed' and v_row.picked_up_at is not null then
    insert into public.prediction_outcomes (prediction, row_key, owner_id, prediction_id, predicted, truth)
    select
      'pickup_eta', v_row.id::text, v_row.user_id, p.id, p.output,
      jsonb_build_object(
        'travel_seconds', round(extract(epoch from v_row.completed_at - v_row.picked_up_at)),
        'estimate_seconds', v_row.estimate_seconds
      )
    from (select) as always
    left join lateral (
      select x.id, x.output
      from public.predictions as x
      where x.prediction = 'pickup_eta' and x.row_key = v_row.id::text and x.status = 'done'
      order by x.created_at desc
      limit 1
    ) as p on true
    on conflict (prediction, row_key) do nothing;
  end if;
  return v_row;
end
$$;

comment on function private.advance_pickup(uuid, public.pickup_status) is
  'Moves a pickup along its transitions; completion writes the outcome.';
grant execute on function private.advance_pickup(uuid, public.pickup_status) to service_role;
-- end file

-- file: sql/functions/public/quote_eta.sql
-- A body in the SQL standard's form is bound when it is made: its callers need EXECUTE on the functions of `private`
-- below it, and no USAGE on the schema.
create or replace function public.quote_eta(
  p_origin_lat double precision,
  p_origin_lng double precision,
  p_dest_lat double precision,
  p_dest_lng double precision
)
returns public.eta_quote
language sql
immutable
parallel safe
security invoker
set search_path = ''
begin atomic
  select private.check_coordinates(p_origin_lat, p_origin_lng, p_dest_lat, p_dest_lng);
  select
    round(private.eta_closed_form(way.metres))::integer as eta_seconds,
    round(way.metres)::integer as distance_metres,
    'estimate' as eta_source
  from (
    select private.haversine_metres(p_origin_lat, p_origin_lng, p_dest_lat, p_dest_lng) as metres
  ) as way;
end;

comment on function public.quote_eta(double precision, double precision, double precision, double precision) is
  E'Estimate a travel time\n\nThe closed form alone: nothing is written, no model is asked. Refusal: COORDINATE_OUT_OF_RANGE.';
grant execute on function public.quote_eta(double precision, double precision, double precision, double precision)
to anon, authenticated, service_role;
-- end file

-- file: sql/functions/public/request_pickup.sql
create or replace function public.request_pickup(
  p_origin_lat double precision,
  p_origin_lng double precision,
  p_dest_lat double precision,
  p_dest_lng double precision,
  p_kind public.pickup_kind default 'ride',
  p_client_key text default gen_random_uuid()::text
)
returns public.pickup_requests
language sql
volatile
security invoker
set search_path = ''
return private.request_pickup(p_origin_lat, p_origin_lng, p_dest_lat, p_dest_lng, p_kind, p_client_key);

comment on function public.request_pickup(
  double precision, double precision, double precision, double precision, public.pickup_kind, text
) is
  E'Ask for a pickup\n\nAnswers at once with a closed-form estimate (`eta_source = estimate`); the model''s travel time and its 80 % interval follow on the row and on the channel `user:<id>`. The same p_client_key gives the same pickup. Refusals: COORDINATE_OUT_OF_RANGE, TRIP_TOO_LONG, CLIENT_KEY_OUT_OF_RANGE, CLIENT_KEY_REUSED, NOT_SIGNED_IN.';
grant execute on function public.request_pickup(
  double precision, double precision, double precision, double precision, public.pickup_kind, text
) to authenticated;
-- end file

-- file: sql/functions/public/my_pickups.sql
-- No SET here (the listed exception of the house style): PostgREST's filters are pushed into an inlined function.
create or replace function public.my_pickups()
returns setof public.pickup_requests
language sql
stable
security invoker
begin atomic
  select r.*
  from public.pickup_requests as r
  where r.user_id = (select auth.uid())
  order by r.requested_at desc, r.id;
end;

comment on function public.my_pickups() is
  E'My pickups, newest first\n\nTakes PostgREST''s filters, `limit` and `offset`.';
grant execute on function public.my_pickups() to authenticated;
-- end file

-- file: sql/functions/public/get_pickup.sql
create or replace function public.get_pickup(p_id uuid)
returns public.pickup_requests
language plpgsql
stable
security invoker
set search_path = ''
as $$
declare
  v_row public.pickup_requests;
begin
  select r.* into v_row from public.pickup_requests as r where r.id = p_id and r.user_id = (select auth.uid());
  if not found then
    raise sqlstate 'PT404' using
      message = 'You have no such pickup.', detail = 'PICKUP_NOT_FOUND', hint = 'my_pickups() lists yours.';
  end if;
  return v_row;
end
$$;

comment on function public.get_pickup(uuid) is E'One of my pickups\n\nRefusal: PICKUP_NOT_FOUND, also for other people''s.';
grant execute on function public.get_pickup(uuid) to authenticated;
-- end file

-- file: sql/functions/public/cancel_pickup.sql
create or replace function public.cancel_pickup(p_id uuid, p_reason text default null)
returns public.pickup_requests
language sql
volatile
security invoker
set search_path = ''
return private.cancel_pickup(p_id, p_reason);

comment on function public.cancel_pickup(uuid, text) is
  E'Call off one of my pickups\n\nAgain on a cancelled one answers with it. Refusals: PICKUP_NOT_FOUND, PICKUP_TRANSITION_REFUSED (it is completed), REASON_TOO_LONG.';
grant execute on function public.cancel_pickup(uuid, text) to authenticated;
-- end file

-- file: sql/functions/public/advance_pickup.sql
create or replace function public.advance_pickup(p_id uuid, p_status public.pickup_status)
returns public.pickup_requests
language sql
volatile
security invoker
set search_path = ''
return private.advance_pickup(p_id, p_status);

comment on function public.advance_pickup(uuid, public.pickup_status) is
  E'Move a pickup on (secret key)\n\nThe database''s clock stamps the change; completion records how long the journey took. Refusals: PICKUP_NOT_FOUND, PICKUP_TRANSITION_REFUSED.';
grant execute on function public.advance_pickup(uuid, public.pickup_status) to service_role;
-- end file

create trigger _100_guard_status before update on public.pickup_requests
for each row execute function private.tg_pickup_requests__guard_status();

insert into ml.models (name, batch_size, timeout_ms, is_open) values ('eta', 256, 5000, true);

select ml.attach(
  p_name => 'pickup_eta',
  p_table => 'public.pickup_requests',
  p_model => 'eta',
  p_input => $$
    case when t.status not in ('completed', 'cancelled') then jsonb_build_object(
      'origin_lat', t.origin_lat, 'origin_lng', t.origin_lng, 'dest_lat', t.dest_lat, 'dest_lng', t.dest_lng,
      'kind', t.kind, 'estimate_seconds', t.estimate_seconds,
      'requested_at', to_char(t.requested_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
    ) end
  $$,
  p_watch => array['origin_lat', 'origin_lng', 'dest_lat', 'dest_lng', 'kind', 'requested_at', 'estimate_seconds'],
  p_apply => 'private.apply_pickup_eta',
  p_owner => 'user_id'
);
