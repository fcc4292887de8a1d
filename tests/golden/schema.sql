CREATE SCHEMA gate;

CREATE SCHEMA ml;

CREATE SCHEMA private;

CREATE SCHEMA public;

CREATE TYPE ml.finding AS (
	severity text,
	finding text,
	object text,
	detail text,
	fix text
);

CREATE TYPE ml.owed AS (
	row_key text,
	owner_id uuid,
	enqueued_at timestamp with time zone,
	is_new boolean,
	is_background boolean,
	attempts smallint,
	deferrals smallint,
	suspicion smallint,
	input_hash bytea
);

CREATE TYPE public.account AS (
	id uuid,
	email text,
	phone text,
	display_name text,
	username text,
	avatar_url text,
	locale text,
	time_zone text,
	roles text[],
	permissions text[],
	confirmed boolean,
	last_sign_in_at timestamp with time zone,
	banned_until timestamp with time zone,
	created_at timestamp with time zone,
	updated_at timestamp with time zone
);

CREATE TYPE public.api_key_state AS (
	id uuid,
	name text,
	prefix text,
	scopes text[],
	created_at timestamp with time zone,
	expires_at timestamp with time zone
);

CREATE TYPE public.audit_chain AS (
	month text,
	entries bigint,
	redacted bigint,
	ok boolean,
	first_broken bigint,
	problem text,
	head text
);

CREATE TYPE public.audit_entry AS (
	id bigint,
	created_at timestamp with time zone,
	action text,
	table_name text,
	row_key text,
	subject_id uuid,
	actor_id uuid,
	actor_role text,
	old_values jsonb,
	new_values jsonb,
	request_id text,
	is_redacted boolean
);

CREATE TYPE public.eta_quote AS (
	eta_seconds integer,
	distance_metres integer,
	eta_source text
);

CREATE TYPE public.feature_flag_state AS (
	name text,
	enabled boolean,
	description text,
	updated_at timestamp with time zone
);

CREATE TYPE public.health_db_report AS (
	status text,
	checked_at timestamp with time zone,
	probe_ms double precision,
	cache_hit_ratio double precision,
	connections integer,
	max_connections integer,
	oldest_transaction_seconds double precision,
	database_bytes bigint
);

CREATE TYPE public.health_queue_report AS (
	status text,
	checked_at timestamp with time zone,
	queue_depth bigint,
	oldest_job_seconds double precision,
	pending bigint,
	background bigint,
	waiting bigint,
	running bigint,
	per_second double precision,
	dead_letters bigint,
	workers_alive bigint,
	last_heartbeat_at timestamp with time zone,
	last_prediction_at timestamp with time zone
);

CREATE TYPE public.health_report AS (
	status text,
	service text,
	database text,
	queue_depth bigint,
	oldest_job_seconds double precision,
	workers_alive bigint,
	last_heartbeat_at timestamp with time zone,
	last_prediction_at timestamp with time zone,
	checked_at timestamp with time zone,
	pending bigint,
	background bigint,
	waiting bigint,
	running bigint,
	per_second double precision,
	dead_letters bigint,
	predictions jsonb
);

CREATE TYPE public.health_status AS (
	status text,
	service text,
	checked_at timestamp with time zone
);

CREATE TYPE public.new_api_key AS (
	id uuid,
	name text,
	key text,
	scopes text[],
	created_at timestamp with time zone,
	expires_at timestamp with time zone
);

CREATE TYPE public.notification_setting AS (
	kind text,
	title text,
	description text,
	can_be_muted boolean,
	muted boolean
);

CREATE TYPE public.owned_object AS (
	bucket_id text,
	name text,
	metadata jsonb,
	created_at timestamp with time zone
);

CREATE TYPE public.pickup_kind AS ENUM (
    'ride',
    'parcel',
    'pool'
);

CREATE TYPE public.pickup_status AS ENUM (
    'requested',
    'assigned',
    'picked_up',
    'completed',
    'cancelled'
);

CREATE TYPE public.prediction_state AS (
	prediction text,
	row_key text,
	status text,
	reason text,
	attempts integer,
	since timestamp with time zone,
	next_try_at timestamp with time zone
);

CREATE TYPE public.rate_limit AS (
	name text,
	caller text,
	for_reads boolean,
	path text,
	capacity integer,
	refill_per_second double precision,
	updated_at timestamp with time zone,
	updated_by uuid
);

CREATE TYPE public.session_state AS (
	id uuid,
	created_at timestamp with time zone,
	refreshed_at timestamp with time zone,
	user_agent text,
	ip text,
	aal text,
	is_current boolean
);

CREATE TYPE public.sign_in_quality AS (
	sign_ins bigint,
	scored bigint,
	alarms bigint,
	alarms_not_me bigint,
	alarms_was_me bigint,
	missed bigint,
	confirmed_share numeric,
	alarm_share numeric
);

CREATE TYPE public.token_state AS (
	role text,
	user_id uuid,
	credential text,
	session_id uuid,
	api_key_id uuid,
	scopes text[],
	roles text[],
	aal text,
	issued_at timestamp with time zone,
	expires_at timestamp with time zone
);

CREATE TYPE public.user_page AS (
	total bigint,
	page integer,
	page_size integer,
	users public.account[]
);

CREATE FUNCTION private.before_request() RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION gate.before_request() RETURNS text
    LANGUAGE sql
    RETURN set_config('role'::text, private.before_request(), true);

CREATE FUNCTION ml.absorb_retries(p_attachment_id smallint, p_jobs ml.owed[]) RETURNS ml.owed[]
    LANGUAGE plpgsql
    SET search_path TO ''
    SET enable_seqscan TO 'off'
    AS -- as in sql/functions

