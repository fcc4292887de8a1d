-- Purpose: what happens before every request of the Data API: a token ends with its session, API keys speak for their owners, and
-- whoever asks too often waits. Sessions, keys and limits have their functions here too.
-- Locks and risks: new objects; the policy on realtime.messages is replaced. From `reload config` on, every request passes
-- gate.before_request(): were it broken, so would be the API. Undo that alone: `alter role authenticator reset pgrst.db_pre_request;
-- notify pgrst, 'reload config'`.
-- Undo: that, then drop schema gate, the functions, tables and types below, and the cron job; take the policy of the pipeline's tables.

create schema gate;
comment on schema gate is 'What PostgREST calls before a request. The API roles may use it; it is not exposed.';
grant usage on schema gate to anon, authenticated, service_role;

create type public.session_state as (
  id uuid, created_at timestamptz, refreshed_at timestamptz, user_agent text, ip text, aal text, is_current boolean
);
comment on type public.session_state is 'Answer of my_sessions().';

create type public.new_api_key as (
  id uuid, name text, key text, scopes text [], created_at timestamptz, expires_at timestamptz
);
comment on type public.new_api_key is 'Answer of create_api_key(); the only place of the key in plain text.';

create type public.api_key_state as (
  id uuid, name text, prefix text, scopes text [], created_at timestamptz, expires_at timestamptz
);
comment on type public.api_key_state is 'Answer of my_api_keys().';

create type public.token_state as (
  role text, user_id uuid, credential text, session_id uuid, api_key_id uuid, scopes text [], roles text [], aal text,
  issued_at timestamptz, expires_at timestamptz
);
comment on type public.token_state is 'Answer of verify_token().';

create type public.rate_limit as (
  name text, caller text, for_reads boolean, path text, capacity integer, refill_per_second double precision,
  updated_at timestamptz, updated_by uuid
);
comment on type public.rate_limit is 'Answer of rate_limits() and set_rate_limit().';

create table private.api_keys (
  id uuid not null default gen_random_uuid() constraint api_keys_pkey primary key,
  user_id uuid not null constraint api_keys_user_id_fkey references auth.users (id) on delete cascade,
  name text not null constraint api_keys_name_check check (length(name) between 1 and 80),
  prefix text not null,
  digest bytea not null constraint api_keys_digest_key unique constraint api_keys_digest_check check (length(digest) = 32),
  scopes text[] not null constraint api_keys_scopes_check check (scopes in ('{read}', '{read,write}')),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null
);

comment on table private.api_keys is 'API keys that live: who has them, what they allow, and the SHA-256 of each. A revoked one is gone.';

create index api_keys_user_id_idx on private.api_keys (user_id);

-- A null path is every path; one that ends in * is every path that begins so.
create table private.rate_limits (
  name text not null constraint rate_limits_pkey primary key
    constraint rate_limits_name_check check (name ~ '^[a-z][a-z0-9_]{0,62}$'),
  caller text not null, -- anon, authenticated, service_role, api_key, or a role of app_roles
  for_reads boolean not null,
  path text constraint rate_limits_path_check check (path ~ '^/' and length(path) <= 200),
  capacity integer not null constraint rate_limits_capacity_check check (capacity between 1 and 100000),
  refill_per_second double precision not null
    constraint rate_limits_refill_per_second_check check (refill_per_second between 0.0001 and 100000),
  updated_at timestamptz not null default now(),
  updated_by uuid constraint rate_limits_updated_by_fkey references auth.users (id) on delete set null,
  constraint rate_limits_caller_for_reads_path_key unique nulls not distinct (caller, for_reads, path)
);

comment on table private.rate_limits is 'How often who may ask for what: a burst of capacity, then refill_per_second.';

create index rate_limits_updated_by_idx on private.rate_limits (updated_by);

-- Far above what a person with a front end does, so that what is stopped is a loop. See docs/how-to/operate.md.
insert into private.rate_limits (name, caller, for_reads, path, capacity, refill_per_second) values
('anon_reads', 'anon', true, null, 1000, 200),
('anon_writes', 'anon', false, null, 500, 50),
('user_reads', 'authenticated', true, null, 1000, 200),
('user_writes', 'authenticated', false, null, 1000, 100),
('api_key_reads', 'api_key', true, null, 1000, 200),
('api_key_writes', 'api_key', false, null, 1000, 100),
('create_api_key', 'authenticated', false, '/rpc/create_api_key', 20, 0.1),
('predict', 'authenticated', false, '/rpc/may_predict', 100, 10),
-- Each of these leaves a row for years, in the audit log or beside it: what a loop can pile up in a day is bounded here.
('update_me', 'authenticated', false, '/rpc/update_me', 100, 0.1),
('update_profile', 'authenticated', false, '/profiles', 100, 0.1),
('request_pickup', 'authenticated', false, '/rpc/request_pickup', 1000, 1),
('api_key_update_me', 'api_key', false, '/rpc/update_me', 100, 0.1),
('api_key_update_profile', 'api_key', false, '/profiles', 100, 0.1),
('api_key_request_pickup', 'api_key', false, '/rpc/request_pickup', 1000, 1);

-- Unlogged: what a crash forgets is that somebody asked a moment ago.
create unlogged table private.rate_buckets (
  caller text not null,
  limit_name text not null,
  slot integer not null,
  full_at timestamptz not null,
  constraint rate_buckets_pkey primary key (caller, limit_name, slot)
) with (
  fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000
);

