-- Purpose: feature flags as rows, the two hooks of Auth that read them and the roles, and how database and queue are.
-- Locks and risks: new objects only. The hooks count once config.toml is pushed (`supabase config push`) or the dashboard says so.
-- Undo: switch the hooks off in Auth first, or nobody can sign in; drop the functions, types and public.feature_flags;
-- revoke usage on schema private from supabase_auth_admin.

create table public.feature_flags (
  name text constraint feature_flags_pkey primary key
    constraint feature_flags_name_check check (name ~ '^[a-z][a-z0-9_]{0,39}$'),
  enabled boolean not null,
  description text not null constraint feature_flags_description_check check (length(description) between 1 and 500),
  updated_at timestamptz not null default now(),
  updated_by uuid constraint feature_flags_updated_by_fkey references auth.users (id) on delete set null
);

comment on table public.feature_flags is
  E'Features that can be switched while everything runs.\n\nA new one is inserted by the migration that brings the code which asks for it.';
comment on column public.feature_flags.name is 'What code asks for.';
comment on column public.feature_flags.enabled is 'Whether it is on.';
comment on column public.feature_flags.description is 'What is different while it is off.';
comment on column public.feature_flags.updated_at is 'When it was last switched.';
comment on column public.feature_flags.updated_by is 'Who switched it; NULL for a back end, or an account that is gone.';

create index feature_flags_updated_by_idx on public.feature_flags (updated_by);

alter table public.feature_flags enable row level security;

-- file: sql/policies/feature_flags.sql
-- Read through feature_flags() and flag(), written through set_flag(). No policy, so no API role sees a row of the table itself.
revoke all on public.feature_flags from anon, authenticated, service_role;
grant select on public.feature_flags to service_role;
-- end file

insert into public.feature_flags (name, enabled, description)
values
('registration', true, 'Off: nobody can sign up. Accounts that are there sign in as ever; an administrator can still make new ones.'),
('social_login', true, 'Off: no new accounts through other providers. Accounts that are there sign in as ever.'),
('ml_recommendations', true, 'Off: lists come in a plain order, without the model''s.'),
('affiliate_tracking', true, 'Off: outgoing links carry no affiliate''s mark, and clicks are not counted.');

create type public.feature_flag_state as (name text, enabled boolean, description text, updated_at timestamptz);
comment on type public.feature_flag_state is 'A row of feature_flags().';

-- file: sql/functions/private/flag.sql
-- Definer: the table has no reader among the API roles, so that no policy has to be asked for a switch that everybody may know.
-- An unknown name is a mistake in the caller's code; answering false would hide it for ever.
create or replace function private.flag(p_name text)
returns boolean
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_enabled boolean;
begin
  select f.enabled into v_enabled from public.feature_flags as f where f.name = p_name;
  if not found then
    raise sqlstate 'PT404' using
      message = 'There is no such feature flag.', detail = 'FLAG_NOT_FOUND', hint = 'feature_flags() lists them.';
  end if;
  return v_enabled;
end
$$;

comment on function private.flag(text) is 'Whether a feature is on. One index probe; for use inside SQL.';
grant execute on function private.flag(text) to anon, authenticated, service_role;
-- end file

-- file: sql/functions/public/flag.sql
create or replace function public.flag(p_name text)
returns boolean
language sql
stable
security invoker
set search_path = ''
return private.flag(p_name);

comment on function public.flag(text) is
  E'Is a feature on\n\nOne feature flag by its name. A name that does not exist is refused, never false.';
grant execute on function public.flag(text) to anon, authenticated, service_role;
-- end file

-- file: sql/functions/private/feature_flags.sql
-- Definer: as private.flag. Leaves out who switched: that is for the audit trail.
create or replace function private.feature_flags()
returns setof public.feature_flag_state
language sql
stable
security definer
set search_path = ''
begin atomic
select f.name, f.enabled, f.description, f.updated_at from public.feature_flags as f order by f.name;
end;

comment on function private.feature_flags() is 'All feature flags, by name.';
grant execute on function private.feature_flags() to anon, authenticated, service_role;
-- end file

-- file: sql/functions/public/feature_flags.sql
create or replace function public.feature_flags()
returns setof public.feature_flag_state
language sql
stable
security invoker
set search_path = ''
begin atomic
select f.* from private.feature_flags() as f;
end;

comment on function public.feature_flags() is E'What is on\n\nAll feature flags by name. Needs no sign-in: front ends ask before they show a form.';
grant execute on function public.feature_flags() to anon, authenticated, service_role;
-- end file

