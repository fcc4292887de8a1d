CREATE SCHEMA ml;

CREATE SCHEMA private;

CREATE SCHEMA public;

CREATE TYPE public.eta_quote AS (
	eta_seconds integer,
	distance_metres integer,
	eta_source text
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
	checked_at timestamp with time zone
);

CREATE TYPE public.health_status AS (
	status text,
	service text,
	checked_at timestamp with time zone
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

CREATE FUNCTION ml.accept_webhook(p_webhook_id text, p_change jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.attach(p_name text, p_table regclass, p_model text, p_input text, p_watch text[], p_apply text, p_owner text DEFAULT NULL::text) RETURNS smallint
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.attach_triggers(p_attachment_id smallint) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.backfill(p_name text, p_limit integer DEFAULT 10000, p_restart boolean DEFAULT false) RETURNS TABLE(enqueued bigint, total bigint, finished boolean)
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
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT attachments_name_check CHECK ((name ~ '^[a-z][a-z0-9_]{0,39}$'::text)),
    CONSTRAINT attachments_watched_columns_check CHECK ((cardinality(watched_columns) > 0))
);

CREATE FUNCTION ml.busy_jobs(p_attachment ml.attachments, p_job_ids bigint[], p_locked_keys text[]) RETURNS bigint[]
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.cancel(p_name text, p_row_key text, p_reason text DEFAULT NULL::text) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.claim(p_worker text, p_models jsonb, p_limit integer DEFAULT 64, p_request_id text DEFAULT NULL::text, p_webhook_id text DEFAULT NULL::text, p_change jsonb DEFAULT NULL::jsonb) RETURNS TABLE(job_id bigint, token uuid, prediction text, model text, row_key text, input jsonb, attempts smallint, batch_size integer, timeout_ms integer, lease_seconds real)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.commit(p_token uuid, p_results jsonb, p_model_version text, p_request_id text DEFAULT NULL::text) RETURNS TABLE(job_id bigint, outcome text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.detach(p_name text) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.detach_triggers(p_attachment_id smallint) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    SET client_min_messages TO 'warning'
    AS -- as in sql/functions

CREATE FUNCTION ml.enqueue(p_attachment_id smallint, p_row_keys text[], p_priority smallint DEFAULT 100) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.fail(p_token uuid, p_job_ids bigint[], p_class text, p_error text DEFAULT NULL::text, p_retry_after real DEFAULT NULL::real, p_request_id text DEFAULT NULL::text) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.give_back(p_job_ids bigint[], p_reason text, p_error text, p_charge boolean, p_wait interval DEFAULT NULL::interval) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.heartbeat(p_worker text, p_models jsonb, p_tokens uuid[] DEFAULT '{}'::uuid[]) RETURNS TABLE(token uuid, jobs integer, queue_depth bigint, oldest_job_seconds double precision)
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.hint() RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.lease(p_attachment_id smallint, p_job_ids bigint[], p_row_keys text[], p_models jsonb) RETURNS TABLE(job_id bigint, token uuid, prediction text, model text, row_key text, input jsonb, attempts smallint, batch_size integer, timeout_ms integer, lease_seconds real)
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.maintain(p_keep_months integer DEFAULT 12) RETURNS void
    LANGUAGE plpgsql
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

CREATE FUNCTION ml.pickup_eta__input(t public.pickup_requests) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO ''
    AS $$select (
    case when t.status not in ('completed', 'cancelled') then jsonb_build_object(
      'origin_lat', t.origin_lat, 'origin_lng', t.origin_lng, 'dest_lat', t.dest_lat, 'dest_lng', t.dest_lng,
      'kind', t.kind, 'estimate_seconds', t.estimate_seconds,
      'requested_at', to_char(t.requested_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
    ) end
  )::jsonb$$;

CREATE FUNCTION ml.read_inputs(p_attachment ml.attachments, p_row_keys text[], p_lock boolean) RETURNS TABLE(row_key text, input jsonb)
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.reclaim_expired(p_limit integer) RETURNS integer
    LANGUAGE sql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.redrive(p_name text DEFAULT NULL::text, p_limit integer DEFAULT 1000) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.send_wakeup() RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.settle(p_attachment ml.attachments, p_job_ids bigint[], p_fresh_ids bigint[], p_locked_keys text[], p_inputs jsonb[], p_results jsonb, p_model_version text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.tg_pickup_eta__insert() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
    begin
      insert into ml.jobs as j (attachment_id, row_key, owner_id, is_new)
      select 1, n.id::text, n.user_id, true
      from new_rows as n
      
      order by n.id::text collate "C"
      on conflict (attachment_id, row_key) where token is null and not is_retry do update set
        run_at = least(j.run_at, excluded.run_at), priority = least(j.priority, excluded.priority),
        owner_id = excluded.owner_id, is_new = j.is_new or excluded.is_new, attempts = 0, deferrals = 0,
        enqueued_at = case when excluded.is_new then excluded.enqueued_at else j.enqueued_at end;
      if found then
        perform ml.hint();
      end if;
      return null;
    end
    $$;

CREATE FUNCTION ml.tg_pickup_eta__update() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS $$
    begin
      insert into ml.jobs as j (attachment_id, row_key, owner_id, is_new)
      select 1, n.id::text, n.user_id, o.id is null
      from new_rows as n
      left join old_rows as o on o.id = n.id where o.id is null or (n.origin_lat, n.origin_lng, n.dest_lat, n.dest_lng, n.kind, n.requested_at, n.estimate_seconds) is distinct from (o.origin_lat, o.origin_lng, o.dest_lat, o.dest_lng, o.kind, o.requested_at, o.estimate_seconds)
      order by n.id::text collate "C"
      on conflict (attachment_id, row_key) where token is null and not is_retry do update set
        run_at = least(j.run_at, excluded.run_at), priority = least(j.priority, excluded.priority),
        owner_id = excluded.owner_id, is_new = j.is_new or excluded.is_new, attempts = 0, deferrals = 0,
        enqueued_at = case when excluded.is_new then excluded.enqueued_at else j.enqueued_at end;
      if found then
        perform ml.hint();
      end if;
      return null;
    end
    $$;

CREATE FUNCTION ml.tg_predictions__broadcast() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION ml.yielding(p_job_ids bigint[]) RETURNS bigint[]
    LANGUAGE sql
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.advance_pickup(p_id uuid, p_status public.pickup_status) RETURNS public.pickup_requests
    LANGUAGE plpgsql SECURITY DEFINER
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

CREATE FUNCTION private.cancel_pickup(p_id uuid, p_reason text) RETURNS public.pickup_requests
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.check_coordinates(p_origin_lat double precision, p_origin_lng double precision, p_dest_lat double precision, p_dest_lng double precision) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.eta_closed_form(p_metres double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO ''
    RETURN ((90)::double precision + (((1.3)::double precision * p_metres) / ((6)::double precision + (((9)::double precision * ((1.3)::double precision * p_metres)) / (((1.3)::double precision * p_metres) + (8000)::double precision)))));

CREATE FUNCTION private.haversine_metres(p_origin_lat double precision, p_origin_lng double precision, p_dest_lat double precision, p_dest_lng double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path TO ''
    RETURN ((((2)::numeric * 6371008.8))::double precision * asin(sqrt(LEAST((1.0)::double precision, GREATEST((0.0)::double precision, ((sin((radians((((360)::double precision + p_dest_lat) - ((360)::double precision + p_origin_lat))) / (2)::double precision)) ^ (2)::double precision) + ((cos(radians(((360)::double precision + p_origin_lat))) * cos(radians(((360)::double precision + p_dest_lat)))) * (sin((radians((((360)::double precision + p_dest_lng) - ((360)::double precision + p_origin_lng))) / (2)::double precision)) ^ (2)::double precision))))))));

CREATE FUNCTION private.health_report() RETURNS public.health_report
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION private.request_pickup(p_origin_lat double precision, p_origin_lng double precision, p_dest_lat double precision, p_dest_lng double precision, p_kind public.pickup_kind, p_client_key text) RETURNS public.pickup_requests
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE TABLE public.profiles (
    id uuid NOT NULL,
    display_name text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT profiles_display_name_check CHECK (((length(display_name) >= 1) AND (length(display_name) <= 80)))
);

CREATE FUNCTION private.sync_profile() RETURNS public.profiles
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

CREATE FUNCTION private.tg_users__create_profile() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION public.advance_pickup(p_id uuid, p_status public.pickup_status) RETURNS public.pickup_requests
    LANGUAGE sql
    SET search_path TO ''
    RETURN private.advance_pickup(p_id, p_status);

CREATE FUNCTION public.cancel_pickup(p_id uuid, p_reason text DEFAULT NULL::text) RETURNS public.pickup_requests
    LANGUAGE sql
    SET search_path TO ''
    RETURN private.cancel_pickup(p_id, p_reason);

CREATE FUNCTION public.get_pickup(p_id uuid) RETURNS public.pickup_requests
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION public.health() RETURNS public.health_status
    LANGUAGE sql STABLE
    SET search_path TO ''
    RETURN ROW('ok'::text, 'rowcast'::text, now())::public.health_status;

CREATE FUNCTION public.health_detailed() RETURNS public.health_report
    LANGUAGE sql STABLE
    SET search_path TO ''
    RETURN private.health_report();

CREATE FUNCTION public.hello() RETURNS TABLE(message text)
    LANGUAGE sql IMMUTABLE
    SET search_path TO ''
    AS -- as in sql/functions

CREATE FUNCTION public.me() RETURNS public.profiles
    LANGUAGE plpgsql STABLE
    SET search_path TO ''
    AS -- as in sql/functions

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

CREATE FUNCTION public.request_pickup(p_origin_lat double precision, p_origin_lng double precision, p_dest_lat double precision, p_dest_lng double precision, p_kind public.pickup_kind DEFAULT 'ride'::public.pickup_kind, p_client_key text DEFAULT (gen_random_uuid())::text) RETURNS public.pickup_requests
    LANGUAGE sql
    SET search_path TO ''
    RETURN private.request_pickup(p_origin_lat, p_origin_lng, p_dest_lat, p_dest_lng, p_kind, p_client_key);

CREATE FUNCTION public.sync_profile() RETURNS public.profiles
    LANGUAGE sql
    SET search_path TO ''
    RETURN private.sync_profile();

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
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone
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
    id bigint NOT NULL,
    attachment_id smallint NOT NULL,
    row_key text NOT NULL COLLATE pg_catalog."C",
    owner_id uuid,
    is_new boolean DEFAULT false NOT NULL,
    is_retry boolean DEFAULT false NOT NULL,
    priority smallint DEFAULT 100 NOT NULL,
    attempts smallint DEFAULT 0 NOT NULL,
    deferrals smallint DEFAULT 0 NOT NULL,
    enqueued_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    run_at timestamp with time zone DEFAULT now() NOT NULL,
    token uuid,
    lease_until timestamp with time zone,
    input_hash bytea,
    CONSTRAINT jobs_lease_check CHECK (((token IS NULL) = (lease_until IS NULL)))
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='1000', autovacuum_vacuum_cost_delay='0', autovacuum_analyze_scale_factor='0', autovacuum_analyze_threshold='5000');

ALTER TABLE ml.jobs ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME ml.jobs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE ml.models (
    name text NOT NULL,
    batch_size integer DEFAULT 64 NOT NULL,
    timeout_ms integer DEFAULT 5000 NOT NULL,
    lease_seconds real DEFAULT 15 NOT NULL,
    max_attempts smallint DEFAULT 5 NOT NULL,
    backoff_seconds real DEFAULT 2 NOT NULL,
    breaker_until timestamp with time zone,
    breaker_reason text,
    CONSTRAINT models_backoff_seconds_check CHECK (((backoff_seconds >= (0)::double precision) AND (backoff_seconds <= (3600)::double precision))),
    CONSTRAINT models_batch_size_check CHECK (((batch_size >= 1) AND (batch_size <= 10000))),
    CONSTRAINT models_lease_seconds_check CHECK (((lease_seconds >= (0.5)::double precision) AND (lease_seconds <= (3600)::double precision))),
    CONSTRAINT models_max_attempts_check CHECK (((max_attempts >= 1) AND (max_attempts <= 100))),
    CONSTRAINT models_name_check CHECK ((name ~ '^[a-z][a-z0-9_]{0,39}$'::text)),
    CONSTRAINT models_timeout_ms_check CHECK (((timeout_ms >= 1) AND (timeout_ms <= 600000)))
);

CREATE TABLE public.predictions (
    id bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
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
    created_at timestamp with time zone DEFAULT now() NOT NULL,
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

CREATE TABLE ml.webhook_deliveries (
    id text NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT webhook_deliveries_id_check CHECK (((length(id) >= 1) AND (length(id) <= 200)))
);

CREATE TABLE ml.workers (
    name text NOT NULL,
    models jsonb DEFAULT '{}'::jsonb NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    seen_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT workers_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200)))
);

CREATE TABLE private.pickup_transitions (
    from_status public.pickup_status NOT NULL,
    to_status public.pickup_status NOT NULL
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

ALTER TABLE ONLY public.predictions ATTACH PARTITION ml.predictions_default DEFAULT;

ALTER TABLE ONLY ml.attachments
    ADD CONSTRAINT attachments_name_key UNIQUE (name);

ALTER TABLE ONLY ml.attachments
    ADD CONSTRAINT attachments_pkey PRIMARY KEY (id);

ALTER TABLE ONLY ml.backfills
    ADD CONSTRAINT backfills_pkey PRIMARY KEY (attachment_id);

ALTER TABLE ONLY ml.dead_letters
    ADD CONSTRAINT dead_letters_pkey PRIMARY KEY (id);

ALTER TABLE ONLY ml.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (id);

ALTER TABLE ONLY ml.models
    ADD CONSTRAINT models_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.predictions
    ADD CONSTRAINT predictions_pkey PRIMARY KEY (id, created_at);

ALTER TABLE ONLY ml.predictions_default
    ADD CONSTRAINT predictions_default_pkey PRIMARY KEY (id, created_at);

ALTER TABLE ONLY ml.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (id);

ALTER TABLE ONLY ml.workers
    ADD CONSTRAINT workers_pkey PRIMARY KEY (name);

ALTER TABLE ONLY private.pickup_transitions
    ADD CONSTRAINT pickup_transitions_pkey PRIMARY KEY (from_status, to_status);

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

CREATE INDEX attachments_model_idx ON ml.attachments USING btree (model);

CREATE INDEX attachments_source_table_idx ON ml.attachments USING btree (source_table);

CREATE INDEX dead_letters_attachment_id_idx ON ml.dead_letters USING btree (attachment_id, row_key);

CREATE INDEX jobs_due_idx ON ml.jobs USING btree (priority, run_at, id) WHERE (token IS NULL);

CREATE INDEX jobs_lease_idx ON ml.jobs USING btree (lease_until) WHERE (token IS NOT NULL);

CREATE UNIQUE INDEX jobs_pending_key ON ml.jobs USING btree (attachment_id, row_key) WHERE ((token IS NULL) AND (NOT is_retry));

CREATE INDEX jobs_retry_idx ON ml.jobs USING btree (attachment_id, row_key) WHERE ((token IS NULL) AND is_retry);

CREATE INDEX predictions_created_at_idx ON ONLY public.predictions USING btree (created_at DESC);

CREATE INDEX predictions_default_created_at_idx ON ml.predictions_default USING btree (created_at DESC);

CREATE INDEX predictions_owner_id_idx ON ONLY public.predictions USING btree (owner_id, created_at DESC);

CREATE INDEX predictions_default_owner_id_created_at_idx ON ml.predictions_default USING btree (owner_id, created_at DESC);

CREATE INDEX predictions_row_idx ON ONLY public.predictions USING btree (prediction, row_key, created_at DESC);

CREATE INDEX predictions_default_prediction_row_key_created_at_idx ON ml.predictions_default USING btree (prediction, row_key, created_at DESC);

CREATE INDEX webhook_deliveries_received_at_idx ON ml.webhook_deliveries USING btree (received_at);

CREATE INDEX pickup_requests_completed_at_idx ON public.pickup_requests USING btree (completed_at) WHERE (status = 'completed'::public.pickup_status);

CREATE INDEX pickup_requests_user_id_requested_at_idx ON public.pickup_requests USING btree (user_id, requested_at DESC, id);

CREATE INDEX prediction_outcomes_owner_id_idx ON public.prediction_outcomes USING btree (owner_id);

ALTER INDEX public.predictions_created_at_idx ATTACH PARTITION ml.predictions_default_created_at_idx;

ALTER INDEX public.predictions_owner_id_idx ATTACH PARTITION ml.predictions_default_owner_id_created_at_idx;

ALTER INDEX public.predictions_pkey ATTACH PARTITION ml.predictions_default_pkey;

ALTER INDEX public.predictions_row_idx ATTACH PARTITION ml.predictions_default_prediction_row_key_created_at_idx;

CREATE TRIGGER _100_broadcast AFTER INSERT ON public.predictions REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION ml.tg_predictions__broadcast();

CREATE TRIGGER _100_guard_status BEFORE UPDATE ON public.pickup_requests FOR EACH ROW EXECUTE FUNCTION private.tg_pickup_requests__guard_status();

CREATE TRIGGER _100_touch BEFORE UPDATE ON public.profiles FOR EACH ROW EXECUTE FUNCTION private.tg_profiles__touch();

CREATE TRIGGER _800_predict_pickup_eta_insert AFTER INSERT ON public.pickup_requests REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION ml.tg_pickup_eta__insert();

CREATE TRIGGER _800_predict_pickup_eta_update AFTER UPDATE ON public.pickup_requests REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION ml.tg_pickup_eta__update();

ALTER TABLE ONLY ml.attachments
    ADD CONSTRAINT attachments_model_fkey FOREIGN KEY (model) REFERENCES ml.models(name) ON DELETE RESTRICT;

ALTER TABLE ONLY ml.backfills
    ADD CONSTRAINT backfills_attachment_id_fkey FOREIGN KEY (attachment_id) REFERENCES ml.attachments(id) ON DELETE CASCADE;

ALTER TABLE ONLY ml.dead_letters
    ADD CONSTRAINT dead_letters_attachment_id_fkey FOREIGN KEY (attachment_id) REFERENCES ml.attachments(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.pickup_requests
    ADD CONSTRAINT pickup_requests_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.profiles
    ADD CONSTRAINT profiles_id_fkey FOREIGN KEY (id) REFERENCES auth.users(id) ON DELETE CASCADE;

ALTER TABLE ml.attachments ENABLE ROW LEVEL SECURITY;

ALTER TABLE ml.backfills ENABLE ROW LEVEL SECURITY;

ALTER TABLE ml.dead_letters ENABLE ROW LEVEL SECURITY;

ALTER TABLE ml.jobs ENABLE ROW LEVEL SECURITY;

ALTER TABLE ml.models ENABLE ROW LEVEL SECURITY;

ALTER TABLE ml.predictions_default ENABLE ROW LEVEL SECURITY;

ALTER TABLE ml.webhook_deliveries ENABLE ROW LEVEL SECURITY;

ALTER TABLE ml.workers ENABLE ROW LEVEL SECURITY;

ALTER TABLE private.pickup_transitions ENABLE ROW LEVEL SECURITY;

CREATE POLICY "owners read the outcomes of their rows" ON public.prediction_outcomes FOR SELECT TO authenticated USING ((owner_id = ( SELECT auth.uid() AS uid)));

CREATE POLICY "owners read the receipts of their rows" ON public.predictions FOR SELECT TO authenticated USING ((owner_id = ( SELECT auth.uid() AS uid)));

CREATE POLICY "people read their own profile" ON public.profiles FOR SELECT TO authenticated USING ((id = ( SELECT auth.uid() AS uid)));

CREATE POLICY "people rename their own profile" ON public.profiles FOR UPDATE TO authenticated USING ((id = ( SELECT auth.uid() AS uid))) WITH CHECK ((id = ( SELECT auth.uid() AS uid)));

ALTER TABLE public.pickup_requests ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.prediction_outcomes ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.predictions ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.profiles ENABLE ROW LEVEL SECURITY;

CREATE POLICY "riders read their own pickups" ON public.pickup_requests FOR SELECT TO authenticated USING ((user_id = ( SELECT auth.uid() AS uid)));

-- On tables of the platform

-- cron: rowcast-maintain, 7 * * * *: select ml.maintain()
-- cron: rowcast-wakeup, 10 seconds: select ml.send_wakeup()
CREATE POLICY "people hear their own channel" ON realtime.messages FOR SELECT TO authenticated USING (((extension = 'broadcast'::text) AND (( SELECT realtime.topic() AS topic) = ('user:'::text || (( SELECT auth.uid() AS uid))::text)) AND (topic = ( SELECT realtime.topic() AS topic))));
CREATE TRIGGER _100_create_profile AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION private.tg_users__create_profile();