comment on table private.rate_buckets is 'Who has asked lately: when each part of a bucket will be full again. See private.take_token().';

alter table private.api_keys enable row level security;
alter table private.rate_limits enable row level security;
alter table private.rate_buckets enable row level security;

-- file: sql/functions/private/account_is_live.sql
-- Definer: reads auth.users. Not callable through the API.
create or replace function private.account_is_live(p_user_id uuid)
returns boolean
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return exists (
    select from auth.users as u
    where u.id = p_user_id and u.deleted_at is null and (u.banned_until is null or u.banned_until <= now())
  );
end
$$;

comment on function private.account_is_live(uuid) is 'Whether an account is there and neither banned nor deleted.';
-- end file

-- file: sql/functions/private/session_is_live.sql
-- Definer: reads auth.sessions and auth.users, which no API role may. A token outlives its session by up to an hour; this is what ends it.
-- A token without `session_id` was made by whoever holds the signing key: its account alone is looked at. One that names nobody has
-- nothing that could have ended, and reaches nothing. PostgREST is not told an audience by the platform: one that the token names must be
-- Auth's, or another system that signs with the same secret would open this one.
create or replace function private.session_is_live()
returns boolean
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_claims constant jsonb := auth.jwt();
  v_user constant text := v_claims ->> 'sub';
  v_session constant text := v_claims ->> 'session_id';
begin
  if not coalesce(v_claims -> 'aud', '"authenticated"') @> '"authenticated"' then
    return false;
  end if;
  if v_user is null then
    return v_session is null;
  end if;
  if not pg_input_is_valid(v_user, 'uuid') or not pg_input_is_valid(coalesce(v_session, v_user), 'uuid') then
    return false;
  end if;
  return private.account_is_live(v_user::uuid) and (
    v_session is null or exists (
      select from auth.sessions as s
      where s.id = v_session::uuid and s.user_id = v_user::uuid and (s.not_after is null or s.not_after > now())
    )
  );
end
$$;

comment on function private.session_is_live() is 'Whether the token is meant for this project, the caller''s account may be used and the session it came from goes on.';
grant execute on function private.session_is_live() to authenticated;
-- end file

-- file: sql/functions/private/require_session.sql
-- For what changes an account or its credentials: a key that leaked must not make another key, or end the sessions of its owner.
create or replace function private.require_session()
returns uuid
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  if auth.jwt() ? 'api_key_id' then
    raise sqlstate 'PT403' using
      message = 'An API key may not do this.', detail = 'SESSION_REQUIRED', hint = 'Sign in, and send the user''s access token.';
  end if;
  return private.require_user();
end
$$;

comment on function private.require_session() is 'The caller''s id; refuses API keys and who is not signed in.';
grant execute on function private.require_session() to authenticated, service_role;
-- end file

-- file: sql/functions/private/client_address.sql
-- Cloudflare overwrites cf-connecting-ip, whatever a client sent. Every proxy appends the address it was called from to
-- x-forwarded-for, so that its last entry alone is no client's own words. Whoever has one IPv6 address has its /64.
create or replace function private.client_address(p_headers jsonb)
returns text
language plpgsql
immutable
security invoker
set search_path = ''
as $$
declare
  v_text constant text := btrim(coalesce(
    p_headers ->> 'cf-connecting-ip', reverse(split_part(reverse(p_headers ->> 'x-forwarded-for'), ',', 1))
  ));
begin
  if not coalesce(pg_input_is_valid(v_text, 'inet'), false) then
    return 'unknown';
  end if;
  return case when family(v_text::inet) = 6 then network(set_masklen(v_text::inet, 64))::text else host(v_text::inet) end;
end
$$;

comment on function private.client_address(jsonb) is 'Where a request came from, as far as a client cannot choose it.';
-- end file

-- file: sql/functions/private/use_api_key.sql
-- Definer: reads private.api_keys. Called by private.before_request() only.
-- The digest of 256 random bits is looked up in an index: no comparison depends on how much of a guess was right, and a slow hash
-- would protect nothing that could be guessed.
create or replace function private.use_api_key(p_key text)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_key private.api_keys;
begin
  if current_setting('role') <> 'anon' then
    raise sqlstate 'PT400' using
      message = 'This request carries an API key and another credential.', detail = 'TWO_CREDENTIALS',
      hint = 'Send x-api-key with the publishable key and no user''s token.';
  end if;

  select k.* into v_key from private.api_keys as k
  where k.digest = sha256(convert_to(p_key, 'UTF8')) and k.expires_at > now();
  if not found or not private.account_is_live(v_key.user_id) then
    raise sqlstate 'PT401' using
      message = 'This API key is not valid.', detail = 'INVALID_API_KEY', hint = 'Make a new one with create_api_key().';
  end if;
  if not 'write' = any (v_key.scopes) and current_setting('request.method', true) not in ('GET', 'HEAD') then
    raise sqlstate 'PT403' using
      message = 'This API key may only read.', detail = 'API_KEY_READ_ONLY', hint = 'Use GET, or a key with the scope write.';
  end if;

  perform set_config(
    'request.jwt.claims',
    json_build_object('role', 'authenticated', 'aud', 'authenticated', 'sub', v_key.user_id, 'api_key_id', v_key.id)::text,
    true
  );
  -- PostgREST has set the time limit of `anon` already.
  perform set_config('statement_timeout', split_part(c.setting, '=', 2), true)
  from pg_catalog.pg_roles as r, unnest(r.rolconfig) as c (setting)
  where r.rolname = 'authenticated' and starts_with(c.setting, 'statement_timeout=');