-- file: sql/functions/private/set_flag.sql
-- Definer: nobody has a right to write the table itself. The caller must hold flags.write, or have the secret key.
create or replace function private.set_flag(p_name text, p_enabled boolean)
returns public.feature_flags
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_flag public.feature_flags;
begin
  perform private.require_permission('flags.write');
  if p_enabled is null then
    raise sqlstate 'PT422' using
      message = 'A feature is on or off.', detail = 'FLAG_VALUE_MISSING', hint = 'Send p_enabled as true or false.';
  end if;

  select f.* into v_flag from public.feature_flags as f where f.name = p_name for update;
  if not found then
    raise sqlstate 'PT404' using
      message = 'There is no such feature flag.', detail = 'FLAG_NOT_FOUND', hint = 'feature_flags() lists them.';
  end if;
  -- Saying it twice is no second change, so the first one's time and author stay.
  if v_flag.enabled <> p_enabled then
    update public.feature_flags as f set enabled = p_enabled, updated_at = now(), updated_by = auth.uid()
    where f.name = p_name
    returning f.* into v_flag;
  end if;
  return v_flag;
end
$$;

comment on function private.set_flag(text, boolean) is 'Switches a feature for holders of flags.write.';
grant execute on function private.set_flag(text, boolean) to authenticated, service_role;
-- end file

-- file: sql/functions/public/set_flag.sql
create or replace function public.set_flag(p_name text, p_enabled boolean)
returns public.feature_flags
language sql
volatile
security invoker
set search_path = ''
return private.set_flag(p_name, p_enabled);

comment on function public.set_flag(text, boolean) is
  E'Switch a feature\n\nFor holders of flags.write. Counts from the next statement of everybody; the same value again changes nothing.';
grant execute on function public.set_flag(text, boolean) to authenticated, service_role;
-- end file

-- Auth finds its hooks by name, so its role needs USAGE besides EXECUTE on the two. Nothing else in the schema is granted to it.
grant usage on schema private to supabase_auth_admin;