CREATE FUNCTION ml.accept_webhook(p_webhook_id text, p_change jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.advance_backfills(p_step integer DEFAULT 10000) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.allowance(p_model text, p_limit integer, OUT calls integer, OUT each_owner bigint, OUT shut uuid[]) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE TABLE ml.attachments (
    id smallint NOT NULL,
    name text NOT NULL,
    source_table regclass NOT NULL,
    key_column name NOT NULL,
    key_type regtype NOT NULL,
    model text NOT NULL,
    input_expression text NOT NULL,
    watched_columns name[] NOT NULL,
    owner_column name,
    apply_function text NOT NULL,
    paused_at timestamp with time zone,
    generated_hash text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT attachments_name_check CHECK ((name ~ '^[a-z][a-z0-9_]{0,39}$'::text)),
    CONSTRAINT attachments_watched_columns_check CHECK ((cardinality(watched_columns) > 0))
);

CREATE FUNCTION ml.answered(a ml.attachments, p_jobs ml.owed[], p_row_keys text[], p_hashes bytea[], p_model_version text, p_since timestamp with time zone DEFAULT NULL::timestamp with time zone) RETURNS text[]
    LANGUAGE plpgsql
    SET search_path TO ''
    SET enable_seqscan TO 'off'
    AS -- as in sql/functions

CREATE FUNCTION ml.attach(p_name text, p_table regclass, p_model text, p_input text, p_watch text[], p_apply text, p_owner text DEFAULT NULL::text) RETURNS smallint
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.backfill(p_name text, p_limit integer DEFAULT 10000, p_restart boolean DEFAULT false) RETURNS TABLE(enqueued bigint, total bigint, finished boolean)
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.cancel(p_name text, p_row_key text, p_reason text DEFAULT NULL::text) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.claim(p_worker text, p_models jsonb, p_limit integer DEFAULT 64, p_batches jsonb DEFAULT '{}'::jsonb, p_request_id text DEFAULT NULL::text, p_webhook_id text DEFAULT NULL::text, p_change jsonb DEFAULT NULL::jsonb) RETURNS TABLE(token uuid, prediction text, model text, size integer, inputs text, batch_size integer, timeout_ms integer, protocol text, url text, options jsonb, version text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    SET plan_cache_mode TO 'force_generic_plan'
    AS -- as in sql/functions

CREATE FUNCTION ml.commit(p_token uuid, p_outputs jsonb, p_model_version text, p_positions integer[] DEFAULT NULL::integer[], p_lows double precision[] DEFAULT NULL::double precision[], p_highs double precision[] DEFAULT NULL::double precision[], p_tokens bigint DEFAULT NULL::bigint, p_request_id text DEFAULT NULL::text) RETURNS TABLE(outcome text, jobs integer)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    SET plan_cache_mode TO 'force_generic_plan'
    AS -- as in sql/functions

CREATE FUNCTION ml.count_queue() RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.count_ready_retries(p_attachment_id smallint, p_most integer, p_shut uuid[]) RETURNS integer
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    SET enable_seqscan TO 'off'
    AS -- as in sql/functions

CREATE FUNCTION ml.detach(p_name text) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.doctor(p_held_for interval DEFAULT '00:10:00'::interval) RETURNS SETOF ml.finding
    LANGUAGE sql STABLE
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.doctor_attachments() RETURNS SETOF ml.finding
    LANGUAGE sql STABLE
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.doctor_cron() RETURNS SETOF ml.finding
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.doctor_storage(p_held_for interval) RETURNS SETOF ml.finding
    LANGUAGE sql STABLE
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.doctor_work() RETURNS SETOF ml.finding
    LANGUAGE sql STABLE
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.drop_gone(p_attachment_id smallint, p_row_keys text[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.enqueue(p_attachment_id smallint, p_row_keys text[], p_background boolean DEFAULT false, p_is_new boolean DEFAULT false) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.fail(p_token uuid, p_class text, p_error text DEFAULT NULL::text, p_positions integer[] DEFAULT NULL::integer[], p_retry_after real DEFAULT NULL::real, p_request_id text DEFAULT NULL::text) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.forget_jobs(p_attachment_id smallint) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.generate(a ml.attachments) RETURNS TABLE(object_name name, definition text)
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.generated_hash(a ml.attachments) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO ''
    AS -- as in sql/functions

CREATE TABLE ml.models (
    name text NOT NULL,
    batch_size integer DEFAULT 64 NOT NULL,
    timeout_ms integer DEFAULT 5000 NOT NULL,
    lease_seconds real DEFAULT 15 NOT NULL,
    max_attempts smallint DEFAULT 5 NOT NULL,
    backoff_seconds real DEFAULT 2 NOT NULL,
    protocol text,
    url text,
    options jsonb DEFAULT '{}'::jsonb NOT NULL,
    version text,
    breaker_until timestamp with time zone,
    breaker_since timestamp with time zone,
    breaker_reason text,
    is_open boolean DEFAULT false NOT NULL,
    CONSTRAINT models_backoff_seconds_check CHECK (((backoff_seconds >= (0)::double precision) AND (backoff_seconds <= (3600)::double precision))),
    CONSTRAINT models_batch_size_check CHECK (((batch_size >= 1) AND (batch_size <= 10000))),
    CONSTRAINT models_lease_seconds_check CHECK (((lease_seconds >= (0.5)::double precision) AND (lease_seconds <= (3600)::double precision))),
    CONSTRAINT models_max_attempts_check CHECK (((max_attempts >= 1) AND (max_attempts <= 100))),
    CONSTRAINT models_name_check CHECK ((name ~ '^[a-z][a-z0-9_]{0,39}$'::text)),
    CONSTRAINT models_options_check CHECK ((jsonb_typeof(options) = 'object'::text)),
    CONSTRAINT models_place_check CHECK (((protocol IS NULL) = (url IS NULL))),
    CONSTRAINT models_protocol_check CHECK ((protocol = ANY (ARRAY['open-inference'::text, 'openai'::text, 'plain'::text]))),
    CONSTRAINT models_timeout_ms_check CHECK (((timeout_ms >= 1) AND (timeout_ms <= 600000))),
    CONSTRAINT models_url_check CHECK (((url ~ '^https?://[^@[:space:]]+$'::text) AND (length(url) <= 2000))),
    CONSTRAINT models_version_check CHECK (((length(version) >= 1) AND (length(version) <= 200)))
);

CREATE FUNCTION ml.give_back(a ml.attachments, m ml.models, p_jobs ml.owed[], p_reason text, p_error text, p_charge boolean, p_wait interval DEFAULT NULL::interval, p_leased_at timestamp with time zone DEFAULT clock_timestamp(), p_request_id text DEFAULT NULL::text) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.heartbeat(p_worker text, p_models jsonb, p_tokens uuid[] DEFAULT '{}'::uuid[], p_activity jsonb DEFAULT '{}'::jsonb) RETURNS SETOF uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.hint() RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.hold_back(p_attachment_id smallint, p_model text, p_each bigint, INOUT retries ml.owed[], INOUT fresh ml.owed[]) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.input_error(a ml.attachments) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.lanes(p_attachment_id smallint, p_background boolean, p_next uuid, p_floor timestamp with time zone, p_limit integer, p_shut uuid[]) RETURNS uuid[]
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.lease(a ml.attachments, m ml.models, p_jobs ml.owed[], p_retries boolean, p_size integer, p_worker text, p_model_version text, p_request_id text) RETURNS TABLE(token uuid, size integer, inputs text)
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.let_overtake(a ml.attachments, m ml.models, p_jobs ml.owed[]) RETURNS ml.owed[]
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.maintain(p_keep_months integer DEFAULT 12) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.nobody() RETURNS uuid
    LANGUAGE sql IMMUTABLE
    SET search_path TO ''
    RETURN '00000000-0000-0000-0000-000000000000'::uuid;

CREATE FUNCTION ml.note_queue_state() RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.pause(p_name text) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.pickup_eta__read(p_row_keys text[], p_lock boolean, OUT row_keys text[], OUT inputs text[], OUT hashes bytea[]) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO ''
    SET enable_seqscan TO 'off'
    AS $$
    begin
      if p_lock then
        select array_agg(f.row_key), array_agg(f.input), array_agg(sha256(convert_to(f.input, 'UTF8')))
        into row_keys, inputs, hashes
        from (
          select t.id::text as row_key, (
    case when t.status not in ('completed', 'cancelled') then jsonb_build_object(
      'origin_lat', t.origin_lat, 'origin_lng', t.origin_lng, 'dest_lat', t.dest_lat, 'dest_lng', t.dest_lng,
      'kind', t.kind, 'estimate_seconds', t.estimate_seconds,
      'requested_at', to_char(t.requested_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
    ) end
  )::jsonb::text as input
          from public.pickup_requests as t where t.id = any (p_row_keys::uuid[]) for no key update of t skip locked
        ) as f;
      else
        select array_agg(f.row_key), array_agg(f.input), array_agg(sha256(convert_to(f.input, 'UTF8')))
        into row_keys, inputs, hashes
        from (
          select t.id::text as row_key, (
    case when t.status not in ('completed', 'cancelled') then jsonb_build_object(
      'origin_lat', t.origin_lat, 'origin_lng', t.origin_lng, 'dest_lat', t.dest_lat, 'dest_lng', t.dest_lng,
      'kind', t.kind, 'estimate_seconds', t.estimate_seconds,
      'requested_at', to_char(t.requested_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
    ) end
  )::jsonb::text as input
          from public.pickup_requests as t where t.id = any (p_row_keys::uuid[])
        ) as f;
      end if;
    end
    $$;

CREATE FUNCTION ml.queue_stats() RETURNS TABLE(prediction text, model text, pending bigint, background bigint, waiting bigint, running bigint, oldest_seconds double precision, per_second double precision, full_batches integer, dead_letters bigint, paused_at timestamp with time zone, breaker_until timestamp with time zone, breaker_reason text, calls_today bigint, tokens_today bigint, counted_at timestamp with time zone, dead_tuples bigint, oldest_snapshot_seconds double precision, workers_alive bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.read_inputs(a ml.attachments, m ml.models, p_jobs ml.owed[], p_request_id text, OUT row_keys text[], OUT inputs text[], OUT hashes bytea[], OUT failed text[]) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.reclaim_expired() RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.redrive(p_name text DEFAULT NULL::text, p_limit integer DEFAULT 1000) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.resume(p_name text) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.send_wakeup() RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE TABLE ml.leases (
    token uuid NOT NULL,
    attachment_id smallint NOT NULL,
    worker text NOT NULL,
    request_id text,
    leased_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    lease_until timestamp with time zone NOT NULL,
    jobs ml.owed[] NOT NULL
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='200', autovacuum_vacuum_cost_delay='0', toast_tuple_target='8160');
ALTER TABLE ONLY ml.leases ALTER COLUMN jobs SET STORAGE EXTERNAL;

CREATE FUNCTION ml.settle(l ml.leases, p_positions integer[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.settle_unanswered(a ml.attachments, l ml.leases, p_jobs ml.owed[], p_locked_keys text[], p_hashes bytea[], p_model_version text) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.sign_in_risk__read(p_row_keys text[], p_lock boolean, OUT row_keys text[], OUT inputs text[], OUT hashes bytea[]) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO ''
    SET enable_seqscan TO 'off'
    AS $$
    begin
      if p_lock then
        select array_agg(f.row_key), array_agg(f.input), array_agg(sha256(convert_to(f.input, 'UTF8')))
        into row_keys, inputs, hashes
        from (
          select t.id::text as row_key, ( case when t.succeeded then private.sign_in_input(t) end )::jsonb::text as input
          from public.login_events as t where t.id = any (p_row_keys::bigint[]) for no key update of t skip locked
        ) as f;
      else
        select array_agg(f.row_key), array_agg(f.input), array_agg(sha256(convert_to(f.input, 'UTF8')))
        into row_keys, inputs, hashes
        from (
          select t.id::text as row_key, ( case when t.succeeded then private.sign_in_input(t) end )::jsonb::text as input
          from public.login_events as t where t.id = any (p_row_keys::bigint[])
        ) as f;
      end if;
    end
    $$;

CREATE FUNCTION ml.spend(p_model text, p_jobs ml.owed[], p_calls integer, p_tokens bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.take_fresh(p_attachment_id smallint, p_limit integer, p_shut uuid[] DEFAULT NULL::uuid[]) RETURNS ml.owed[]
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.take_pending(p_attachment_id smallint, p_background boolean, p_limit integer, p_shut uuid[] DEFAULT NULL::uuid[]) RETURNS ml.owed[]
    LANGUAGE plpgsql
    SET search_path TO ''
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    AS -- as in sql/functions

CREATE FUNCTION ml.take_retries(p_attachment_id smallint, p_limit integer, p_shut uuid[] DEFAULT NULL::uuid[], p_fresh text[] DEFAULT '{}'::text[]) RETURNS SETOF ml.owed
    LANGUAGE plpgsql
    SET search_path TO ''
    SET enable_seqscan TO 'off'
    AS -- as in sql/functions

CREATE FUNCTION ml.tg_pickup_eta__delete() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
    begin
      perform ml.drop_gone(1::smallint, (select pg_catalog.array_agg(o.id::text) from old_rows as o));
      return null;
    end
    $$;

CREATE FUNCTION ml.tg_pickup_eta__insert() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
    begin
      
      insert into ml.jobs as j (attachment_id, row_key, owner_id, is_new, enqueued_at)
      select 1, n.id::text, coalesce(n.user_id, '00000000-0000-0000-0000-000000000000')::uuid, true, pg_catalog.clock_timestamp()
      from new_rows as n
      order by n.id
      on conflict (attachment_id, row_key) do update set
        owner_id = excluded.owner_id, is_new = j.is_new or excluded.is_new, is_background = false
      where (j.owner_id, j.is_new, j.is_background) is distinct from (excluded.owner_id, j.is_new or excluded.is_new, false);
      
      if found and not pg_catalog.pg_try_advisory_xact_lock_shared(20261120, 1) then
        perform pg_catalog.pg_notify('rowcast_jobs', '');
      end if;
      return null;
    end
    $$;

CREATE FUNCTION ml.tg_pickup_eta__update() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
    begin
      
      insert into ml.jobs as j (attachment_id, row_key, owner_id, is_new, enqueued_at)
      select 1, n.id::text, coalesce(n.user_id, '00000000-0000-0000-0000-000000000000')::uuid, o.id is null, pg_catalog.clock_timestamp()
      from new_rows as n left join old_rows as o on o.id = n.id where o.id is null or (n.origin_lat, n.origin_lng, n.dest_lat, n.dest_lng, n.kind, n.requested_at, n.estimate_seconds) is distinct from (o.origin_lat, o.origin_lng, o.dest_lat, o.dest_lng, o.kind, o.requested_at, o.estimate_seconds)
      order by n.id
      on conflict (attachment_id, row_key) do update set
        owner_id = excluded.owner_id, is_new = j.is_new or excluded.is_new, is_background = false
      where (j.owner_id, j.is_new, j.is_background) is distinct from (excluded.owner_id, j.is_new or excluded.is_new, false);
      
      if found and not pg_catalog.pg_try_advisory_xact_lock_shared(20261120, 1) then
        perform pg_catalog.pg_notify('rowcast_jobs', '');
      end if;
      return null;
    end
    $$;

CREATE FUNCTION ml.tg_predictions__broadcast() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.tg_sign_in_risk__delete() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
    begin
      perform ml.drop_gone(2::smallint, (select pg_catalog.array_agg(o.id::text) from old_rows as o));
      return null;
    end
    $$;

CREATE FUNCTION ml.tg_sign_in_risk__insert() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
    begin
      
      insert into ml.jobs as j (attachment_id, row_key, owner_id, is_new, enqueued_at)
      select 2, n.id::text, coalesce(null, '00000000-0000-0000-0000-000000000000')::uuid, true, pg_catalog.clock_timestamp()
      from new_rows as n
      order by n.id
      on conflict (attachment_id, row_key) do update set
        owner_id = excluded.owner_id, is_new = j.is_new or excluded.is_new, is_background = false
      where (j.owner_id, j.is_new, j.is_background) is distinct from (excluded.owner_id, j.is_new or excluded.is_new, false);
      
      if found and not pg_catalog.pg_try_advisory_xact_lock_shared(20261120, 1) then
        perform pg_catalog.pg_notify('rowcast_jobs', '');
      end if;
      return null;
    end
    $$;

CREATE FUNCTION ml.tg_sign_in_risk__update() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
    begin
      
      insert into ml.jobs as j (attachment_id, row_key, owner_id, is_new, enqueued_at)
      select 2, n.id::text, coalesce(null, '00000000-0000-0000-0000-000000000000')::uuid, o.id is null, pg_catalog.clock_timestamp()
      from new_rows as n left join old_rows as o on o.id = n.id where o.id is null or (n.succeeded, n.at) is distinct from (o.succeeded, o.at)
      order by n.id
      on conflict (attachment_id, row_key) do update set
        owner_id = excluded.owner_id, is_new = j.is_new or excluded.is_new, is_background = false
      where (j.owner_id, j.is_new, j.is_background) is distinct from (excluded.owner_id, j.is_new or excluded.is_new, false);
      
      if found and not pg_catalog.pg_try_advisory_xact_lock_shared(20261120, 1) then
        perform pg_catalog.pg_notify('rowcast_jobs', '');
      end if;
      return null;
    end
    $$;

CREATE FUNCTION ml.ungenerate(p_name text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    SET client_min_messages TO 'warning'
    AS -- as in sql/functions

CREATE FUNCTION private.account_is_live(p_user_id uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.accounts(p_user_ids uuid[]) RETURNS SETOF public.account
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.admin_sign_out(p_user_id uuid) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.admin_update_user(p_user_id uuid, p_changes jsonb) RETURNS public.account
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE TABLE public.pickup_requests (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    user_id uuid NOT NULL,
    client_key text NOT NULL,
    kind public.pickup_kind DEFAULT 'ride'::public.pickup_kind NOT NULL,
    status public.pickup_status DEFAULT 'requested'::public.pickup_status NOT NULL,
    origin_lat double precision NOT NULL,
    origin_lng double precision NOT NULL,
    dest_lat double precision NOT NULL,
    dest_lng double precision NOT NULL,
    requested_at timestamp with time zone DEFAULT now() NOT NULL,
    estimate_seconds integer NOT NULL,
    eta_seconds integer NOT NULL,
    eta_low_seconds integer,
    eta_high_seconds integer,
    eta_source text DEFAULT 'estimate'::text NOT NULL,
    eta_model_version text,
    picked_up_at timestamp with time zone,
    completed_at timestamp with time zone,
    cancelled_at timestamp with time zone,
    cancel_reason text,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT pickup_requests_cancel_reason_check CHECK ((length(cancel_reason) <= 500)),
    CONSTRAINT pickup_requests_client_key_check CHECK (((length(client_key) >= 1) AND (length(client_key) <= 100))),
    CONSTRAINT pickup_requests_dest_lat_check CHECK (((dest_lat >= ('-90'::integer)::double precision) AND (dest_lat <= (90)::double precision))),
    CONSTRAINT pickup_requests_dest_lng_check CHECK (((dest_lng >= ('-180'::integer)::double precision) AND (dest_lng <= (180)::double precision))),
    CONSTRAINT pickup_requests_eta_interval_check CHECK ((((eta_low_seconds >= 0) AND (eta_low_seconds <= eta_seconds)) AND ((eta_high_seconds >= eta_seconds) AND (eta_high_seconds <= 604800)))),
    CONSTRAINT pickup_requests_eta_seconds_check CHECK (((eta_seconds >= 0) AND (eta_seconds <= 604800))),
    CONSTRAINT pickup_requests_eta_source_check CHECK ((eta_source = ANY (ARRAY['estimate'::text, 'model'::text]))),
    CONSTRAINT pickup_requests_origin_lat_check CHECK (((origin_lat >= ('-90'::integer)::double precision) AND (origin_lat <= (90)::double precision))),
    CONSTRAINT pickup_requests_origin_lng_check CHECK (((origin_lng >= ('-180'::integer)::double precision) AND (origin_lng <= (180)::double precision))),
    CONSTRAINT pickup_requests_times_check CHECK ((completed_at >= picked_up_at))
);

CREATE FUNCTION private.advance_pickup(p_id uuid, p_status public.pickup_status) RETURNS public.pickup_requests
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.append_audit(p_action text, p_table_name text DEFAULT NULL::text, p_row_key text DEFAULT NULL::text, p_subject_id uuid DEFAULT NULL::uuid, p_old_values jsonb DEFAULT NULL::jsonb, p_new_values jsonb DEFAULT NULL::jsonb, p_nameless boolean DEFAULT false) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.apply_pickup_eta(p_row_keys text[], p_outputs jsonb[], p_model_version text) RETURNS void
    LANGUAGE sql
    SET search_path TO ''
    BEGIN ATOMIC
 UPDATE public.pickup_requests r SET eta_seconds = ((o.output ->> 'eta_seconds'::text))::integer, eta_low_seconds = ((o.output ->> 'eta_low_seconds'::text))::integer, eta_high_seconds = ((o.output ->> 'eta_high_seconds'::text))::integer, eta_source = 'model'::text, eta_model_version = apply_pickup_eta.p_model_version
    FROM UNNEST(apply_pickup_eta.p_row_keys, apply_pickup_eta.p_outputs) o(row_key, output)
   WHERE (r.id = (o.row_key)::uuid);
END;

CREATE FUNCTION private.apply_sign_in_risk(p_row_keys text[], p_outputs jsonb[], p_model_version text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.audit(p_table regclass, p_key text DEFAULT NULL::text, p_subject text DEFAULT NULL::text, p_hide text[] DEFAULT '{}'::text[], p_ignore text[] DEFAULT '{}'::text[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.audit_digest(p_salt uuid, p_actor_id uuid, p_subject_id uuid, p_row_key text, p_old_values jsonb, p_new_values jsonb, p_request_id text) RETURNS bytea
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.audit_genesis(p_month date, p_lane smallint) RETURNS bytea
    LANGUAGE sql IMMUTABLE
    SET search_path TO ''
    RETURN sha256(convert_to(format('rowcast audit %s %s'::text, (p_month - '2000-01-01'::date), p_lane), 'UTF8'::name));

CREATE FUNCTION private.audit_hash(p_previous bytea, p_digest bytea, p_id bigint, p_created_at timestamp with time zone, p_actor_role text, p_action text, p_table_name text) RETURNS bytea
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.audit_head(p_month date, p_positions bigint[] DEFAULT NULL::bigint[]) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO ''
    AS -- as in sql/functions

CREATE TABLE private.audit_links (
    month date NOT NULL,
    lane smallint NOT NULL,
    "position" bigint NOT NULL,
    entry_id bigint NOT NULL,
    digest bytea NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT audit_links_lane_check CHECK (((lane >= 0) AND (lane <= 7)))
);

CREATE FUNCTION private.audit_heads() RETURNS TABLE(month date, head text)
    LANGUAGE sql STABLE
    SET search_path TO ''
    BEGIN ATOMIC
 WITH RECURSIVE months AS (
          SELECT min(l.month) AS month
            FROM private.audit_links l
         UNION ALL
          SELECT ( SELECT min(l.month) AS min
                    FROM private.audit_links l
                   WHERE (l.month > m_1.month)) AS min
            FROM months m_1
           WHERE (m_1.month IS NOT NULL)
         )
  SELECT m.month,
     private.audit_head(m.month) AS audit_head
    FROM months m
   WHERE (m.month IS NOT NULL)
   ORDER BY m.month;
END;

CREATE FUNCTION private.audit_lane() RETURNS smallint
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.audit_month(p_moment timestamp with time zone) RETURNS date
    LANGUAGE sql IMMUTABLE
    SET search_path TO ''
    RETURN (date_trunc('month'::text, (p_moment AT TIME ZONE 'UTC'::text)))::date;

CREATE FUNCTION private.audit_trail(p_user_id uuid, p_table text, p_action text, p_before timestamp with time zone, p_before_id bigint, p_limit integer) RETURNS SETOF public.audit_entry
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    SET plan_cache_mode TO 'force_custom_plan'
    AS -- as in sql/functions

CREATE FUNCTION private.audit_values(p_values jsonb, p_hide text[]) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO ''
    AS -- as in sql/functions

CREATE TABLE public.deletion_requests (
    user_id uuid NOT NULL,
    state text DEFAULT 'pending'::text NOT NULL,
    reason text,
    requested_at timestamp with time zone DEFAULT now() NOT NULL,
    due_at timestamp with time zone NOT NULL,
    cancelled_at timestamp with time zone,
    CONSTRAINT deletion_requests_cancelled_check CHECK (((state = 'cancelled'::text) = (cancelled_at IS NOT NULL))),
    CONSTRAINT deletion_requests_reason_check CHECK ((length(reason) <= 500)),
    CONSTRAINT deletion_requests_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'cancelled'::text])))
);

CREATE FUNCTION private.cancel_deletion() RETURNS public.deletion_requests
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.cancel_pickup(p_id uuid, p_reason text) RETURNS public.pickup_requests
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.change_profile(p_user_id uuid, p_changes jsonb) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.charge(p_caller_kind text, p_caller text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.check_audit(p_heads text[] DEFAULT '{}'::text[], p_month date DEFAULT NULL::date) RETURNS SETOF public.audit_chain
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    SET plan_cache_mode TO 'force_custom_plan'
    SET "TimeZone" TO 'UTC'
    SET work_mem TO '32MB'
    AS -- as in sql/functions

CREATE FUNCTION private.check_coordinates(p_origin_lat double precision, p_origin_lng double precision, p_dest_lat double precision, p_dest_lng double precision) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.check_erasable(p_user_id uuid) RETURNS void
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.client_address(p_headers jsonb) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.coarse_degrees(p_degrees double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO ''
    RETURN ((floor((p_degrees * (2)::double precision)) / (2)::double precision) + (0.25)::double precision);

CREATE FUNCTION private.create_api_key(p_name text, p_scopes text[], p_expires_at timestamp with time zone) RETURNS public.new_api_key
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.due_deletions(p_limit integer) RETURNS TABLE(user_id uuid, has_files boolean)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.erase_account(p_user_id uuid, p_needles text[]) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE TABLE private.personal_data (
    table_name text NOT NULL,
    column_name text NOT NULL,
    on_erase text NOT NULL,
    reason text NOT NULL,
    is_exported boolean DEFAULT false NOT NULL,
    is_restored boolean DEFAULT false NOT NULL,
    matches text,
    blank jsonb,
    by_function text,
    left_out jsonb DEFAULT '{}'::jsonb NOT NULL,
    only_columns text[],
    erase_order smallint DEFAULT 100 NOT NULL,
    CONSTRAINT personal_data_anonymise_check CHECK (((on_erase <> 'anonymise'::text) OR (num_nonnulls(blank, by_function) = 1))),
    CONSTRAINT personal_data_exported_check CHECK (((NOT is_exported) OR (on_erase <> 'none'::text))),
    CONSTRAINT personal_data_left_out_check CHECK ((jsonb_typeof(left_out) = 'object'::text)),
    CONSTRAINT personal_data_none_check CHECK (((on_erase = 'none'::text) = (column_name = ''::text))),
    CONSTRAINT personal_data_on_erase_check CHECK ((on_erase = ANY (ARRAY['erase'::text, 'anonymise'::text, 'keep'::text, 'none'::text]))),
    CONSTRAINT personal_data_reason_check CHECK (((length(reason) >= 10) AND (length(reason) <= 500))),
    CONSTRAINT personal_data_restored_check CHECK (((NOT is_restored) OR is_exported)),
    CONSTRAINT personal_data_table_name_check CHECK ((table_name ~ '^[a-z_]+\.[a-z_0-9]+$'::text))
);

CREATE FUNCTION private.erase_rows(p_declared private.personal_data, p_user_id uuid, p_needles text[]) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE TABLE private.erasures (
    id bigint NOT NULL,
    erased_at timestamp with time zone DEFAULT now() NOT NULL,
    cause text NOT NULL,
    counts jsonb NOT NULL,
    residue jsonb NOT NULL,
    is_clean boolean GENERATED ALWAYS AS ((NOT jsonb_path_exists(residue, '$[*]?(@."rows" > 0)'::jsonpath))) STORED NOT NULL,
    CONSTRAINT erasures_cause_check CHECK ((cause = ANY (ARRAY['due'::text, 'admin'::text])))
);

CREATE FUNCTION private.erase_user(p_user_id uuid, p_cause text DEFAULT 'admin'::text) RETURNS private.erasures
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.eta_closed_form(p_metres double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO ''
    RETURN ((90)::double precision + (((1.3)::double precision * p_metres) / ((6)::double precision + (((9)::double precision * ((1.3)::double precision * p_metres)) / (((1.3)::double precision * p_metres) + (8000)::double precision)))));

CREATE FUNCTION private.export_document(p_user_id uuid, p_page_rows integer) RETURNS jsonb
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.export_page(p_export_id uuid, p_table text, p_after jsonb) RETURNS jsonb
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.export_rows(p_declared private.personal_data, p_user_id uuid, p_after jsonb, p_limit integer) RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS -- as in sql/functions

CREATE TABLE public.feature_flags (
    name text NOT NULL,
    enabled boolean NOT NULL,
    description text NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_by uuid,
    CONSTRAINT feature_flags_description_check CHECK (((length(description) >= 1) AND (length(description) <= 500))),
    CONSTRAINT feature_flags_name_check CHECK ((name ~ '^[a-z][a-z0-9_]{0,39}$'::text))
);

CREATE FUNCTION private.feature_flags() RETURNS SETOF public.feature_flag_state
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    BEGIN ATOMIC
 SELECT f.name,
     f.enabled,
     f.description,
     f.updated_at
    FROM public.feature_flags f
   ORDER BY f.name;
END;

CREATE FUNCTION private.find_rows(p_user_id uuid) RETURNS TABLE(table_name text, column_name text, held bigint)
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.find_traces(p_needles text[]) RETURNS TABLE(table_name text, column_name text, traces bigint)
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.flag(p_name text) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.forget_notifications(p_limit integer DEFAULT 100000) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.forget_rate_buckets(p_limit_name text DEFAULT NULL::text) RETURNS void
    LANGUAGE sql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.forget_sign_ins() RETURNS bigint
    LANGUAGE sql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.get_user(p_user_id uuid) RETURNS public.account
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.has_permission(p_permission text) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.haversine_metres(p_origin_lat double precision, p_origin_lng double precision, p_dest_lat double precision, p_dest_lng double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO ''
    RETURN ((((2)::numeric * 6371008.8))::double precision * asin(sqrt(LEAST((1.0)::double precision, GREATEST((0.0)::double precision, ((sin((radians((((360)::double precision + p_dest_lat) - ((360)::double precision + p_origin_lat))) / (2)::double precision)) ^ (2)::double precision) + ((cos(radians(((360)::double precision + p_origin_lat))) * cos(radians(((360)::double precision + p_dest_lat)))) * (sin((radians((((360)::double precision + p_dest_lng) - ((360)::double precision + p_origin_lng))) / (2)::double precision)) ^ (2)::double precision))))))));

CREATE FUNCTION private.health_db() RETURNS public.health_db_report
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.health_queue() RETURNS public.health_queue_report
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.health_report() RETURNS public.health_report
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.holds_behind_mfa(p_permission text) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.hook_before_user_created(p_event jsonb) RETURNS jsonb
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.hook_custom_access_token(p_event jsonb) RETURNS jsonb
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.hook_password_verification_attempt(event jsonb) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    SET lock_timeout TO '500ms'
    AS -- as in sql/functions

CREATE FUNCTION private.import_account(p_document jsonb) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.insert_row(p_table regclass, p_row jsonb) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.is_service() RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO ''
    RETURN (current_setting('role'::text) = 'service_role'::text);

CREATE FUNCTION private.is_time_zone(p_name text) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.keyed_hash(p_text text) RETURNS bytea
    LANGUAGE sql STABLE
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.list_users(p_search text, p_page integer, p_page_size integer) RETURNS public.user_page
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.locate_ip(p_ip inet, OUT country text, OUT cell_lat double precision, OUT cell_lng double precision) RETURNS record
    LANGUAGE sql STABLE
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.maintain_audit(p_keep_months integer DEFAULT 24) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    SET lock_timeout TO '3s'
    AS -- as in sql/functions

CREATE FUNCTION private.make_account(p_account jsonb, p_password text) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.make_audit_partition(p_month date) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.mark_notifications_read(p_ids bigint[] DEFAULT NULL::bigint[]) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.mask_accounts(p_values jsonb, p_but uuid) RETURNS jsonb
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.may_create_user(p_role text DEFAULT NULL::text) RETURNS void
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.may_delete_user(p_user_id uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.may_predict(p_model text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.me() RETURNS public.account
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.mute_notifications(p_kind text, p_muted boolean DEFAULT true) RETURNS public.notification_setting
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.my_api_keys() RETURNS SETOF public.api_key_state
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.my_sessions() RETURNS SETOF public.session_state
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.note_deletion_failure(p_user_id uuid, p_error text) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.note_event(p_action text, p_subject_id uuid DEFAULT NULL::uuid, p_details jsonb DEFAULT NULL::jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.note_words(p_user_id uuid) RETURNS void
    LANGUAGE sql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE TABLE private.notification_kinds (
    name text NOT NULL,
    title text NOT NULL,
    description text NOT NULL,
    can_be_muted boolean DEFAULT true NOT NULL,
    CONSTRAINT notification_kinds_description_check CHECK (((length(description) >= 1) AND (length(description) <= 500))),
    CONSTRAINT notification_kinds_name_check CHECK ((name ~ '^[a-z][a-z0-9_]{0,39}$'::text)),
    CONSTRAINT notification_kinds_title_check CHECK (((length(title) >= 1) AND (length(title) <= 200)))
);

CREATE TABLE private.notification_mutes (
    user_id uuid NOT NULL,
    kind text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE FUNCTION private.notification_settings() RETURNS SETOF public.notification_setting
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    BEGIN ATOMIC
 SELECT k.name,
     k.title,
     k.description,
     k.can_be_muted,
     (k.can_be_muted AND (m.user_id IS NOT NULL))
    FROM (private.notification_kinds k
      LEFT JOIN private.notification_mutes m ON (((m.kind = k.name) AND (m.user_id = ( SELECT auth.uid() AS uid)))))
   ORDER BY k.name;
END;

CREATE FUNCTION private.notify(p_user_id uuid, p_kind text, p_data jsonb DEFAULT '{}'::jsonb, p_title text DEFAULT NULL::text, p_body text DEFAULT NULL::text, p_key text DEFAULT NULL::text) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.notify_many(p_user_ids uuid[], p_kind text, p_data jsonb DEFAULT '{}'::jsonb, p_title text DEFAULT NULL::text, p_body text DEFAULT NULL::text, p_key text DEFAULT NULL::text) RETURNS SETOF bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.numbers_of(p_document jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.owned_objects(p_user_id uuid) RETURNS SETOF public.owned_object
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.people_at_address(p_ip_hash bytea, p_except uuid, p_from timestamp with time zone, p_before timestamp with time zone, p_succeeded boolean) RETURNS bigint
    LANGUAGE sql STABLE
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.permissions_of(p_user_id uuid) RETURNS TABLE(permission text, until timestamp with time zone)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.person_needles(p_user_id uuid) RETURNS text[]
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.plain_path(p_path text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.prediction_status(p_prediction text, p_row_key text) RETURNS SETOF public.prediction_state
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    SET plan_cache_mode TO 'force_custom_plan'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS -- as in sql/functions

CREATE FUNCTION private.rate_limits() RETURNS SETOF public.rate_limit
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.record_sign_in(p_user_id uuid, p_session_id uuid, p_succeeded boolean, p_ip inet, p_user_agent text) RETURNS void
    LANGUAGE sql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.redact_audit(p_user_id uuid, p_traces text[] DEFAULT '{}'::text[]) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.refuse_estimated_counts(p_headers jsonb) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.remove_rate_limit(p_name text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE TABLE public.login_events (
    id bigint NOT NULL,
    user_id uuid NOT NULL,
    session_id uuid,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    succeeded boolean NOT NULL,
    country text,
    cell_lat double precision,
    cell_lng double precision,
    ip_hash bytea,
    device_hash bytea,
    user_agent_family text,
    risk double precision,
    reasons text[],
    model_version text,
    alarmed boolean DEFAULT false NOT NULL,
    confirmed boolean,
    confirmed_at timestamp with time zone,
    CONSTRAINT login_events_cell_lat_check CHECK (((cell_lat >= ('-90'::integer)::double precision) AND (cell_lat <= (90.25)::double precision))),
    CONSTRAINT login_events_cell_lng_check CHECK (((cell_lng >= ('-180'::integer)::double precision) AND (cell_lng <= (180.25)::double precision))),
    CONSTRAINT login_events_country_check CHECK ((country ~ '^[A-Z]{2}$'::text)),
    CONSTRAINT login_events_device_hash_check CHECK ((length(device_hash) = 16)),
    CONSTRAINT login_events_ip_hash_check CHECK ((length(ip_hash) = 16)),
    CONSTRAINT login_events_risk_check CHECK (((risk >= (0)::double precision) AND (risk <= (1)::double precision)))
);

CREATE FUNCTION private.report_sign_in(p_id bigint, p_was_me boolean) RETURNS public.login_events
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.request_deletion(p_reason text) RETURNS public.deletion_requests
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.request_export() RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.request_pickup(p_origin_lat double precision, p_origin_lng double precision, p_dest_lat double precision, p_dest_lng double precision, p_kind public.pickup_kind, p_client_key text) RETURNS public.pickup_requests
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.require_an_admin() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.require_grantable(p_role text, p_until timestamp with time zone) RETURNS void
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.require_not_above(p_user_id uuid) RETURNS void
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.require_permission(p_permission text) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.require_session() RETURNS uuid
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.require_user() RETURNS uuid
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.revoke_api_key(p_id uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.revoke_session(p_session_id uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.roles_of(p_user_id uuid) RETURNS text[]
    LANGUAGE sql STABLE
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.rows_of(p_declared private.personal_data) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.run_due_deletions(p_limit integer DEFAULT 20) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.session_is_live() RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.set_flag(p_name text, p_enabled boolean) RETURNS public.feature_flags
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.set_rate_limit(p_name text, p_capacity integer, p_refill_per_second double precision, p_caller text, p_for_reads boolean, p_path text) RETURNS public.rate_limit
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.set_role(p_user_id uuid, p_role text, p_granted boolean, p_expires_at timestamp with time zone) RETURNS text[]
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.sign_in_input(t public.login_events) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.sign_in_quality(p_days integer) RETURNS public.sign_in_quality
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.sign_out_everywhere(p_keep_current boolean) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.sync_profile() RETURNS public.account
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.take_read_token(p_name text, p_caller text, p_capacity integer, p_refill double precision) RETURNS double precision
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.take_token(p_name text, p_caller text, p_capacity integer, p_refill double precision) RETURNS double precision
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.tell_of_sign_in(p_user_id uuid, p_data jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.tg_audit_links__guard() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.tg_audit_log__guard() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.tg_audit_log__link() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.tg_audited__note() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.tg_notifications__broadcast() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.tg_notifications__broadcast_read() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.tg_pickup_requests__guard_status() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.tg_profiles__touch() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.tg_profiles__words() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.tg_sessions__record_sign_in() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    SET lock_timeout TO '500ms'
    AS -- as in sql/functions

CREATE FUNCTION private.tg_user_roles__keep_an_admin() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.tg_users__create_profile() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.tg_users__words() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.update_me(p_changes jsonb) RETURNS public.account
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.use_api_key(p_key text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.user_agent_family(p_user_agent text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO ''
    RETURN CASE WHEN ((p_user_agent IS NULL) OR (p_user_agent = ''::text)) THEN NULL::text WHEN (p_user_agent ~* '^(curl|wget|python|go-http|java/|libwww|axios|node|ruby|php|postman|apache-http|httpie)'::text) THEN 'script'::text WHEN (p_user_agent ~* '(okhttp|cfnetwork|dart/|electron|reactnative)'::text) THEN 'app'::text WHEN (p_user_agent ~* '(edg|edge|edgios|edga)/'::text) THEN 'edge'::text WHEN (p_user_agent ~* '(opr|opera)/'::text) THEN 'opera'::text WHEN (p_user_agent ~* 'samsungbrowser/'::text) THEN 'samsung'::text WHEN (p_user_agent ~* '(firefox|fxios)/'::text) THEN 'firefox'::text WHEN (p_user_agent ~* '(chrome|chromium|crios)/'::text) THEN 'chrome'::text WHEN (p_user_agent ~* 'safari/'::text) THEN 'safari'::text ELSE 'other'::text END;

CREATE FUNCTION private.user_sign_ins(p_user_id uuid, p_limit integer) RETURNS SETOF public.login_events
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.verify_audit_log(p_heads text[], p_month date) RETURNS SETOF public.audit_chain
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.verify_token() RETURNS public.token_state
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION public.admin_sign_out(p_user_id uuid) RETURNS integer
    LANGUAGE sql
    SET search_path TO ''
    RETURN private.admin_sign_out(p_user_id);

CREATE FUNCTION public.admin_update_user(p_user_id uuid, p_changes jsonb) RETURNS public.account
    LANGUAGE sql
    SET search_path TO ''
    RETURN private.admin_update_user(p_user_id, p_changes);

CREATE FUNCTION public.advance_pickup(p_id uuid, p_status public.pickup_status) RETURNS public.pickup_requests
    LANGUAGE sql
    SET search_path TO ''
    RETURN private.advance_pickup(p_id, p_status);

CREATE FUNCTION public.audit_trail(p_user_id uuid DEFAULT NULL::uuid, p_table text DEFAULT NULL::text, p_action text DEFAULT NULL::text, p_before timestamp with time zone DEFAULT NULL::timestamp with time zone, p_before_id bigint DEFAULT NULL::bigint, p_limit integer DEFAULT 50) RETURNS SETOF public.audit_entry
    LANGUAGE sql STABLE
    SET search_path TO ''
    BEGIN ATOMIC
 SELECT audit_trail.id,
     audit_trail.created_at,
     audit_trail.action,
     audit_trail.table_name,
     audit_trail.row_key,
     audit_trail.subject_id,
     audit_trail.actor_id,
     audit_trail.actor_role,
     audit_trail.old_values,
     audit_trail.new_values,
     audit_trail.request_id,
     audit_trail.is_redacted
    FROM private.audit_trail(audit_trail.p_user_id, audit_trail.p_table, audit_trail.p_action, audit_trail.p_before, audit_trail.p_before_id, audit_trail.p_limit) audit_trail(id, created_at, action, table_name, row_key, subject_id, actor_id, actor_role, old_values, new_values, request_id, is_redacted);
END;

CREATE FUNCTION public.cancel_deletion() RETURNS public.deletion_requests
    LANGUAGE sql
    SET search_path TO ''
    RETURN private.cancel_deletion();

CREATE FUNCTION public.cancel_pickup(p_id uuid, p_reason text DEFAULT NULL::text) RETURNS public.pickup_requests
    LANGUAGE sql
    SET search_path TO ''
    RETURN private.cancel_pickup(p_id, p_reason);

CREATE FUNCTION public.check_erasable(p_user_id uuid) RETURNS void
    LANGUAGE sql STABLE
    SET search_path TO ''
    RETURN private.check_erasable(p_user_id);

CREATE FUNCTION public.create_api_key(p_name text, p_scopes text[] DEFAULT '{read}'::text[], p_expires_at timestamp with time zone DEFAULT NULL::timestamp with time zone) RETURNS public.new_api_key
    LANGUAGE sql
    SET search_path TO ''
    RETURN private.create_api_key(p_name, p_scopes, p_expires_at);

CREATE FUNCTION public.due_deletions(p_limit integer DEFAULT 20) RETURNS TABLE(user_id uuid, has_files boolean)
    LANGUAGE sql STABLE
    SET search_path TO ''
    BEGIN ATOMIC
 SELECT due_deletions.user_id,
     due_deletions.has_files
    FROM private.due_deletions(due_deletions.p_limit) due_deletions(user_id, has_files);
END;

CREATE FUNCTION public.erase_user(p_user_id uuid, p_cause text DEFAULT 'admin'::text) RETURNS private.erasures
    LANGUAGE sql
    SET search_path TO ''
    SET statement_timeout TO '10min'
    RETURN private.erase_user(p_user_id, p_cause);

CREATE FUNCTION public.export_page(p_export_id uuid, p_table text, p_after jsonb) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO ''
    RETURN private.export_page(p_export_id, p_table, p_after);

CREATE FUNCTION public.feature_flags() RETURNS SETOF public.feature_flag_state
    LANGUAGE sql STABLE
    SET search_path TO ''
    BEGIN ATOMIC
 SELECT f.name,
     f.enabled,
     f.description,
     f.updated_at
    FROM private.feature_flags() f(name, enabled, description, updated_at);
END;

CREATE FUNCTION public.flag(p_name text) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO ''
    RETURN private.flag(p_name);

CREATE FUNCTION public.get_pickup(p_id uuid) RETURNS public.pickup_requests
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION public.get_user(p_user_id uuid) RETURNS public.account
    LANGUAGE sql STABLE
    SET search_path TO ''
    RETURN private.get_user(p_user_id);

CREATE FUNCTION public.health() RETURNS public.health_status
    LANGUAGE sql STABLE
    SET search_path TO ''
    RETURN ROW('ok'::text, 'rowcast'::text, now())::public.health_status;

CREATE FUNCTION public.health_db() RETURNS public.health_db_report
    LANGUAGE sql STABLE
    SET search_path TO ''
    RETURN private.health_db();

CREATE FUNCTION public.health_detailed() RETURNS public.health_report
    LANGUAGE sql STABLE
    SET search_path TO ''
    RETURN private.health_report();

CREATE FUNCTION public.health_queue() RETURNS public.health_queue_report
    LANGUAGE sql STABLE
    SET search_path TO ''
    RETURN private.health_queue();

CREATE FUNCTION public.hello() RETURNS TABLE(message text)
    LANGUAGE sql IMMUTABLE
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION public.import_account(p_document jsonb) RETURNS jsonb
    LANGUAGE sql
    SET search_path TO ''
    SET statement_timeout TO '5min'
    RETURN private.import_account(p_document);

CREATE FUNCTION public.list_users(p_search text DEFAULT NULL::text, p_page integer DEFAULT 1, p_page_size integer DEFAULT 20) RETURNS public.user_page
    LANGUAGE sql STABLE
    SET search_path TO ''
    RETURN private.list_users(p_search, p_page, p_page_size);

CREATE FUNCTION public.make_account(p_account jsonb, p_password text DEFAULT NULL::text) RETURNS uuid
    LANGUAGE sql
    SET search_path TO ''
    RETURN private.make_account(p_account, p_password);

CREATE FUNCTION public.mark_notifications_read(p_ids bigint[] DEFAULT NULL::bigint[]) RETURNS bigint
    LANGUAGE sql
    SET search_path TO ''
    RETURN private.mark_notifications_read(p_ids);

CREATE FUNCTION public.may_create_user(p_role text DEFAULT NULL::text) RETURNS void
    LANGUAGE sql STABLE
    SET search_path TO ''
    RETURN private.may_create_user(p_role);

CREATE FUNCTION public.may_delete_user(p_user_id uuid) RETURNS void
    LANGUAGE sql
    SET search_path TO ''
    RETURN private.may_delete_user(p_user_id);

CREATE FUNCTION public.may_predict(p_model text) RETURNS void
    LANGUAGE sql
    SET search_path TO ''
    RETURN private.may_predict(p_model);

CREATE FUNCTION public.me() RETURNS public.account
    LANGUAGE sql STABLE
    SET search_path TO ''
    RETURN private.me();

CREATE FUNCTION public.mute_notifications(p_kind text, p_muted boolean DEFAULT true) RETURNS public.notification_setting
    LANGUAGE sql
    SET search_path TO ''
    RETURN private.mute_notifications(p_kind, p_muted);

CREATE FUNCTION public.my_api_keys() RETURNS SETOF public.api_key_state
    LANGUAGE sql STABLE
    SET search_path TO ''
    BEGIN ATOMIC
 SELECT my_api_keys.id,
     my_api_keys.name,
     my_api_keys.prefix,
     my_api_keys.scopes,
     my_api_keys.created_at,
     my_api_keys.expires_at
    FROM private.my_api_keys() my_api_keys(id, name, prefix, scopes, created_at, expires_at);
END;

CREATE FUNCTION public.my_deletion_request() RETURNS SETOF public.deletion_requests
    LANGUAGE sql STABLE
    SET search_path TO ''
    BEGIN ATOMIC
 SELECT d.user_id,
     d.state,
     d.reason,
     d.requested_at,
     d.due_at,
     d.cancelled_at
    FROM public.deletion_requests d
   WHERE (d.user_id = ( SELECT auth.uid() AS uid));
END;

CREATE FUNCTION public.my_pickups() RETURNS SETOF public.pickup_requests
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT r.id,
     r.user_id,
     r.client_key,
     r.kind,
     r.status,
     r.origin_lat,
     r.origin_lng,
     r.dest_lat,
     r.dest_lng,
     r.requested_at,
     r.estimate_seconds,
     r.eta_seconds,
     r.eta_low_seconds,
     r.eta_high_seconds,
     r.eta_source,
     r.eta_model_version,
     r.picked_up_at,
     r.completed_at,
     r.cancelled_at,
     r.cancel_reason,
     r.updated_at
    FROM public.pickup_requests r
   WHERE (r.user_id = ( SELECT auth.uid() AS uid))
   ORDER BY r.requested_at DESC, r.id;
END;

CREATE FUNCTION public.my_sessions() RETURNS SETOF public.session_state
    LANGUAGE sql STABLE
    SET search_path TO ''
    BEGIN ATOMIC
 SELECT my_sessions.id,
     my_sessions.created_at,
     my_sessions.refreshed_at,
     my_sessions.user_agent,
     my_sessions.ip,
     my_sessions.aal,
     my_sessions.is_current
    FROM private.my_sessions() my_sessions(id, created_at, refreshed_at, user_agent, ip, aal, is_current);
END;

CREATE FUNCTION public.my_sign_ins(p_limit integer DEFAULT 50) RETURNS SETOF public.login_events
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION public.note_deletion_failure(p_user_id uuid, p_error text) RETURNS void
    LANGUAGE sql
    SET search_path TO ''
    RETURN private.note_deletion_failure(p_user_id, p_error);

CREATE FUNCTION public.notification_settings() RETURNS SETOF public.notification_setting
    LANGUAGE sql STABLE
    SET search_path TO ''
    BEGIN ATOMIC
 SELECT s.kind,
     s.title,
     s.description,
     s.can_be_muted,
     s.muted
    FROM private.notification_settings() s(kind, title, description, can_be_muted, muted);
END;

CREATE FUNCTION public.notify_many(p_user_ids uuid[], p_kind text, p_data jsonb DEFAULT '{}'::jsonb, p_title text DEFAULT NULL::text, p_body text DEFAULT NULL::text, p_key text DEFAULT NULL::text) RETURNS bigint
    LANGUAGE sql
    SET search_path TO ''
    RETURN (SELECT count(*) AS count FROM private.notify_many(notify_many.p_user_ids, notify_many.p_kind, notify_many.p_data, notify_many.p_title, notify_many.p_body, notify_many.p_key) notify_many(notify_many));

CREATE FUNCTION public.owned_objects(p_user_id uuid) RETURNS SETOF public.owned_object
    LANGUAGE sql STABLE
    SET search_path TO ''
    BEGIN ATOMIC
 SELECT owned_objects.bucket_id,
     owned_objects.name,
     owned_objects.metadata,
     owned_objects.created_at
    FROM private.owned_objects(owned_objects.p_user_id) owned_objects(bucket_id, name, metadata, created_at);
END;

CREATE FUNCTION public.prediction_status(p_prediction text DEFAULT NULL::text, p_row_key text DEFAULT NULL::text) RETURNS SETOF public.prediction_state
    LANGUAGE sql STABLE
    SET search_path TO ''
    BEGIN ATOMIC
 SELECT prediction_status.prediction,
     prediction_status.row_key,
     prediction_status.status,
     prediction_status.reason,
     prediction_status.attempts,
     prediction_status.since,
     prediction_status.next_try_at
    FROM private.prediction_status(prediction_status.p_prediction, prediction_status.p_row_key) prediction_status(prediction, row_key, status, reason, attempts, since, next_try_at);
END;

CREATE FUNCTION public.quote_eta(p_origin_lat double precision, p_origin_lng double precision, p_dest_lat double precision, p_dest_lng double precision) RETURNS public.eta_quote
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO ''
    BEGIN ATOMIC
 SELECT private.check_coordinates(p_origin_lat, p_origin_lng, p_dest_lat, p_dest_lng) AS check_coordinates;
 SELECT (round(private.eta_closed_form(way.metres)))::integer AS eta_seconds,
     (round(way.metres))::integer AS distance_metres,
     'estimate'::text AS eta_source
    FROM ( SELECT private.haversine_metres(quote_eta.p_origin_lat, quote_eta.p_origin_lng, quote_eta.p_dest_lat, quote_eta.p_dest_lng) AS metres) way;
END;

CREATE FUNCTION public.rate_limits() RETURNS SETOF public.rate_limit
    LANGUAGE sql STABLE
    SET search_path TO ''
    BEGIN ATOMIC
 SELECT rate_limits.name,
     rate_limits.caller,
     rate_limits.for_reads,
     rate_limits.path,
     rate_limits.capacity,
     rate_limits.refill_per_second,
     rate_limits.updated_at,
     rate_limits.updated_by
    FROM private.rate_limits() rate_limits(name, caller, for_reads, path, capacity, refill_per_second, updated_at, updated_by);
END;

CREATE FUNCTION public.remove_rate_limit(p_name text) RETURNS void
    LANGUAGE sql
    SET search_path TO ''
    RETURN private.remove_rate_limit(p_name);

CREATE FUNCTION public.report_sign_in(p_id bigint, p_was_me boolean) RETURNS public.login_events
    LANGUAGE sql
    SET search_path TO ''
    RETURN private.report_sign_in(p_id, p_was_me);

CREATE FUNCTION public.request_deletion(p_reason text DEFAULT NULL::text) RETURNS public.deletion_requests
    LANGUAGE sql
    SET search_path TO ''
    RETURN private.request_deletion(p_reason);

CREATE FUNCTION public.request_export() RETURNS jsonb
    LANGUAGE sql
    SET search_path TO ''
    RETURN private.request_export();

CREATE FUNCTION public.request_pickup(p_origin_lat double precision, p_origin_lng double precision, p_dest_lat double precision, p_dest_lng double precision, p_kind public.pickup_kind DEFAULT 'ride'::public.pickup_kind, p_client_key text DEFAULT (gen_random_uuid())::text) RETURNS public.pickup_requests
    LANGUAGE sql
    SET search_path TO ''
    RETURN private.request_pickup(p_origin_lat, p_origin_lng, p_dest_lat, p_dest_lng, p_kind, p_client_key);

CREATE FUNCTION public.revoke_api_key(p_id uuid) RETURNS void
    LANGUAGE sql
    SET search_path TO ''
    RETURN private.revoke_api_key(p_id);

CREATE FUNCTION public.revoke_session(p_session_id uuid) RETURNS void
    LANGUAGE sql
    SET search_path TO ''
    RETURN private.revoke_session(p_session_id);

CREATE FUNCTION public.set_flag(p_name text, p_enabled boolean) RETURNS public.feature_flags
    LANGUAGE sql
    SET search_path TO ''
    RETURN private.set_flag(p_name, p_enabled);

CREATE FUNCTION public.set_rate_limit(p_name text, p_capacity integer, p_refill_per_second double precision, p_caller text DEFAULT NULL::text, p_for_reads boolean DEFAULT NULL::boolean, p_path text DEFAULT NULL::text) RETURNS public.rate_limit
    LANGUAGE sql
    SET search_path TO ''
    RETURN private.set_rate_limit(p_name, p_capacity, p_refill_per_second, p_caller, p_for_reads, p_path);

CREATE FUNCTION public.set_role(p_user_id uuid, p_role text, p_granted boolean DEFAULT true, p_expires_at timestamp with time zone DEFAULT NULL::timestamp with time zone) RETURNS text[]
    LANGUAGE sql
    SET search_path TO ''
    RETURN private.set_role(p_user_id, p_role, p_granted, p_expires_at);

CREATE FUNCTION public.sign_in_quality(p_days integer DEFAULT 90) RETURNS public.sign_in_quality
    LANGUAGE sql STABLE
    SET search_path TO ''
    RETURN private.sign_in_quality(p_days);

CREATE FUNCTION public.sign_out_everywhere(p_keep_current boolean DEFAULT false) RETURNS integer
    LANGUAGE sql
    SET search_path TO ''
    RETURN private.sign_out_everywhere(p_keep_current);

CREATE FUNCTION public.sync_profile() RETURNS public.account
    LANGUAGE sql
    SET search_path TO ''
    RETURN private.sync_profile();

CREATE TABLE public.notifications (
    id bigint NOT NULL,
    user_id uuid NOT NULL,
    kind text NOT NULL,
    title text NOT NULL,
    body text,
    data jsonb DEFAULT '{}'::jsonb NOT NULL,
    idempotency_key text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    read_at timestamp with time zone,
    CONSTRAINT notifications_body_check CHECK ((length(body) <= 2000)),
    CONSTRAINT notifications_data_check CHECK (((jsonb_typeof(data) = 'object'::text) AND (octet_length((data)::text) <= 8192))),
    CONSTRAINT notifications_idempotency_key_check CHECK (((length(idempotency_key) >= 1) AND (length(idempotency_key) <= 200))),
    CONSTRAINT notifications_title_check CHECK (((length(title) >= 1) AND (length(title) <= 200)))
);

CREATE FUNCTION public.unread_count() RETURNS bigint
    LANGUAGE sql STABLE
    SET search_path TO ''
    RETURN (SELECT count(*) AS count FROM public.notifications n WHERE ((n.user_id = (SELECT auth.uid() AS uid)) AND (n.read_at IS NULL)));

CREATE FUNCTION public.update_me(p_changes jsonb) RETURNS public.account
    LANGUAGE sql
    SET search_path TO ''
    RETURN private.update_me(p_changes);

CREATE FUNCTION public.user_sign_ins(p_user_id uuid, p_limit integer DEFAULT 50) RETURNS SETOF public.login_events
    LANGUAGE sql STABLE
    SET search_path TO ''
    BEGIN ATOMIC
 SELECT user_sign_ins.id,
     user_sign_ins.user_id,
     user_sign_ins.session_id,
     user_sign_ins.at,
     user_sign_ins.succeeded,
     user_sign_ins.country,
     user_sign_ins.cell_lat,
     user_sign_ins.cell_lng,
     user_sign_ins.ip_hash,
     user_sign_ins.device_hash,
     user_sign_ins.user_agent_family,
     user_sign_ins.risk,
     user_sign_ins.reasons,
     user_sign_ins.model_version,
     user_sign_ins.alarmed,
     user_sign_ins.confirmed,
     user_sign_ins.confirmed_at
    FROM private.user_sign_ins(user_sign_ins.p_user_id, user_sign_ins.p_limit) user_sign_ins(id, user_id, session_id, at, succeeded, country, cell_lat, cell_lng, ip_hash, device_hash, user_agent_family, risk, reasons, model_version, alarmed, confirmed, confirmed_at);
END;

CREATE FUNCTION public.verify_audit_log(p_heads text[] DEFAULT '{}'::text[], p_month date DEFAULT NULL::date) RETURNS SETOF public.audit_chain
    LANGUAGE sql STABLE
    SET search_path TO ''
    BEGIN ATOMIC
 SELECT verify_audit_log.month,
     verify_audit_log.entries,
     verify_audit_log.redacted,
     verify_audit_log.ok,
     verify_audit_log.first_broken,
     verify_audit_log.problem,
     verify_audit_log.head
    FROM private.verify_audit_log(verify_audit_log.p_heads, verify_audit_log.p_month) verify_audit_log(month, entries, redacted, ok, first_broken, problem, head);
END;

CREATE FUNCTION public.verify_token() RETURNS public.token_state
    LANGUAGE sql STABLE
    SET search_path TO ''
    RETURN private.verify_token();

ALTER TABLE ml.attachments ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ml.attachments_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE ml.backfills (
    attachment_id smallint NOT NULL,
    last_key text,
    enqueued bigint DEFAULT 0 NOT NULL,
    total bigint DEFAULT 0 NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    moved_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone
);

CREATE TABLE ml.budgets (
    model text NOT NULL,
    scope text NOT NULL,
    unit text NOT NULL,
    per_day bigint NOT NULL,
    CONSTRAINT budgets_per_day_check CHECK ((per_day >= 0)),
    CONSTRAINT budgets_scope_check CHECK ((scope = ANY (ARRAY['model'::text, 'owner'::text]))),
    CONSTRAINT budgets_unit_check CHECK ((unit = ANY (ARRAY['calls'::text, 'tokens'::text])))
);

CREATE TABLE ml.dead_letters (
    id bigint NOT NULL,
    attachment_id smallint NOT NULL,
    row_key text NOT NULL COLLATE pg_catalog."C",
    owner_id uuid,
    attempts smallint NOT NULL,
    reason text NOT NULL,
    error text,
    died_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE ml.dead_letters ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME ml.dead_letters_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE ml.jobs (
    attachment_id smallint NOT NULL,
    is_background boolean DEFAULT false NOT NULL,
    is_new boolean DEFAULT false NOT NULL,
    owner_id uuid DEFAULT '00000000-0000-0000-0000-000000000000'::uuid NOT NULL,
    enqueued_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    row_key text NOT NULL COLLATE pg_catalog."C"
)
WITH (fillfactor='90', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='1000', autovacuum_vacuum_cost_delay='0', autovacuum_analyze_scale_factor='0', autovacuum_analyze_threshold='5000');

CREATE TABLE public.predictions (
    id bigint NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    prediction text NOT NULL,
    source_table text NOT NULL,
    row_key text NOT NULL COLLATE pg_catalog."C",
    owner_id uuid,
    model text NOT NULL,
    model_version text,
    status text NOT NULL,
    input_hash bytea,
    output jsonb,
    interval_low double precision,
    interval_high double precision,
    latency_ms real,
    attempts smallint DEFAULT 0 NOT NULL,
    error text,
    request_id text,
    CONSTRAINT predictions_interval_check CHECK ((interval_low <= interval_high)),
    CONSTRAINT predictions_latency_ms_check CHECK ((latency_ms >= (0)::double precision)),
    CONSTRAINT predictions_request_id_check CHECK ((length(request_id) <= 200)),
    CONSTRAINT predictions_status_check CHECK ((status = ANY (ARRAY['done'::text, 'superseded'::text, 'failed'::text, 'cancelled'::text])))
)
PARTITION BY RANGE (created_at);

CREATE TABLE ml.predictions_default (
    id bigint NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    prediction text NOT NULL,
    source_table text NOT NULL,
    row_key text NOT NULL COLLATE pg_catalog."C",
    owner_id uuid,
    model text NOT NULL,
    model_version text,
    status text NOT NULL,
    input_hash bytea,
    output jsonb,
    interval_low double precision,
    interval_high double precision,
    latency_ms real,
    attempts smallint DEFAULT 0 NOT NULL,
    error text,
    request_id text,
    CONSTRAINT predictions_interval_check CHECK ((interval_low <= interval_high)),
    CONSTRAINT predictions_latency_ms_check CHECK ((latency_ms >= (0)::double precision)),
    CONSTRAINT predictions_request_id_check CHECK ((length(request_id) <= 200)),
    CONSTRAINT predictions_status_check CHECK ((status = ANY (ARRAY['done'::text, 'superseded'::text, 'failed'::text, 'cancelled'::text])))
);

CREATE TABLE ml.retries (
    attachment_id smallint NOT NULL,
    row_key text NOT NULL COLLATE pg_catalog."C",
    owner_id uuid NOT NULL,
    enqueued_at timestamp with time zone NOT NULL,
    run_at timestamp with time zone NOT NULL,
    is_new boolean NOT NULL,
    is_background boolean NOT NULL,
    attempts smallint NOT NULL,
    deferrals smallint NOT NULL,
    suspicion smallint NOT NULL,
    reason text NOT NULL
)
WITH (fillfactor='90', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='1000', autovacuum_vacuum_cost_delay='0', autovacuum_analyze_scale_factor='0', autovacuum_analyze_threshold='5000');

CREATE VIEW ml.queue WITH (security_invoker='true') AS
 SELECT a.name AS prediction,
    x.row_key,
    NULLIF(x.owner_id, '00000000-0000-0000-0000-000000000000'::uuid) AS owner_id,
    x.state,
    x.is_background,
    x.attempts,
    x.reason,
    x.enqueued_at,
    x.run_at,
    x.lease_until,
    x.worker,
    x.token
   FROM (ml.attachments a
     CROSS JOIN LATERAL ( SELECT j.row_key,
            j.owner_id,
            'pending'::text AS state,
            j.is_background,
            (0)::smallint AS attempts,
            NULL::text AS reason,
            j.enqueued_at,
            j.enqueued_at AS run_at,
            NULL::timestamp with time zone AS lease_until,
            NULL::text AS worker,
            NULL::uuid AS token
           FROM ml.jobs j
          WHERE (j.attachment_id = a.id)
        UNION ALL
         SELECT r.row_key,
            r.owner_id,
            'waiting'::text,
            r.is_background,
            r.attempts,
            r.reason,
            r.enqueued_at,
            r.run_at,
            NULL::timestamp with time zone,
            NULL::text,
            NULL::uuid
           FROM ml.retries r
          WHERE (r.attachment_id = a.id)
        UNION ALL
         SELECT j.row_key,
            j.owner_id,
            'running'::text,
            j.is_background,
            j.attempts,
            NULL::text,
            j.enqueued_at,
            l.leased_at,
            l.lease_until,
            l.worker,
            l.token
           FROM (ml.leases l
             CROSS JOIN LATERAL unnest(l.jobs) j(row_key, owner_id, enqueued_at, is_new, is_background, attempts, deferrals, suspicion, input_hash))
          WHERE ((l.attachment_id = a.id) AND (j.row_key IS NOT NULL))) x);

CREATE TABLE ml.queue_state (
    id boolean DEFAULT true NOT NULL,
    taken_at timestamp with time zone NOT NULL,
    predictions jsonb NOT NULL,
    CONSTRAINT queue_state_id_check CHECK (id)
);

CREATE TABLE ml.usage (
    model text NOT NULL,
    day date NOT NULL,
    owner_id uuid,
    calls bigint DEFAULT 0 NOT NULL,
    tokens bigint DEFAULT 0 NOT NULL
);

CREATE TABLE ml.webhook_deliveries (
    id text NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT webhook_deliveries_id_check CHECK (((length(id) >= 1) AND (length(id) <= 200)))
);

CREATE TABLE ml.workers (
    name text NOT NULL,
    models jsonb DEFAULT '{}'::jsonb NOT NULL,
    activity jsonb DEFAULT '{}'::jsonb NOT NULL,
    last_done_at timestamp with time zone,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    seen_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT workers_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200)))
);

CREATE TABLE private.account_words (
    user_id uuid NOT NULL,
    words text NOT NULL
);

CREATE TABLE private.api_keys (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    user_id uuid NOT NULL,
    name text NOT NULL,
    prefix text NOT NULL,
    digest bytea NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT api_keys_digest_check CHECK ((length(digest) = 32)),
    CONSTRAINT api_keys_name_check CHECK (((length(name) >= 1) AND (length(name) <= 80))),
    CONSTRAINT api_keys_scopes_check CHECK (((scopes = '{read}'::text[]) OR (scopes = '{read,write}'::text[])))
);

CREATE TABLE private.audit_log (
    id bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    actor_role text NOT NULL,
    action text NOT NULL,
    table_name text,
    salt uuid,
    actor_id uuid,
    subject_id uuid,
    row_key text,
    old_values jsonb,
    new_values jsonb,
    request_id text,
    CONSTRAINT audit_log_salt_check CHECK (((salt IS NOT NULL) OR (num_nonnulls(actor_id, subject_id, row_key, old_values, new_values, request_id) = 0)))
)
PARTITION BY RANGE (created_at);

CREATE TABLE private.audit_log_default (
    id bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    actor_role text NOT NULL,
    action text NOT NULL,
    table_name text,
    salt uuid,
    actor_id uuid,
    subject_id uuid,
    row_key text,
    old_values jsonb,
    new_values jsonb,
    request_id text,
    CONSTRAINT audit_log_salt_check CHECK (((salt IS NOT NULL) OR (num_nonnulls(actor_id, subject_id, row_key, old_values, new_values, request_id) = 0)))
);

ALTER TABLE private.audit_log ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME private.audit_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE private.deletion_failures (
    user_id uuid NOT NULL,
    failures integer DEFAULT 1 NOT NULL,
    failed_at timestamp with time zone DEFAULT now() NOT NULL,
    error text NOT NULL
);

ALTER TABLE private.erasures ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME private.erasures_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE private.ip_networks (
    network inet NOT NULL,
    country text,
    lat double precision,
    lng double precision,
    CONSTRAINT ip_networks_country_check CHECK ((country ~ '^[A-Z]{2}$'::text)),
    CONSTRAINT ip_networks_lat_check CHECK (((lat >= ('-90'::integer)::double precision) AND (lat <= (90)::double precision))),
    CONSTRAINT ip_networks_lng_check CHECK (((lng >= ('-180'::integer)::double precision) AND (lng <= (180)::double precision)))
);

CREATE TABLE private.personal_data_settings (
    id boolean DEFAULT true NOT NULL,
    deletion_grace interval DEFAULT '30 days'::interval NOT NULL,
    exports_per_day integer DEFAULT 5 NOT NULL,
    export_page_rows integer DEFAULT 5000 NOT NULL,
    CONSTRAINT personal_data_settings_deletion_grace_check CHECK (((deletion_grace >= '00:00:00'::interval) AND (deletion_grace <= '365 days'::interval))),
    CONSTRAINT personal_data_settings_export_page_rows_check CHECK (((export_page_rows >= 1) AND (export_page_rows <= 50000))),
    CONSTRAINT personal_data_settings_exports_per_day_check CHECK (((exports_per_day >= 0) AND (exports_per_day <= 1000))),
    CONSTRAINT personal_data_settings_id_check CHECK (id)
);

CREATE TABLE private.pickup_transitions (
    from_status public.pickup_status NOT NULL,
    to_status public.pickup_status NOT NULL
);

CREATE UNLOGGED TABLE private.rate_buckets (
    caller text NOT NULL,
    limit_name text NOT NULL,
    slot integer NOT NULL,
    full_at timestamp with time zone NOT NULL
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='1000');

CREATE TABLE private.rate_limits (
    name text NOT NULL,
    caller text NOT NULL,
    for_reads boolean NOT NULL,
    path text,
    capacity integer NOT NULL,
    refill_per_second double precision NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_by uuid,
    CONSTRAINT rate_limits_capacity_check CHECK (((capacity >= 1) AND (capacity <= 100000))),
    CONSTRAINT rate_limits_name_check CHECK ((name ~ '^[a-z][a-z0-9_]{0,62}$'::text)),
    CONSTRAINT rate_limits_path_check CHECK (((path ~ '^/'::text) AND (length(path) <= 200))),
    CONSTRAINT rate_limits_refill_per_second_check CHECK (((refill_per_second >= (0.0001)::double precision) AND (refill_per_second <= (100000)::double precision)))
);

CREATE TABLE private.sign_in_policy (
    id boolean DEFAULT true NOT NULL,
    alarm_from double precision NOT NULL,
    keep_days integer DEFAULT 400 NOT NULL,
    CONSTRAINT sign_in_policy_alarm_from_check CHECK (((alarm_from >= (0)::double precision) AND (alarm_from <= (1)::double precision))),
    CONSTRAINT sign_in_policy_id_check CHECK (id),
    CONSTRAINT sign_in_policy_keep_days_check CHECK (((keep_days >= 1) AND (keep_days <= 4000)))
);

CREATE TABLE public.app_roles (
    name text NOT NULL,
    description text NOT NULL,
    CONSTRAINT app_roles_name_check CHECK ((name ~ '^[a-z][a-z_]{1,30}$'::text))
);

CREATE TABLE public.export_requests (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    user_id uuid NOT NULL,
    requested_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    state text DEFAULT 'complete'::text NOT NULL,
    row_count bigint DEFAULT 0 NOT NULL,
    CONSTRAINT export_requests_state_check CHECK ((state = ANY (ARRAY['complete'::text, 'paged'::text])))
);

ALTER TABLE public.login_events ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.login_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE public.notifications ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.notifications_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.permissions (
    name text NOT NULL,
    description text NOT NULL,
    requires_mfa boolean DEFAULT false NOT NULL,
    CONSTRAINT permissions_name_check CHECK ((name ~ '^[a-z][a-z_]{1,30}\.[a-z][a-z_]{1,30}$'::text))
);

CREATE TABLE public.prediction_outcomes (
    id bigint NOT NULL,
    prediction text NOT NULL,
    row_key text NOT NULL COLLATE pg_catalog."C",
    owner_id uuid,
    prediction_id bigint,
    predicted jsonb,
    truth jsonb NOT NULL,
    observed_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE public.prediction_outcomes ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.prediction_outcomes_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE public.predictions ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.predictions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.profiles (
    id uuid NOT NULL,
    display_name text,
    username text,
    avatar_url text,
    locale text,
    time_zone text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT profiles_avatar_url_check CHECK (((length(avatar_url) <= 500) AND (avatar_url ~ '^https://[^[:space:][:cntrl:]"''<>]+$'::text))),
    CONSTRAINT profiles_display_name_check CHECK (((length(display_name) >= 1) AND (length(display_name) <= 80))),
    CONSTRAINT profiles_locale_check CHECK ((locale ~ '^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$'::text)),
    CONSTRAINT profiles_time_zone_check CHECK (((time_zone ~ '^[A-Za-z][A-Za-z0-9_+/-]{1,63}$'::text) AND private.is_time_zone(time_zone))),
    CONSTRAINT profiles_username_check CHECK ((username ~ '^[a-z0-9_]{3,30}$'::text))
);

CREATE TABLE public.role_permissions (
    role text NOT NULL,
    permission text NOT NULL
);

CREATE TABLE public.user_roles (
    user_id uuid NOT NULL,
    role text NOT NULL,
    granted_by uuid,
    granted_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone,
    CONSTRAINT user_roles_expires_at_check CHECK ((expires_at > granted_at))
);

ALTER TABLE ONLY public.predictions ATTACH PARTITION ml.predictions_default DEFAULT;

ALTER TABLE ONLY private.audit_log ATTACH PARTITION private.audit_log_default DEFAULT;

ALTER TABLE ONLY ml.attachments
    ADD CONSTRAINT attachments_name_key UNIQUE (name);

ALTER TABLE ONLY ml.attachments
    ADD CONSTRAINT attachments_pkey PRIMARY KEY (id);

ALTER TABLE ONLY ml.backfills
    ADD CONSTRAINT backfills_pkey PRIMARY KEY (attachment_id);

ALTER TABLE ONLY ml.budgets
    ADD CONSTRAINT budgets_pkey PRIMARY KEY (model, scope, unit);

ALTER TABLE ONLY ml.dead_letters
    ADD CONSTRAINT dead_letters_pkey PRIMARY KEY (id);

ALTER TABLE ONLY ml.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (attachment_id, row_key);

ALTER TABLE ONLY ml.leases
    ADD CONSTRAINT leases_pkey PRIMARY KEY (token);

ALTER TABLE ONLY ml.models
    ADD CONSTRAINT models_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.predictions
    ADD CONSTRAINT predictions_pkey PRIMARY KEY (row_key, prediction, created_at, id);

ALTER TABLE ONLY ml.predictions_default
    ADD CONSTRAINT predictions_default_pkey PRIMARY KEY (row_key, prediction, created_at, id);

ALTER TABLE ONLY ml.queue_state
    ADD CONSTRAINT queue_state_pkey PRIMARY KEY (id);

ALTER TABLE ONLY ml.retries
    ADD CONSTRAINT retries_pkey PRIMARY KEY (attachment_id, row_key);

ALTER TABLE ONLY ml.usage
    ADD CONSTRAINT usage_model_day_owner_id_key UNIQUE NULLS NOT DISTINCT (model, day, owner_id);

ALTER TABLE ONLY ml.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (id);

ALTER TABLE ONLY ml.workers
    ADD CONSTRAINT workers_pkey PRIMARY KEY (name);

ALTER TABLE ONLY private.account_words
    ADD CONSTRAINT account_words_pkey PRIMARY KEY (user_id);

ALTER TABLE ONLY private.api_keys
    ADD CONSTRAINT api_keys_digest_key UNIQUE (digest);

ALTER TABLE ONLY private.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (id);

ALTER TABLE ONLY private.audit_links
    ADD CONSTRAINT audit_links_entry_id_key UNIQUE (entry_id);

ALTER TABLE ONLY private.audit_links
    ADD CONSTRAINT audit_links_pkey PRIMARY KEY (month, lane, "position");

ALTER TABLE ONLY private.audit_log
    ADD CONSTRAINT audit_log_pkey PRIMARY KEY (created_at, id);

ALTER TABLE ONLY private.audit_log_default
    ADD CONSTRAINT audit_log_default_pkey PRIMARY KEY (created_at, id);

ALTER TABLE ONLY private.deletion_failures
    ADD CONSTRAINT deletion_failures_pkey PRIMARY KEY (user_id);

ALTER TABLE ONLY private.erasures
    ADD CONSTRAINT erasures_pkey PRIMARY KEY (id);

ALTER TABLE ONLY private.ip_networks
    ADD CONSTRAINT ip_networks_pkey PRIMARY KEY (network);

ALTER TABLE ONLY private.notification_kinds
    ADD CONSTRAINT notification_kinds_pkey PRIMARY KEY (name);

ALTER TABLE ONLY private.notification_mutes
    ADD CONSTRAINT notification_mutes_pkey PRIMARY KEY (user_id, kind);

ALTER TABLE ONLY private.personal_data
    ADD CONSTRAINT personal_data_pkey PRIMARY KEY (table_name, column_name);

ALTER TABLE ONLY private.personal_data_settings
    ADD CONSTRAINT personal_data_settings_pkey PRIMARY KEY (id);

ALTER TABLE ONLY private.pickup_transitions
    ADD CONSTRAINT pickup_transitions_pkey PRIMARY KEY (from_status, to_status);

ALTER TABLE ONLY private.rate_buckets
    ADD CONSTRAINT rate_buckets_pkey PRIMARY KEY (caller, limit_name, slot);

ALTER TABLE ONLY private.rate_limits
    ADD CONSTRAINT rate_limits_caller_for_reads_path_key UNIQUE NULLS NOT DISTINCT (caller, for_reads, path);

ALTER TABLE ONLY private.rate_limits
    ADD CONSTRAINT rate_limits_pkey PRIMARY KEY (name);

ALTER TABLE ONLY private.sign_in_policy
    ADD CONSTRAINT sign_in_policy_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.app_roles
    ADD CONSTRAINT app_roles_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.deletion_requests
    ADD CONSTRAINT deletion_requests_pkey PRIMARY KEY (user_id);

ALTER TABLE ONLY public.export_requests
    ADD CONSTRAINT export_requests_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.feature_flags
    ADD CONSTRAINT feature_flags_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.login_events
    ADD CONSTRAINT login_events_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.notifications
    ADD CONSTRAINT notifications_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.notifications
    ADD CONSTRAINT notifications_user_id_idempotency_key_key UNIQUE (user_id, idempotency_key);

ALTER TABLE ONLY public.permissions
    ADD CONSTRAINT permissions_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.pickup_requests
    ADD CONSTRAINT pickup_requests_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.pickup_requests
    ADD CONSTRAINT pickup_requests_user_id_client_key_key UNIQUE (user_id, client_key);

ALTER TABLE ONLY public.prediction_outcomes
    ADD CONSTRAINT prediction_outcomes_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.prediction_outcomes
    ADD CONSTRAINT prediction_outcomes_prediction_row_key_key UNIQUE (prediction, row_key);

ALTER TABLE ONLY public.profiles
    ADD CONSTRAINT profiles_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.role_permissions
    ADD CONSTRAINT role_permissions_pkey PRIMARY KEY (role, permission);

ALTER TABLE ONLY public.user_roles
    ADD CONSTRAINT user_roles_pkey PRIMARY KEY (user_id, role);

CREATE INDEX attachments_model_idx ON ml.attachments USING btree (model);

CREATE INDEX attachments_source_table_idx ON ml.attachments USING btree (source_table);

CREATE INDEX dead_letters_attachment_id_idx ON ml.dead_letters USING btree (attachment_id, row_key);

CREATE INDEX jobs_turn_idx ON ml.jobs USING btree (attachment_id, is_background, owner_id, enqueued_at);

CREATE INDEX leases_lease_until_idx ON ml.leases USING btree (lease_until);

CREATE INDEX predictions_created_at_idx ON ONLY public.predictions USING brin (created_at) WITH (pages_per_range='32');

CREATE INDEX predictions_default_created_at_idx ON ml.predictions_default USING brin (created_at) WITH (pages_per_range='32');

CREATE INDEX predictions_owner_id_idx ON ONLY public.predictions USING btree (owner_id, created_at DESC) WHERE (owner_id IS NOT NULL);

CREATE INDEX predictions_default_owner_id_created_at_idx ON ml.predictions_default USING btree (owner_id, created_at DESC) WHERE (owner_id IS NOT NULL);

CREATE INDEX retries_owner_id_idx ON ml.retries USING btree (attachment_id, owner_id, enqueued_at);

CREATE INDEX retries_run_at_idx ON ml.retries USING btree (attachment_id, run_at);

CREATE INDEX webhook_deliveries_received_at_idx ON ml.webhook_deliveries USING btree (received_at);

CREATE INDEX account_words_words_idx ON private.account_words USING gin (words extensions.gin_trgm_ops);

CREATE INDEX api_keys_user_id_idx ON private.api_keys USING btree (user_id);

CREATE INDEX audit_log_action_idx ON ONLY private.audit_log USING btree (action, created_at DESC, id DESC);

CREATE INDEX audit_log_actor_id_idx ON ONLY private.audit_log USING btree (actor_id, created_at DESC, id DESC) WHERE (actor_id IS NOT NULL);

CREATE INDEX audit_log_default_action_created_at_id_idx ON private.audit_log_default USING btree (action, created_at DESC, id DESC);

CREATE INDEX audit_log_default_actor_id_created_at_id_idx ON private.audit_log_default USING btree (actor_id, created_at DESC, id DESC) WHERE (actor_id IS NOT NULL);

CREATE INDEX audit_log_subject_id_idx ON ONLY private.audit_log USING btree (subject_id, created_at DESC, id DESC) WHERE (subject_id IS NOT NULL);

CREATE INDEX audit_log_default_subject_id_created_at_id_idx ON private.audit_log_default USING btree (subject_id, created_at DESC, id DESC) WHERE (subject_id IS NOT NULL);

CREATE INDEX audit_log_table_name_idx ON ONLY private.audit_log USING btree (table_name, created_at DESC, id DESC);

CREATE INDEX audit_log_default_table_name_created_at_id_idx ON private.audit_log_default USING btree (table_name, created_at DESC, id DESC);

CREATE INDEX ip_networks_network_idx ON private.ip_networks USING gist (network inet_ops);

CREATE INDEX notification_mutes_kind_idx ON private.notification_mutes USING btree (kind);

CREATE INDEX rate_limits_updated_by_idx ON private.rate_limits USING btree (updated_by);

CREATE INDEX deletion_requests_due_at_idx ON public.deletion_requests USING btree (due_at) WHERE (state = 'pending'::text);

CREATE INDEX export_requests_user_id_idx ON public.export_requests USING btree (user_id, requested_at DESC);

CREATE INDEX feature_flags_updated_by_idx ON public.feature_flags USING btree (updated_by);

CREATE INDEX login_events_at_idx ON public.login_events USING btree (at);

CREATE INDEX login_events_ip_hash_idx ON public.login_events USING btree (ip_hash, succeeded, at);

CREATE INDEX login_events_user_id_at_failed_idx ON public.login_events USING btree (user_id, at) WHERE (NOT succeeded);

CREATE INDEX login_events_user_id_at_idx ON public.login_events USING btree (user_id, at, id);

CREATE INDEX login_events_user_id_at_succeeded_idx ON public.login_events USING btree (user_id, at, id) WHERE succeeded;

CREATE INDEX notifications_created_at_idx ON public.notifications USING brin (created_at);

CREATE INDEX notifications_kind_idx ON public.notifications USING btree (kind);

CREATE INDEX notifications_unread_idx ON public.notifications USING btree (user_id, created_at DESC, id DESC) WHERE (read_at IS NULL);

CREATE INDEX notifications_user_id_created_at_id_idx ON public.notifications USING btree (user_id, created_at DESC, id DESC);

CREATE INDEX pickup_requests_completed_at_idx ON public.pickup_requests USING btree (completed_at) WHERE (status = 'completed'::public.pickup_status);

CREATE INDEX pickup_requests_user_id_requested_at_idx ON public.pickup_requests USING btree (user_id, requested_at DESC, id);

CREATE INDEX prediction_outcomes_owner_id_idx ON public.prediction_outcomes USING btree (owner_id);

CREATE INDEX profiles_created_at_idx ON public.profiles USING btree (created_at DESC, id);

CREATE UNIQUE INDEX profiles_username_key ON public.profiles USING btree (username);

CREATE INDEX role_permissions_permission_idx ON public.role_permissions USING btree (permission);

CREATE INDEX user_roles_granted_by_idx ON public.user_roles USING btree (granted_by);

CREATE INDEX user_roles_role_idx ON public.user_roles USING btree (role);

ALTER INDEX public.predictions_created_at_idx ATTACH PARTITION ml.predictions_default_created_at_idx;

ALTER INDEX public.predictions_owner_id_idx ATTACH PARTITION ml.predictions_default_owner_id_created_at_idx;

ALTER INDEX public.predictions_pkey ATTACH PARTITION ml.predictions_default_pkey;

ALTER INDEX private.audit_log_action_idx ATTACH PARTITION private.audit_log_default_action_created_at_id_idx;

ALTER INDEX private.audit_log_actor_id_idx ATTACH PARTITION private.audit_log_default_actor_id_created_at_id_idx;

ALTER INDEX private.audit_log_pkey ATTACH PARTITION private.audit_log_default_pkey;

ALTER INDEX private.audit_log_subject_id_idx ATTACH PARTITION private.audit_log_default_subject_id_created_at_id_idx;

ALTER INDEX private.audit_log_table_name_idx ATTACH PARTITION private.audit_log_default_table_name_created_at_id_idx;

CREATE TRIGGER _100_guard BEFORE DELETE OR UPDATE ON private.audit_links FOR EACH ROW EXECUTE FUNCTION private.tg_audit_links__guard();

CREATE TRIGGER _100_guard BEFORE DELETE OR UPDATE ON private.audit_log FOR EACH ROW EXECUTE FUNCTION private.tg_audit_log__guard();

CREATE CONSTRAINT TRIGGER _100_link AFTER INSERT ON private.audit_log DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION private.tg_audit_log__link();

CREATE TRIGGER _101_guard_truncate BEFORE TRUNCATE ON private.audit_links FOR EACH STATEMENT EXECUTE FUNCTION private.tg_audit_links__guard();

CREATE TRIGGER _101_guard_truncate BEFORE TRUNCATE ON private.audit_log FOR EACH STATEMENT EXECUTE FUNCTION private.tg_audit_log__guard();

CREATE TRIGGER _101_guard_truncate BEFORE TRUNCATE ON private.audit_log_default FOR EACH STATEMENT EXECUTE FUNCTION private.tg_audit_log__guard();

CREATE TRIGGER _900_audit AFTER INSERT OR DELETE OR UPDATE ON private.api_keys FOR EACH ROW EXECUTE FUNCTION private.tg_audited__note('{id}', 'user_id', '{digest}', '{}');

CREATE TRIGGER _900_audit AFTER INSERT OR DELETE OR UPDATE ON private.rate_limits FOR EACH ROW EXECUTE FUNCTION private.tg_audited__note('{name}', '', '{}', '{updated_at,updated_by}');

CREATE TRIGGER _901_audit_truncate AFTER TRUNCATE ON private.api_keys FOR EACH STATEMENT EXECUTE FUNCTION private.tg_audited__note('{id}', 'user_id', '{digest}', '{}');

CREATE TRIGGER _901_audit_truncate AFTER TRUNCATE ON private.rate_limits FOR EACH STATEMENT EXECUTE FUNCTION private.tg_audited__note('{name}', '', '{}', '{updated_at,updated_by}');

CREATE TRIGGER _100_broadcast AFTER INSERT ON public.notifications REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION private.tg_notifications__broadcast();

CREATE TRIGGER _100_broadcast AFTER INSERT ON public.predictions REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION ml.tg_predictions__broadcast();

CREATE TRIGGER _100_guard_status BEFORE UPDATE ON public.pickup_requests FOR EACH ROW EXECUTE FUNCTION private.tg_pickup_requests__guard_status();

CREATE TRIGGER _100_keep_an_admin_after_delete AFTER DELETE ON public.user_roles REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION private.tg_user_roles__keep_an_admin();

CREATE TRIGGER _100_keep_an_admin_after_update AFTER UPDATE ON public.user_roles REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION private.tg_user_roles__keep_an_admin();

CREATE TRIGGER _100_touch BEFORE UPDATE ON public.profiles FOR EACH ROW EXECUTE FUNCTION private.tg_profiles__touch();

CREATE TRIGGER _200_broadcast_read AFTER UPDATE ON public.notifications REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION private.tg_notifications__broadcast_read();

CREATE TRIGGER _200_words AFTER INSERT OR UPDATE OF display_name, username ON public.profiles FOR EACH ROW EXECUTE FUNCTION private.tg_profiles__words();

CREATE TRIGGER _800_predict_pickup_eta_delete AFTER DELETE ON public.pickup_requests REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION ml.tg_pickup_eta__delete();

CREATE TRIGGER _800_predict_pickup_eta_insert AFTER INSERT ON public.pickup_requests REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION ml.tg_pickup_eta__insert();

CREATE TRIGGER _800_predict_pickup_eta_update AFTER UPDATE ON public.pickup_requests REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION ml.tg_pickup_eta__update();

CREATE TRIGGER _800_predict_sign_in_risk_delete AFTER DELETE ON public.login_events REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION ml.tg_sign_in_risk__delete();

CREATE TRIGGER _800_predict_sign_in_risk_insert AFTER INSERT ON public.login_events REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION ml.tg_sign_in_risk__insert();

CREATE TRIGGER _800_predict_sign_in_risk_update AFTER UPDATE ON public.login_events REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION ml.tg_sign_in_risk__update();

CREATE TRIGGER _900_audit AFTER INSERT OR DELETE OR UPDATE ON public.app_roles FOR EACH ROW EXECUTE FUNCTION private.tg_audited__note('{name}', '', '{}', '{}');

CREATE TRIGGER _900_audit AFTER INSERT OR DELETE OR UPDATE ON public.feature_flags FOR EACH ROW EXECUTE FUNCTION private.tg_audited__note('{name}', '', '{}', '{updated_at}');

CREATE TRIGGER _900_audit AFTER INSERT OR DELETE OR UPDATE ON public.permissions FOR EACH ROW EXECUTE FUNCTION private.tg_audited__note('{name}', '', '{}', '{}');

CREATE TRIGGER _900_audit AFTER INSERT OR DELETE OR UPDATE ON public.profiles FOR EACH ROW EXECUTE FUNCTION private.tg_audited__note('{id}', 'id', '{}', '{updated_at}');

CREATE TRIGGER _900_audit AFTER INSERT OR DELETE OR UPDATE ON public.role_permissions FOR EACH ROW EXECUTE FUNCTION private.tg_audited__note('{role,permission}', '', '{}', '{}');

CREATE TRIGGER _900_audit AFTER INSERT OR DELETE OR UPDATE ON public.user_roles FOR EACH ROW EXECUTE FUNCTION private.tg_audited__note('{user_id,role}', 'user_id', '{}', '{}');

CREATE TRIGGER _901_audit_truncate AFTER TRUNCATE ON public.app_roles FOR EACH STATEMENT EXECUTE FUNCTION private.tg_audited__note('{name}', '', '{}', '{}');

CREATE TRIGGER _901_audit_truncate AFTER TRUNCATE ON public.feature_flags FOR EACH STATEMENT EXECUTE FUNCTION private.tg_audited__note('{name}', '', '{}', '{updated_at}');

CREATE TRIGGER _901_audit_truncate AFTER TRUNCATE ON public.permissions FOR EACH STATEMENT EXECUTE FUNCTION private.tg_audited__note('{name}', '', '{}', '{}');

CREATE TRIGGER _901_audit_truncate AFTER TRUNCATE ON public.profiles FOR EACH STATEMENT EXECUTE FUNCTION private.tg_audited__note('{id}', 'id', '{}', '{updated_at}');

CREATE TRIGGER _901_audit_truncate AFTER TRUNCATE ON public.role_permissions FOR EACH STATEMENT EXECUTE FUNCTION private.tg_audited__note('{role,permission}', '', '{}', '{}');

CREATE TRIGGER _901_audit_truncate AFTER TRUNCATE ON public.user_roles FOR EACH STATEMENT EXECUTE FUNCTION private.tg_audited__note('{user_id,role}', 'user_id', '{}', '{}');

ALTER TABLE ONLY ml.attachments
    ADD CONSTRAINT attachments_model_fkey FOREIGN KEY (model) REFERENCES ml.models(name) ON DELETE RESTRICT;

ALTER TABLE ONLY ml.backfills
    ADD CONSTRAINT backfills_attachment_id_fkey FOREIGN KEY (attachment_id) REFERENCES ml.attachments(id) ON DELETE CASCADE;

ALTER TABLE ONLY ml.budgets
    ADD CONSTRAINT budgets_model_fkey FOREIGN KEY (model) REFERENCES ml.models(name) ON DELETE CASCADE;

ALTER TABLE ONLY ml.dead_letters
    ADD CONSTRAINT dead_letters_attachment_id_fkey FOREIGN KEY (attachment_id) REFERENCES ml.attachments(id) ON DELETE CASCADE;

ALTER TABLE ONLY ml.usage
    ADD CONSTRAINT usage_model_fkey FOREIGN KEY (model) REFERENCES ml.models(name) ON DELETE CASCADE;

ALTER TABLE ONLY private.account_words
    ADD CONSTRAINT account_words_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.profiles(id) ON DELETE CASCADE;

ALTER TABLE ONLY private.api_keys
    ADD CONSTRAINT api_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY private.deletion_failures
    ADD CONSTRAINT deletion_failures_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.deletion_requests(user_id) ON DELETE CASCADE;

ALTER TABLE ONLY private.notification_mutes
    ADD CONSTRAINT notification_mutes_kind_fkey FOREIGN KEY (kind) REFERENCES private.notification_kinds(name) ON DELETE CASCADE;

ALTER TABLE ONLY private.notification_mutes
    ADD CONSTRAINT notification_mutes_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY private.rate_limits
    ADD CONSTRAINT rate_limits_updated_by_fkey FOREIGN KEY (updated_by) REFERENCES auth.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.deletion_requests
    ADD CONSTRAINT deletion_requests_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.export_requests
    ADD CONSTRAINT export_requests_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.feature_flags
    ADD CONSTRAINT feature_flags_updated_by_fkey FOREIGN KEY (updated_by) REFERENCES auth.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.login_events
    ADD CONSTRAINT login_events_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.notifications
    ADD CONSTRAINT notifications_kind_fkey FOREIGN KEY (kind) REFERENCES private.notification_kinds(name) ON DELETE RESTRICT;

ALTER TABLE ONLY public.notifications
    ADD CONSTRAINT notifications_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.pickup_requests
    ADD CONSTRAINT pickup_requests_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.profiles
    ADD CONSTRAINT profiles_id_fkey FOREIGN KEY (id) REFERENCES auth.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.role_permissions
    ADD CONSTRAINT role_permissions_permission_fkey FOREIGN KEY (permission) REFERENCES public.permissions(name) ON DELETE CASCADE;

ALTER TABLE ONLY public.role_permissions
    ADD CONSTRAINT role_permissions_role_fkey FOREIGN KEY (role) REFERENCES public.app_roles(name) ON DELETE CASCADE;

ALTER TABLE ONLY public.user_roles
    ADD CONSTRAINT user_roles_granted_by_fkey FOREIGN KEY (granted_by) REFERENCES auth.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.user_roles
    ADD CONSTRAINT user_roles_role_fkey FOREIGN KEY (role) REFERENCES public.app_roles(name) ON DELETE RESTRICT;

ALTER TABLE ONLY public.user_roles
    ADD CONSTRAINT user_roles_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;

ALTER TABLE ml.attachments ENABLE ROW LEVEL SECURITY;

ALTER TABLE ml.backfills ENABLE ROW LEVEL SECURITY;

ALTER TABLE ml.budgets ENABLE ROW LEVEL SECURITY;

ALTER TABLE ml.dead_letters ENABLE ROW LEVEL SECURITY;

ALTER TABLE ml.jobs ENABLE ROW LEVEL SECURITY;

ALTER TABLE ml.leases ENABLE ROW LEVEL SECURITY;

ALTER TABLE ml.models ENABLE ROW LEVEL SECURITY;

ALTER TABLE ml.predictions_default ENABLE ROW LEVEL SECURITY;

ALTER TABLE ml.queue_state ENABLE ROW LEVEL SECURITY;

ALTER TABLE ml.retries ENABLE ROW LEVEL SECURITY;

ALTER TABLE ml.usage ENABLE ROW LEVEL SECURITY;

ALTER TABLE ml.webhook_deliveries ENABLE ROW LEVEL SECURITY;

ALTER TABLE ml.workers ENABLE ROW LEVEL SECURITY;

ALTER TABLE private.account_words ENABLE ROW LEVEL SECURITY;

ALTER TABLE private.api_keys ENABLE ROW LEVEL SECURITY;

ALTER TABLE private.audit_links ENABLE ROW LEVEL SECURITY;

ALTER TABLE private.audit_log ENABLE ROW LEVEL SECURITY;

ALTER TABLE private.audit_log_default ENABLE ROW LEVEL SECURITY;

ALTER TABLE private.deletion_failures ENABLE ROW LEVEL SECURITY;

ALTER TABLE private.erasures ENABLE ROW LEVEL SECURITY;

ALTER TABLE private.ip_networks ENABLE ROW LEVEL SECURITY;

ALTER TABLE private.notification_kinds ENABLE ROW LEVEL SECURITY;

ALTER TABLE private.notification_mutes ENABLE ROW LEVEL SECURITY;

ALTER TABLE private.personal_data ENABLE ROW LEVEL SECURITY;

ALTER TABLE private.personal_data_settings ENABLE ROW LEVEL SECURITY;

ALTER TABLE private.pickup_transitions ENABLE ROW LEVEL SECURITY;

ALTER TABLE private.rate_buckets ENABLE ROW LEVEL SECURITY;

ALTER TABLE private.rate_limits ENABLE ROW LEVEL SECURITY;

ALTER TABLE private.sign_in_policy ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.app_roles ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.deletion_requests ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.export_requests ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.feature_flags ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.login_events ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.notifications ENABLE ROW LEVEL SECURITY;

CREATE POLICY "owners read the outcomes of their rows" ON public.prediction_outcomes FOR SELECT TO authenticated USING ((owner_id = ( SELECT auth.uid() AS uid)));

CREATE POLICY "owners read the receipts of their rows" ON public.predictions FOR SELECT TO authenticated USING ((owner_id = ( SELECT auth.uid() AS uid)));

CREATE POLICY "people change their own profile" ON public.profiles FOR UPDATE TO authenticated USING ((id = ( SELECT auth.uid() AS uid))) WITH CHECK ((id = ( SELECT auth.uid() AS uid)));

CREATE POLICY "people read their own exports" ON public.export_requests FOR SELECT TO authenticated USING ((user_id = ( SELECT auth.uid() AS uid)));

CREATE POLICY "people read their own notifications" ON public.notifications FOR SELECT TO authenticated USING ((user_id = ( SELECT auth.uid() AS uid)));

CREATE POLICY "people read their own profile" ON public.profiles FOR SELECT TO authenticated USING ((id = ( SELECT auth.uid() AS uid)));

CREATE POLICY "people read their own request to be deleted" ON public.deletion_requests FOR SELECT TO authenticated USING ((user_id = ( SELECT auth.uid() AS uid)));

CREATE POLICY "people read their own roles" ON public.user_roles FOR SELECT TO authenticated USING (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT private.has_permission('users.read'::text) AS has_permission)));

CREATE POLICY "people read their own sign-ins" ON public.login_events FOR SELECT TO authenticated USING ((user_id = ( SELECT auth.uid() AS uid)));

ALTER TABLE public.permissions ENABLE ROW LEVEL SECURITY;

CREATE POLICY "permissions are known" ON public.permissions FOR SELECT TO authenticated USING (true);

ALTER TABLE public.pickup_requests ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.prediction_outcomes ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.predictions ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.profiles ENABLE ROW LEVEL SECURITY;

CREATE POLICY "riders read their own pickups" ON public.pickup_requests FOR SELECT TO authenticated USING ((user_id = ( SELECT auth.uid() AS uid)));

ALTER TABLE public.role_permissions ENABLE ROW LEVEL SECURITY;

CREATE POLICY "roles are known" ON public.app_roles FOR SELECT TO authenticated USING (true);

ALTER TABLE public.user_roles ENABLE ROW LEVEL SECURITY;

CREATE POLICY "what a role may do is known" ON public.role_permissions FOR SELECT TO authenticated USING (true);

-- On tables of the platform

-- cron: rowcast-audit, 17 * * * *: select private.maintain_audit()
-- cron: rowcast-backfill, 10 seconds: select ml.advance_backfills()
-- cron: rowcast-deletions, */5 * * * *: select private.run_due_deletions()
-- cron: rowcast-forget-sign-ins, 37 * * * *: select private.forget_sign_ins()
-- cron: rowcast-maintain, 7 * * * *: select ml.maintain()
-- cron: rowcast-notifications, 23 3 * * *: select private.forget_notifications()
-- cron: rowcast-rate-buckets, */10 * * * *: select private.forget_rate_buckets()
-- cron: rowcast-wakeup, 10 seconds: select ml.send_wakeup()
CREATE POLICY "people hear their own channel" ON realtime.messages FOR SELECT TO authenticated USING (((extension = 'broadcast'::text) AND (( SELECT realtime.topic() AS topic) = ('user:'::text || (( SELECT auth.uid() AS uid))::text)) AND (topic = ( SELECT realtime.topic() AS topic)) AND ( SELECT private.session_is_live() AS session_is_live)));
CREATE TRIGGER _100_create_profile AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION private.tg_users__create_profile();
CREATE TRIGGER _100_record_sign_in AFTER INSERT ON auth.sessions FOR EACH ROW EXECUTE FUNCTION private.tg_sessions__record_sign_in();
CREATE TRIGGER _200_words AFTER UPDATE OF email, phone ON auth.users FOR EACH ROW EXECUTE FUNCTION private.tg_users__words();