end
$$;

comment on function private.use_api_key(text) is 'Puts an API key''s owner in the place of the caller; refuses what is not a valid key.';
-- end file

-- file: sql/functions/private/take_token.sql
-- Called by private.charge() only. A bucket is the time at which it will be full again: each token taken puts that off by its cost, and
-- there is none while it lies too far ahead. It is spread over up to 32 rows, each with its share of tokens and of refill, since a
-- request holds its row until it commits: two requests of one caller take two rows and never wait for each other. An advisory lock
-- says which are taken. A row that does not exist is a full one, so who asks seldom has one row, and full ones are forgotten.
create or replace function private.take_token(p_name text, p_caller text, p_capacity integer, p_refill double precision)
returns double precision
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_slots constant integer := least(32, p_capacity, greatest(4, ceil(p_refill)));
  v_rest constant integer := p_capacity % v_slots; -- so many of the rows hold one more than the others
  v_cost constant interval := make_interval(secs => v_slots / p_refill);
  v_now constant timestamptz := clock_timestamp();
  v_latest constant timestamptz := v_now + (p_capacity / v_slots - 1) * v_cost;
  v_lock constant integer := hashtext(p_name || ' ' || p_caller);
  v_slot integer;
begin
  for v_try in 1 .. v_slots loop
    -- CASE, so that no lock is taken on a row that has nothing to give.
    select b.slot into v_slot from private.rate_buckets as b
    where b.caller = p_caller and b.limit_name = p_name and b.slot < v_slots
      and case
        when b.full_at <= v_latest + (b.slot < v_rest)::integer * v_cost then pg_try_advisory_xact_lock(v_lock, b.slot)
        else false
      end
    limit 1;

    if v_slot is null then
      select s.slot into v_slot from generate_series(0, v_slots - 1) as s (slot)
      where case
        when not exists (
          select from private.rate_buckets as b where b.caller = p_caller and b.limit_name = p_name and b.slot = s.slot
        ) then pg_try_advisory_xact_lock(v_lock, s.slot)
        else false
      end
      limit 1;
    end if;
    exit when v_slot is null;

    insert into private.rate_buckets as b (caller, limit_name, slot, full_at)
    values (p_caller, p_name, v_slot, v_now + v_cost)
    on conflict (caller, limit_name, slot) do update set full_at = greatest(b.full_at, v_now) + v_cost
    where b.full_at <= v_latest + (b.slot < v_rest)::integer * v_cost;
    if found then
      return 0;
    end if;
    -- Between the look and the lock another request took the row's last token: look again.
  end loop;

  return coalesce((
    select extract(epoch from min(b.full_at - (b.slot < v_rest)::integer * v_cost) - v_latest)
    from private.rate_buckets as b
    where b.caller = p_caller and b.limit_name = p_name and b.slot < v_slots
      and b.full_at > v_latest + (b.slot < v_rest)::integer * v_cost
  ), 1);
end
$$;

comment on function private.take_token(text, text, integer, double precision) is
  'Takes one token from a caller''s bucket; gives 0, or the seconds until there is one.';
-- end file

-- file: sql/functions/private/take_read_token.sql
-- Called by private.charge() only. As private.take_token(), but in settings of this database session, which a READ ONLY transaction may
-- change: PostgREST keeps its sessions, so each of them counts what came through it. 256 places for all callers of a session; who
-- finds another there takes it over, full.
create or replace function private.take_read_token(p_name text, p_caller text, p_capacity integer, p_refill double precision)
returns double precision
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_caller constant integer := hashtext(p_name || ' ' || p_caller);
  v_setting constant text := 'rowcast.reads_' || (v_caller & 255);
  v_held constant text[] := string_to_array(current_setting(v_setting, true), ' ');
  v_now constant double precision := extract(epoch from clock_timestamp());
  v_latest constant double precision := v_now + (p_capacity - 1) / p_refill;
  v_full_at double precision := v_now;
begin
  if v_held[1] = v_caller::text then
    v_full_at := greatest(v_held[2]::double precision, v_now);
  end if;
  if v_full_at > v_latest then
    return v_full_at - v_latest;
  end if;
  perform set_config(v_setting, v_caller || ' ' || (v_full_at + 1 / p_refill), false);
  return 0;
end
$$;

comment on function private.take_read_token(text, text, integer, double precision) is
  'Takes one token from a caller''s bucket in this database session; gives 0, or the seconds until there is one.';
-- end file

-- file: sql/functions/private/plain_path.sql
-- PostgREST finds /rpc/%73ync_profile too, and gives the path as it came; a limit must know it under its one name. Bytes that are no text
-- name nothing there either, and stay as they are.
create or replace function private.plain_path(p_path text)
returns text
language plpgsql
immutable
security invoker
set search_path = ''
as $$
begin
  if strpos(p_path, '%') = 0 then
    return p_path;
  end if;
  return (
    select convert_from(
      string_agg(case when m.part[1] ~ '^%..' then decode(substr(m.part[1], 2), 'hex') else convert_to(m.part[1], 'UTF8') end, '' order by m.n),
      'UTF8'
    )
    from regexp_matches(p_path, '%[0-9A-Fa-f]{2}|[^%]+|%', 'g') with ordinality as m (part, n)
  );