-- file: sql/functions/private/hook_before_user_created.sql
-- Auth calls this as supabase_auth_admin before it makes an account, with {"metadata": …, "user": …}. Accounts that an
-- administrator makes (POST /admin/users) do not pass here; invitations and generated sign-up links do.
-- Definer: Auth's role needs no right on our tables beyond this call, and row-level security would hide them from it.
-- Whatever is raised here refuses the sign-up too, with a 500: closed rather than open.
create or replace function private.hook_before_user_created(p_event jsonb)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  -- Anonymous accounts come without a provider.
  v_provider text := coalesce(p_event #>> '{user,app_metadata,provider}', 'anonymous');
begin
  if not private.flag('registration') then
    return jsonb_build_object('error', jsonb_build_object('http_code', 403, 'message', 'Registration is closed at the moment.'));
  end if;
  if v_provider not in ('email', 'phone', 'anonymous') and not private.flag('social_login') then
    return jsonb_build_object(
      'error', jsonb_build_object('http_code', 403, 'message', 'Sign-up through another provider is switched off at the moment.')
    );
  end if;
  return '{}';
end
$$;

comment on function private.hook_before_user_created(jsonb) is
  'Auth''s before-user-created hook: refuses sign-ups while the flags registration or social_login say so.';
grant execute on function private.hook_before_user_created(jsonb) to supabase_auth_admin;
-- end file

-- file: sql/functions/private/hook_custom_access_token.sql
-- Auth calls this as supabase_auth_admin before it signs a token, with {"user_id": …, "claims": …}.
-- The claim is a convenience for front ends, which show or hide things by it. It is as old as the token, so nothing in the
-- database reads it: every check asks public.user_roles, where a revoked right is gone at once.
-- Definer: Auth's role needs no right on our tables beyond this call, and row-level security would hide them from it.
create or replace function private.hook_custom_access_token(p_event jsonb)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  return jsonb_build_object(
    'claims',
    (p_event -> 'claims') || jsonb_build_object('app_roles', private.roles_of((p_event ->> 'user_id')::uuid))
  );
end
$$;

comment on function private.hook_custom_access_token(jsonb) is
  'Auth''s custom-access-token hook: the roles held now, in the claim app_roles. No check may read that claim.';
grant execute on function private.hook_custom_access_token(jsonb) to supabase_auth_admin;
-- end file

create type public.health_db_report as (
  status text, checked_at timestamptz, probe_ms double precision, cache_hit_ratio double precision, connections integer,
  max_connections integer, oldest_transaction_seconds double precision, database_bytes bigint
);
comment on type public.health_db_report is 'Answer of health_db().';

create type public.health_queue_report as (
  status text, checked_at timestamptz, queue_depth bigint, oldest_job_seconds double precision, pending bigint, background bigint,
  waiting bigint, running bigint, per_second double precision, dead_letters bigint, workers_alive bigint,
  last_heartbeat_at timestamptz, last_prediction_at timestamptz
);
comment on type public.health_queue_report is 'Answer of health_queue().';

-- file: sql/functions/private/health_db.sql
-- Definer: reads what pg_monitor may. Names no session, query or address. Anybody may ask, so the figures that take a look at
-- every file are gathered for the signed-in only.
create or replace function private.health_db()
returns public.health_db_report
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_report public.health_db_report;
  v_started timestamptz := clock_timestamp();
begin
  perform from public.feature_flags as f where f.name = 'registration';
  v_report.probe_ms := extract(epoch from clock_timestamp() - v_started) * 1000;

  select count(*), coalesce(max(extract(epoch from clock_timestamp() - a.xact_start)) filter (where a.pid <> pg_backend_pid()), 0)
  into v_report.connections, v_report.oldest_transaction_seconds
  from pg_stat_activity as a
  where a.backend_type = 'client backend';
  -- What is reserved is not to be had; the second setting is there from PostgreSQL 16 on.
  v_report.max_connections := current_setting('max_connections')::integer
    - current_setting('superuser_reserved_connections')::integer - coalesce(current_setting('reserved_connections', true), '0')::integer;

  v_report.status := case
    when v_report.connections >= 0.9 * v_report.max_connections or v_report.oldest_transaction_seconds > 3600 then 'degraded'
    else 'ok'
  end;
  v_report.checked_at := now();
  if auth.role() is distinct from 'authenticated' and auth.role() is distinct from 'service_role' then
    return row(v_report.status, v_report.checked_at, null, null, null, null, null, null)::public.health_db_report;
  end if;

  select round(d.blks_hit / nullif(d.blks_hit + d.blks_read, 0)::numeric, 4) into v_report.cache_hit_ratio
  from pg_stat_database as d
  where d.datname = current_database();
  v_report.database_bytes := pg_database_size(current_database());
  return v_report;
end
$$;

comment on function private.health_db() is 'How the database is: figures for the signed-in, the verdict alone for others.';
grant execute on function private.health_db() to anon, authenticated, service_role;
-- end file

-- file: sql/functions/public/health_db.sql
create or replace function public.health_db()
returns public.health_db_report
language sql
stable
security invoker
set search_path = ''
return private.health_db();

comment on function public.health_db() is
  E'How the database is\n\nFigures for the signed-in; others see status and checked_at. `degraded` from nine tenths of the connections, or when a transaction is open for more than an hour.';
grant execute on function public.health_db() to anon, authenticated, service_role;
-- end file

-- file: sql/functions/private/health_queue.sql
-- Definer: reads ml.*, which no API role may. Without a worker nobody has counted the queue lately, and counting is not for
-- anybody to cause: a stranger is told at once that it is degraded, which is what the count would come to.
create or replace function private.health_queue()
returns public.health_queue_report
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_known boolean := coalesce(auth.role() in ('authenticated', 'service_role'), false);
  v_report public.health_queue_report;
  r public.health_report;
begin
  v_report.status := 'degraded';
  v_report.checked_at := now();
  if not v_known and not exists (select from ml.workers as w where w.seen_at > now() - interval '15 seconds') then
    return v_report;
  end if;

  r := private.health_report();
  v_report.status := r.status;
  if v_known then
    v_report.queue_depth := r.queue_depth;
    v_report.oldest_job_seconds := r.oldest_job_seconds;
    v_report.pending := r.pending;
    v_report.background := r.background;
    v_report.waiting := r.waiting;
    v_report.running := r.running;
    v_report.per_second := r.per_second;
    v_report.dead_letters := r.dead_letters;
    v_report.workers_alive := r.workers_alive;
    v_report.last_heartbeat_at := r.last_heartbeat_at;
    v_report.last_prediction_at := r.last_prediction_at;
  end if;
  return v_report;
end
$$;

comment on function private.health_queue() is 'How the queue is: figures for the signed-in, the verdict alone for others.';
grant execute on function private.health_queue() to anon, authenticated, service_role;
-- end file

-- file: sql/functions/public/health_queue.sql
create or replace function public.health_queue()
returns public.health_queue_report
language sql
stable
security invoker
set search_path = ''
return private.health_queue();

comment on function public.health_queue() is
  E'How the queue is\n\nFigures for the signed-in; others see status and checked_at. `degraded` when no worker was heard for 15 s or a job waits for more than 60 s, as in health_detailed().';
grant execute on function public.health_queue() to anon, authenticated, service_role;
-- end file