exception when character_not_in_repertoire then
  return p_path;
end
$$;

comment on function private.plain_path(text) is 'A request''s path without percent-encoding.';
-- end file

-- file: sql/functions/private/charge.sql
-- Definer: reads limits and writes buckets. Called by private.before_request() only.
-- PostgREST runs reads in READ ONLY transactions, which can write no table: their buckets are kept in settings of the database session.
create or replace function private.charge(p_caller_kind text, p_caller text)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_path constant text := private.plain_path(coalesce(current_setting('request.path', true), ''));
  v_reads constant boolean := current_setting('transaction_read_only')::boolean;
  v_limit private.rate_limits;
  v_wait double precision;
begin
  for v_limit in
    -- Of several limits on the same path, the most generous: who holds two roles loses nothing by the second.
    select distinct on (l.path) l.* from private.rate_limits as l
    where l.for_reads = v_reads
      and (l.path is null or l.path = v_path or (right(l.path, 1) = '*' and starts_with(v_path, left(l.path, -1))))
      and case
        when l.caller = p_caller_kind then true
        when p_caller_kind = 'authenticated' and l.caller not in ('anon', 'service_role', 'api_key')
          then exists (
            select from public.user_roles as ur
            where ur.user_id = auth.uid() and ur.role = l.caller and (ur.expires_at is null or ur.expires_at > now())
          )
        else false
      end
    order by l.path, l.refill_per_second desc, l.capacity desc
  loop
    if v_reads then
      v_wait := private.take_read_token(v_limit.name, p_caller, v_limit.capacity, v_limit.refill_per_second);
    else
      v_wait := private.take_token(v_limit.name, p_caller, v_limit.capacity, v_limit.refill_per_second);
    end if;
    if v_wait > 0 then
      raise sqlstate 'PGRST' using
        message = json_build_object(
          'code', 'PT429', 'details', 'RATE_LIMITED', 'message', 'Too many requests.', 'hint', 'Wait as long as Retry-After says.'
        )::text,
        detail = json_build_object(
          'status', 429, 'headers', json_build_object('Retry-After', greatest(1, ceil(v_wait))::integer::text)
        )::text;
    end if;
  end loop;
end
$$;

comment on function private.charge(text, text) is 'Takes a token for this request from every limit that applies; refuses with 429 when there is none.';
-- end file

-- file: sql/functions/private/before_request.sql
-- Definer: reads sessions, keys and limits, which no API role may. Called by gate.before_request() only; a wrong order would let a
-- request be charged to somebody it does not speak for.
create or replace function private.before_request()
returns text
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_role text := current_setting('role');
  v_headers jsonb := nullif(current_setting('request.headers', true), '')::jsonb;
begin
  perform private.refuse_estimated_counts(v_headers);
  if v_headers ? 'x-api-key' then
    perform private.use_api_key(v_headers ->> 'x-api-key');
    perform private.charge('api_key', auth.uid()::text);
    return 'authenticated';
  end if;
  if v_role = 'authenticated' and not private.session_is_live() then
    raise sqlstate 'PT401' using
      message = 'This token is of no session that goes on here.', detail = 'SESSION_REVOKED', hint = 'Sign in again.';
  end if;
  perform private.charge(v_role, coalesce(auth.uid()::text, private.client_address(v_headers)));
  return v_role;
end
$$;

comment on function private.before_request() is
  'Refuses ended sessions, bad API keys, guessed counts and callers over their limit; gives the role to go on with.';
grant execute on function private.before_request() to anon, authenticated, service_role;
-- end file

-- file: sql/functions/gate/before_request.sql
-- PostgREST calls this before every request, in the request's transaction and under the token's role. Invoker, since only an invoker
-- may change the role: an API key comes as `anon` and goes on as `authenticated`. Without `set search_path`, so that it is inlined into
-- PostgREST's select; a body that is parsed here and now resolves no name later.
create or replace function gate.before_request()
returns text
language sql
volatile
security invoker
return pg_catalog.set_config('role', private.before_request(), true);

comment on function gate.before_request() is 'Admits or refuses a request; PostgREST''s db-pre-request.';
grant execute on function gate.before_request() to anon, authenticated, service_role;
-- end file

-- file: sql/functions/private/forget_rate_buckets.sql
-- Rows that a running request holds are left: to wait for them would be to wait for the slowest request there is.
create or replace function private.forget_rate_buckets(p_limit_name text default null)
returns void
language sql
volatile
security invoker
set search_path = ''
as $$
  delete from private.rate_buckets where ctid = any (array(
    select b.ctid from private.rate_buckets as b
    where case when p_limit_name is null then b.full_at < now() else b.limit_name = p_limit_name end
    for update skip locked
  ));
$$;

comment on function private.forget_rate_buckets(text) is
  'Forgets the buckets of one limit, or those that are full again, since a missing one is a full one. Runs every ten minutes.';
-- end file

-- file: sql/functions/private/my_sessions.sql
-- Definer: reads auth.sessions, which no API role may; the caller's own rows only.
create or replace function private.my_sessions()
returns setof public.session_state
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_me constant uuid := private.require_session();
  v_session constant text := auth.jwt() ->> 'session_id';
begin
  return query
  select
    s.id, s.created_at, coalesce(s.refreshed_at at time zone 'UTC', s.created_at), s.user_agent::text, host(s.ip),
    s.aal::text, s.id::text is not distinct from v_session
  from auth.sessions as s
  where s.user_id = v_me and (s.not_after is null or s.not_after > now())
  order by 3 desc, 1;
end
$$;

comment on function private.my_sessions() is 'Where the caller is signed in, last used first.';
grant execute on function private.my_sessions() to authenticated;
-- end file

-- file: sql/functions/public/my_sessions.sql
create or replace function public.my_sessions()
returns setof public.session_state
language sql
stable
security invoker
set search_path = ''
begin atomic
  select * from private.my_sessions();
end;

comment on function public.my_sessions() is
  E'Where I am signed in\n\nOne line for each session, last refreshed first. Refusals: NOT_SIGNED_IN, SESSION_REQUIRED.';
grant execute on function public.my_sessions() to authenticated;
-- end file

-- file: sql/functions/private/revoke_session.sql
-- Definer: deletes from auth.sessions, which no API role may; the caller's own row only. Its refresh tokens go with it.
create or replace function private.revoke_session(p_session_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_me constant uuid := private.require_session();
begin
  delete from auth.sessions as s where s.id = p_session_id and s.user_id = v_me;
  if not found then
    raise sqlstate 'PT404' using
      message = 'You have no such session.', detail = 'SESSION_NOT_FOUND', hint = 'my_sessions() lists them.';
  end if;
  perform private.note_event('sessions.ended', v_me, '{"sessions": 1}');
end
$$;

comment on function private.revoke_session(uuid) is 'Ends one of the caller''s own sessions.';
grant execute on function private.revoke_session(uuid) to authenticated;
-- end file

-- file: sql/functions/public/revoke_session.sql
create or replace function public.revoke_session(p_session_id uuid)
returns void
language sql
volatile
security invoker
set search_path = ''
return private.revoke_session(p_session_id);

comment on function public.revoke_session(uuid) is
  E'End one of my sessions\n\nIts access token is refused from the next request on, and it cannot be refreshed. Refusals: SESSION_NOT_FOUND, NOT_SIGNED_IN, SESSION_REQUIRED.';
grant execute on function public.revoke_session(uuid) to authenticated;
-- end file

-- file: sql/functions/private/sign_out_everywhere.sql
-- Definer: deletes from auth.sessions, which no API role may; the caller's own rows only.
create or replace function private.sign_out_everywhere(p_keep_current boolean)
returns integer
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_me constant uuid := private.require_session();
  v_session constant text := auth.jwt() ->> 'session_id';
  v_ended integer;
begin
  delete from auth.sessions as s
  where s.user_id = v_me and (p_keep_current is not true or s.id::text is distinct from v_session);
  get diagnostics v_ended = row_count;
  if v_ended > 0 then
    perform private.note_event('sessions.ended', v_me, jsonb_build_object('sessions', v_ended));
  end if;
  return v_ended;
end
$$;

comment on function private.sign_out_everywhere(boolean) is 'Ends the caller''s sessions, all or all but this; gives how many.';
grant execute on function private.sign_out_everywhere(boolean) to authenticated;
-- end file

-- file: sql/functions/public/sign_out_everywhere.sql
create or replace function public.sign_out_everywhere(p_keep_current boolean default false)
returns integer
language sql
volatile
security invoker
set search_path = ''
return private.sign_out_everywhere(p_keep_current);

comment on function public.sign_out_everywhere(boolean) is
  E'End all my sessions\n\nWith p_keep_current all but the one that asks. Gives how many were ended. API keys stay. Refusals: NOT_SIGNED_IN, SESSION_REQUIRED.';
grant execute on function public.sign_out_everywhere(boolean) to authenticated;
-- end file

-- file: sql/functions/private/admin_sign_out.sql
-- Definer: deletes from auth.sessions and private.api_keys, which no API role may.
create or replace function private.admin_sign_out(p_user_id uuid)
returns integer
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_ended integer;
begin
  perform private.require_permission('users.write');
  perform private.require_not_above(p_user_id);
  if not exists (select from auth.users as u where u.id = p_user_id) then
    raise sqlstate 'PT404' using
      message = 'There is no such account.', detail = 'ACCOUNT_NOT_FOUND', hint = 'list_users() finds accounts.';
  end if;
  delete from private.api_keys as k where k.user_id = p_user_id;
  delete from auth.sessions as s where s.user_id = p_user_id;
  get diagnostics v_ended = row_count;
  perform private.note_event('sessions.ended', p_user_id, jsonb_build_object('sessions', v_ended));
  return v_ended;
end
$$;

comment on function private.admin_sign_out(uuid) is 'Ends every session and API key of another person; gives how many sessions.';
grant execute on function private.admin_sign_out(uuid) to authenticated, service_role;
-- end file

-- file: sql/functions/public/admin_sign_out.sql
create or replace function public.admin_sign_out(p_user_id uuid)
returns integer
language sql
volatile
security invoker
set search_path = ''
return private.admin_sign_out(p_user_id);

comment on function public.admin_sign_out(uuid) is
  E'Sign somebody out\n\nEnds every session of a person and revokes their API keys; gives how many sessions. They may sign in again: ban them to prevent it. Refusals: PERMISSION_DENIED, ABOVE_YOURSELF, ACCOUNT_NOT_FOUND, NOT_SIGNED_IN.';
grant execute on function public.admin_sign_out(uuid) to authenticated, service_role;
-- end file

-- file: sql/functions/private/create_api_key.sql
-- Definer: writes private.api_keys, which no API role may; for the caller only. The plaintext is in the answer and nowhere else.
create or replace function private.create_api_key(p_name text, p_scopes text[], p_expires_at timestamptz)
returns public.new_api_key
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_me constant uuid := private.require_session();
  v_prefix constant text := 'rck_' || encode(extensions.gen_random_bytes(4), 'hex');
  v_plain constant text := v_prefix || '_' || encode(extensions.gen_random_bytes(32), 'hex');
  v_expires_at constant timestamptz := coalesce(p_expires_at, now() + interval '1 year');
  v_key private.api_keys;
begin
  if p_name is null or length(btrim(p_name)) not between 1 and 80 then
    raise sqlstate 'PT422' using
      message = 'A key needs a name.', detail = 'KEY_NAME_OUT_OF_RANGE', hint = 'Give it 1 to 80 characters.';
  end if;
  if p_scopes is null or cardinality(p_scopes) = 0 or not p_scopes <@ '{read,write}' then
    raise sqlstate 'PT422' using
      message = 'That is not a scope.', detail = 'UNKNOWN_SCOPE', hint = 'Give read, or read and write.';
  end if;
  if v_expires_at not between now() and now() + interval '2 years' then
    raise sqlstate 'PT422' using
      message = 'A key ends at some time in the next two years.', detail = 'EXPIRY_OUT_OF_RANGE', hint = 'Leave it out for a year.';
  end if;

  -- One creation at a time for a person, or two would both be the twentieth.
  perform pg_advisory_xact_lock(20261120, hashtext('api keys of ' || v_me));
  delete from private.api_keys as k where k.user_id = v_me and k.expires_at <= now();
  if (select count(*) from private.api_keys as k where k.user_id = v_me) >= 20 then
    raise sqlstate 'PT409' using
      message = 'You have 20 API keys already.', detail = 'TOO_MANY_API_KEYS', hint = 'Revoke one with revoke_api_key().';
  end if;

  insert into private.api_keys as k (user_id, name, prefix, digest, scopes, expires_at)
  values (
    v_me, btrim(p_name), v_prefix, sha256(convert_to(v_plain, 'UTF8')),
    case when 'write' = any (p_scopes) then '{read,write}'::text[] else '{read}'::text[] end, v_expires_at
  )
  returning k.* into v_key;
  return (v_key.id, v_key.name, v_plain, v_key.scopes, v_key.created_at, v_key.expires_at);
end
$$;

comment on function private.create_api_key(text, text[], timestamptz) is 'Makes an API key of the caller''s; gives it in plain text, once.';
grant execute on function private.create_api_key(text, text[], timestamptz) to authenticated;
-- end file

-- file: sql/functions/public/create_api_key.sql
create or replace function public.create_api_key(
  p_name text, p_scopes text[] default '{read}', p_expires_at timestamptz default null
)
returns public.new_api_key
language sql
volatile
security invoker
set search_path = ''
return private.create_api_key(p_name, p_scopes, p_expires_at);

comment on function public.create_api_key(text, text[], timestamptz) is
  E'Make an API key\n\nThe answer holds the key, and nothing else ever will: keep it. Scopes are read, or read and write; it ends after a year, or at p_expires_at (two years at most). Twenty a person. Refusals: KEY_NAME_OUT_OF_RANGE, UNKNOWN_SCOPE, EXPIRY_OUT_OF_RANGE, TOO_MANY_API_KEYS, NOT_SIGNED_IN, SESSION_REQUIRED.';
grant execute on function public.create_api_key(text, text[], timestamptz) to authenticated;
-- end file

-- file: sql/functions/private/my_api_keys.sql
-- Definer: reads private.api_keys, which no API role may; the caller's own rows, without the digest.
create or replace function private.my_api_keys()
returns setof public.api_key_state
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_me constant uuid := private.require_session();
begin
  return query
  select k.id, k.name, k.prefix, k.scopes, k.created_at, k.expires_at from private.api_keys as k
  where k.user_id = v_me
  order by k.created_at desc, k.id;
end
$$;

comment on function private.my_api_keys() is 'The caller''s API keys, newest first.';
grant execute on function private.my_api_keys() to authenticated;
-- end file

-- file: sql/functions/public/my_api_keys.sql
create or replace function public.my_api_keys()
returns setof public.api_key_state
language sql
stable
security invoker
set search_path = ''
begin atomic
  select * from private.my_api_keys();
end;

comment on function public.my_api_keys() is
  E'My API keys\n\nNewest first, each with its first characters, never the key; one whose expires_at has passed is refused. Refusals: NOT_SIGNED_IN, SESSION_REQUIRED.';
grant execute on function public.my_api_keys() to authenticated;
-- end file

-- file: sql/functions/private/revoke_api_key.sql
-- Definer: deletes from private.api_keys, which no API role may; the caller's own row only.
create or replace function private.revoke_api_key(p_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_me constant uuid := private.require_session();
begin
  delete from private.api_keys as k where k.id = p_id and k.user_id = v_me;
  if not found then
    raise sqlstate 'PT404' using
      message = 'You have no such API key.', detail = 'API_KEY_NOT_FOUND', hint = 'my_api_keys() lists them.';
  end if;
end
$$;

comment on function private.revoke_api_key(uuid) is 'Ends one of the caller''s own API keys.';
grant execute on function private.revoke_api_key(uuid) to authenticated;
-- end file

-- file: sql/functions/public/revoke_api_key.sql
create or replace function public.revoke_api_key(p_id uuid)
returns void
language sql
volatile
security invoker
set search_path = ''
return private.revoke_api_key(p_id);

comment on function public.revoke_api_key(uuid) is
  E'Revoke an API key\n\nIt is refused from the next request on. Refusals: API_KEY_NOT_FOUND, NOT_SIGNED_IN, SESSION_REQUIRED.';
grant execute on function public.revoke_api_key(uuid) to authenticated;
-- end file

-- file: sql/functions/private/verify_token.sql
-- Definer: reads the caller's roles and API key. A bad token never comes this far: PostgREST or before_request() refused it.
create or replace function private.verify_token()
returns public.token_state
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_claims constant jsonb := coalesce(auth.jwt(), '{}');
  v_key private.api_keys;
begin
  select k.* into v_key from private.api_keys as k where k.id = (v_claims ->> 'api_key_id')::uuid;
  return (
    current_setting('role'),
    auth.uid(),
    case when v_key.id is not null then 'api_key' when v_claims ? 'session_id' then 'session' else 'key' end,
    (v_claims ->> 'session_id')::uuid,
    v_key.id,
    v_key.scopes,
    case when v_key.id is null then private.roles_of(auth.uid()) else '{}' end,
    v_claims ->> 'aal',
    coalesce(v_key.created_at, to_timestamp((v_claims ->> 'iat')::double precision)),
    coalesce(v_key.expires_at, to_timestamp((v_claims ->> 'exp')::double precision))
  );
end
$$;

comment on function private.verify_token() is 'What the caller''s credential is worth.';
grant execute on function private.verify_token() to anon, authenticated, service_role;
-- end file

-- file: sql/functions/public/verify_token.sql
create or replace function public.verify_token()
returns public.token_state
language sql
stable
security invoker
set search_path = ''
return private.verify_token();

comment on function public.verify_token() is
  E'What my token is worth\n\nThe role it gives, whose it is, its session or API key, the roles held now and when it ends. A token that is worth nothing is refused with 401 instead.';
grant execute on function public.verify_token() to anon, authenticated, service_role;
-- end file

-- file: sql/functions/private/rate_limits.sql
-- Definer: reads private.rate_limits, which no API role may.
create or replace function private.rate_limits()
returns setof public.rate_limit
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  perform private.require_permission('limits.write');
  return query
  select l.name, l.caller, l.for_reads, l.path, l.capacity, l.refill_per_second, l.updated_at, l.updated_by
  from private.rate_limits as l
  order by l.name;
end
$$;

comment on function private.rate_limits() is 'Every rate limit by name.';
grant execute on function private.rate_limits() to authenticated, service_role;
-- end file

-- file: sql/functions/public/rate_limits.sql
create or replace function public.rate_limits()
returns setof public.rate_limit
language sql
stable
security invoker
set search_path = ''
begin atomic
  select * from private.rate_limits();
end;

comment on function public.rate_limits() is
  E'Rate limits\n\nWhom each limits, at what, the burst and the refill. For holders of limits.write. Refusals: PERMISSION_DENIED, NOT_SIGNED_IN.';
grant execute on function public.rate_limits() to authenticated, service_role;
-- end file

-- file: sql/functions/private/may_predict.sql
-- Definer: reads ml.models, which no API role may. Volatile, so that it is counted as a write is, exactly: each call stands for work of
-- a model. Whether a model is there is not told of those that are not open.
create or replace function private.may_predict(p_model text)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.require_user();
  if not exists (select from ml.models as m where m.name = p_model and m.is_open) then
    raise sqlstate 'PT404' using
      message = 'There is no such model to ask.', detail = 'UNKNOWN_MODEL', hint = 'The operator says which models are open.';
  end if;
end
$$;

comment on function private.may_predict(text) is 'Refuses a caller who may not ask this model directly.';
grant execute on function private.may_predict(text) to authenticated;
-- end file

-- file: sql/functions/public/may_predict.sql
create or replace function public.may_predict(p_model text)
returns void
language sql
volatile
security invoker
set search_path = ''
return private.may_predict(p_model);

comment on function public.may_predict(text) is
  E'May I ask this model?\n\nAnswers nothing, or refuses; the edge function predict asks it for each of its calls. Refusals: UNKNOWN_MODEL, NOT_SIGNED_IN, RATE_LIMITED.';
grant execute on function public.may_predict(text) to authenticated;
-- end file

-- file: sql/functions/private/set_rate_limit.sql
-- Definer: writes private.rate_limits, which no API role may.
create or replace function private.set_rate_limit(
  p_name text, p_capacity integer, p_refill_per_second double precision, p_caller text, p_for_reads boolean, p_path text
)
returns public.rate_limit
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_limit private.rate_limits;
begin
  perform private.require_permission('limits.write');
  if p_caller is not null and p_caller <> all ('{anon,authenticated,service_role,api_key}')
    and not exists (select from public.app_roles as r where r.name = p_caller)
  then
    raise sqlstate 'PT404' using
      message = 'There is no such role.', detail = 'ROLE_NOT_FOUND',
      hint = 'Give anon, authenticated, service_role, api_key, or one of app_roles.';
  end if;

  insert into private.rate_limits as l (name, caller, for_reads, path, capacity, refill_per_second, updated_by)
  values (
    p_name, coalesce(p_caller, 'authenticated'), coalesce(p_for_reads, false), p_path, p_capacity, p_refill_per_second, auth.uid()
  )
  on conflict (name) do update set
    caller = coalesce(p_caller, l.caller), for_reads = coalesce(p_for_reads, l.for_reads), path = coalesce(p_path, l.path),
    capacity = excluded.capacity, refill_per_second = excluded.refill_per_second,
    updated_at = now(), updated_by = excluded.updated_by
  returning l.* into v_limit;
  -- What was counted under the old limit says nothing under the new one.
  perform private.forget_rate_buckets(p_name);

  return (
    v_limit.name, v_limit.caller, v_limit.for_reads, v_limit.path, v_limit.capacity, v_limit.refill_per_second,
    v_limit.updated_at, v_limit.updated_by
  );
exception
  when check_violation or not_null_violation then
    raise sqlstate 'PT422' using
      message = 'That limit is not one that is taken.', detail = 'RATE_LIMIT_OUT_OF_RANGE',
      hint = 'Capacity is 1 to 100000, refill_per_second 0.0001 to 100000; the name has a-z, 0-9 and _, a path begins with a slash.';
  when unique_violation then
    raise sqlstate 'PT409' using
      message = 'Another limit is on the same callers and path.', detail = 'RATE_LIMIT_EXISTS', hint = 'rate_limits() lists them.';
end
$$;

comment on function private.set_rate_limit(text, integer, double precision, text, boolean, text) is 'Makes or changes a rate limit.';
grant execute on function private.set_rate_limit(text, integer, double precision, text, boolean, text) to authenticated, service_role;
-- end file

-- file: sql/functions/public/set_rate_limit.sql
create or replace function public.set_rate_limit(
  p_name text, p_capacity integer, p_refill_per_second double precision,
  p_caller text default null, p_for_reads boolean default null, p_path text default null
)
returns public.rate_limit
language sql
volatile
security invoker
set search_path = ''
return private.set_rate_limit(p_name, p_capacity, p_refill_per_second, p_caller, p_for_reads, p_path);

comment on function public.set_rate_limit(text, integer, double precision, text, boolean, text) is
  E'Make or change a rate limit\n\nIt holds from the next request on. What is left out stays; a new limit is for authenticated, writes and every path. For holders of limits.write. Refusals: RATE_LIMIT_OUT_OF_RANGE, RATE_LIMIT_EXISTS, ROLE_NOT_FOUND, PERMISSION_DENIED, NOT_SIGNED_IN.';
grant execute on function public.set_rate_limit(text, integer, double precision, text, boolean, text) to authenticated, service_role;
-- end file

-- file: sql/functions/private/remove_rate_limit.sql
-- Definer: writes private.rate_limits, which no API role may.
create or replace function private.remove_rate_limit(p_name text)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.require_permission('limits.write');
  delete from private.rate_limits as l where l.name = p_name;
  if not found then
    raise sqlstate 'PT404' using
      message = 'There is no such limit.', detail = 'RATE_LIMIT_NOT_FOUND', hint = 'rate_limits() lists them.';
  end if;
  perform private.forget_rate_buckets(p_name);
end
$$;

comment on function private.remove_rate_limit(text) is 'Lifts a rate limit.';
grant execute on function private.remove_rate_limit(text) to authenticated, service_role;
-- end file

-- file: sql/functions/public/remove_rate_limit.sql
create or replace function public.remove_rate_limit(p_name text)
returns void
language sql
volatile
security invoker
set search_path = ''
return private.remove_rate_limit(p_name);

comment on function public.remove_rate_limit(text) is
  E'Lift a rate limit\n\nFor holders of limits.write. Refusals: RATE_LIMIT_NOT_FOUND, PERMISSION_DENIED, NOT_SIGNED_IN.';
grant execute on function public.remove_rate_limit(text) to authenticated, service_role;
-- end file

-- file: sql/policies/realtime_messages.sql
-- Private channels. A person hears the topic `user:<their id>` and nothing else, for as long as the session lasts; no client may speak
-- on a private channel, so there is no policy for INSERT. The table belongs to the platform, which grants it to the API roles.
drop policy if exists "people hear their own channel" on realtime.messages;
create policy "people hear their own channel" on realtime.messages
for select to authenticated
using (
  extension = 'broadcast'
  and (select realtime.topic()) = 'user:' || (select auth.uid())::text
  and topic = (select realtime.topic())
  and (select private.session_is_live())
);
-- end file

select private.audit('private.rate_limits', p_ignore => '{updated_at,updated_by}');
select private.audit('private.api_keys', p_subject => 'user_id', p_hide => '{digest}');

do $$
begin
  if to_regnamespace('cron') is not null then
    perform cron.schedule('rowcast-rate-buckets', '*/10 * * * *', 'select private.forget_rate_buckets()');
  end if;
end
$$;

-- Last, so that no request meets half of this.
do $$
begin
  alter role authenticator set pgrst.db_pre_request = 'gate.before_request';
  notify pgrst, 'reload config';
end
$$;
