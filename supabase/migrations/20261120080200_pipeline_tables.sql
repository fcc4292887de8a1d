-- Purpose: the storage of the prediction pipeline: what is attached, what waits, what was answered.
-- Locks and risks: new tables only.
-- Undo: drop schema ml cascade; drop table public.predictions, public.prediction_outcomes.

create table ml.models (
  name text constraint models_pkey primary key
    constraint models_name_check check (name ~ '^[a-z][a-z0-9_]{0,39}$'),
  batch_size integer not null default 64
    constraint models_batch_size_check check (batch_size between 1 and 10000),
  timeout_ms integer not null default 5000
    constraint models_timeout_ms_check check (timeout_ms between 1 and 600000),
  lease_seconds real not null default 15
    constraint models_lease_seconds_check check (lease_seconds between 0.5 and 3600),
  max_attempts smallint not null default 5
    constraint models_max_attempts_check check (max_attempts between 1 and 100),
  backoff_seconds real not null default 2
    constraint models_backoff_seconds_check check (backoff_seconds between 0 and 3600),
  protocol text constraint models_protocol_check check (protocol in ('open-inference', 'openai', 'plain')),
  url text constraint models_url_check check (url ~ '^https?://[^@[:space:]]+$' and length(url) <= 2000),
  options jsonb not null default '{}' constraint models_options_check check (jsonb_typeof(options) = 'object'),
  version text constraint models_version_check check (length(version) between 1 and 200),
  breaker_until timestamptz,
  breaker_since timestamptz,
  breaker_reason text,
  is_open boolean not null default false,
  constraint models_place_check check ((protocol is null) = (url is null))
);

comment on table ml.models is 'How each model is called, and where. A changed row acts from the next claim on.';
comment on column ml.models.batch_size is 'Most rows in one call of the model.';
comment on column ml.models.timeout_ms is 'Longest that one call may take, in milliseconds.';
comment on column ml.models.lease_seconds is 'How long a claimed job stays with its worker without a heartbeat.';
comment on column ml.models.max_attempts is 'Charged failures after which a job becomes a dead letter.';
comment on column ml.models.backoff_seconds is 'First wait after a charged failure; it doubles with each one.';
comment on column ml.models.protocol is 'What the server at url speaks: open-inference, openai or plain. NULL: the service runs the model itself.';
comment on column ml.models.url is 'Where the model is served. NULL: in the service.';
comment on column ml.models.options is 'What the protocol needs besides; see docs/how-to/remote-models.md.';
comment on column ml.models.version is 'Version of the model at url, for its receipts; a server that names one itself wins.';
comment on column ml.models.breaker_until is 'The provider is away: nothing of this model is claimed before this moment.';
comment on column ml.models.breaker_since is 'First fault of the provider in a row without a minute between them.';
comment on column ml.models.is_open is 'People may ask it themselves, by the edge function predict. Never for what judges people: who may try at will learns to pass.';

create table ml.attachments (
  id smallint generated always as identity constraint attachments_pkey primary key,
  name text not null
    constraint attachments_name_key unique
    constraint attachments_name_check check (name ~ '^[a-z][a-z0-9_]{0,39}$'),
  source_table regclass not null,
  key_column name not null,
  key_type regtype not null,
  model text not null constraint attachments_model_fkey references ml.models (name) on delete restrict,
  input_expression text not null,
  watched_columns name[] not null constraint attachments_watched_columns_check check (cardinality(watched_columns) > 0),
  owner_column name,
  apply_function text not null,
  paused_at timestamptz,
  generated_hash text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

comment on table ml.attachments is 'One row for each prediction attached to a table by ml.attach. Written by ml.attach and ml.detach only.';
comment on column ml.attachments.input_expression is 'SQL over the row `t` that yields the model''s input as jsonb; NULL means nothing to predict.';
comment on column ml.attachments.watched_columns is 'The input changes only when one of these does.';
comment on column ml.attachments.owner_column is 'The uuid column that names who may see receipts and hear events; NULL for nobody.';
comment on column ml.attachments.paused_at is 'Since when nothing of it is claimed; NULL while it runs. Jobs are collected all the same.';
comment on column ml.attachments.generated_hash is 'Of the functions and triggers that ml.attach generated, so that ml.doctor can tell when they drift.';
comment on column ml.attachments.apply_function is 'function(row_keys text[], outputs jsonb[], model_version text) returns void that writes results to the rows.';

create index attachments_model_idx on ml.attachments (model);
create index attachments_source_table_idx on ml.attachments (source_table);

-- The hot table: what is owed now. A job is inserted once and deleted once, by the claim; nothing else ever happens to most.
-- Jobs of a running batch stand in one row of ml.leases, and those that came back from one wait in ml.retries.
--   ml.jobs (pending) → ml.leases (running) → gone (done, superseded, dead) or → ml.retries (waiting) → ml.leases …
-- Fairness is in the index: a claim goes round the owners, and within one takes the oldest first.
-- Deliberately absent: a foreign key to ml.attachments, whose row lock every single insert would take. ml.detach deletes its jobs.
-- Deliberately absent: a number. The key is the row, and no sequence is paid for it.
create table ml.jobs (
  attachment_id smallint not null,
  is_background boolean not null default false,
  is_new boolean not null default false,
  owner_id uuid not null default '00000000-0000-0000-0000-000000000000',
  enqueued_at timestamptz not null default clock_timestamp(),
  row_key text collate "C" not null,
  constraint jobs_pkey primary key (attachment_id, row_key)
) with (
  fillfactor = 90, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 5000
);

comment on table ml.jobs is E'Predictions that are owed now.\n\nOne for a row, into which edits merge.';
comment on column ml.jobs.is_background is 'Of a backfill: it gets an eighth of each batch, and all of it when nothing else waits.';
comment on column ml.jobs.is_new is 'The model is asked even if this input was answered before: the row was inserted since, or somebody wants it so.';
comment on column ml.jobs.owner_id is 'Whose turn it uses; zeros for nobody''s, so that the index needs no NULLs.';
comment on column ml.jobs.enqueued_at is 'When it was first owed.';

create index jobs_turn_idx on ml.jobs (attachment_id, is_background, owner_id, enqueued_at);

-- A job on its way through a lease, with all that is needed to give it back.
create type ml.owed as (
  row_key text,
  owner_id uuid,
  enqueued_at timestamptz,
  is_new boolean,
  is_background boolean,
  attempts smallint,
  deferrals smallint,
  suspicion smallint,
  input_hash bytea
);

comment on type ml.owed is 'One job of a running batch.';

-- A running batch is one row: a heartbeat is one small update, whatever the batch, and so is the fence of its token.
create table ml.leases (
  token uuid constraint leases_pkey primary key,
  attachment_id smallint not null,
  worker text not null,
  request_id text,
  leased_at timestamptz not null default clock_timestamp(),
  lease_until timestamptz not null,
  jobs ml.owed[] not null
) with (
  fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_cost_delay = 0,
  toast_tuple_target = 8160
);

-- Not compressed: it is written once and read once, within milliseconds.
alter table ml.leases alter column jobs set storage external;

comment on table ml.leases is 'Batches that workers hold, each until lease_until. Only who knows the token may commit, fail or extend.';
comment on column ml.leases.token is 'Fence of one claim.';
comment on column ml.leases.jobs is 'Its jobs by position; those that are settled already are NULL.';

create index leases_lease_until_idx on ml.leases (lease_until);

create table ml.retries (
  attachment_id smallint not null,
  row_key text collate "C" not null,
  owner_id uuid not null,
  enqueued_at timestamptz not null,
  run_at timestamptz not null,
  is_new boolean not null,
  is_background boolean not null,
  attempts smallint not null,
  deferrals smallint not null,
  suspicion smallint not null,
  reason text not null,
  constraint retries_pkey primary key (attachment_id, row_key)
) with (
  fillfactor = 90, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 5000
);

comment on table ml.retries is
  E'Jobs that came back from a lease and wait for their next turn.\n\nApart from ml.jobs, so that no worker ever waits for a writer whose transaction is open.';
comment on column ml.retries.attempts is 'Failures charged to this job. Faults of the batch or the provider are not.';
comment on column ml.retries.deferrals is 'Times it was put off without a charge.';
comment on column ml.retries.suspicion is
  'Leases that ran out with it aboard. Suspects travel in ever smaller batches, so that the one that kills workers is found alone.';
comment on column ml.retries.reason is 'Why it waits.';

create index retries_run_at_idx on ml.retries (attachment_id, run_at);

-- Everything that is owed, for people and for tests; the pipeline itself has no use for it.
create view ml.queue with (security_invoker = true) as
select
  a.name as prediction, x.row_key, nullif(x.owner_id, '00000000-0000-0000-0000-000000000000') as owner_id, x.state, x.is_background,
  x.attempts, x.reason, x.enqueued_at, x.run_at, x.lease_until, x.worker, x.token
from ml.attachments as a
cross join lateral (
  select
    j.row_key, j.owner_id, 'pending' as state, j.is_background, 0::smallint as attempts, null::text as reason, j.enqueued_at,
    j.enqueued_at as run_at, null::timestamptz as lease_until, null::text as worker, null::uuid as token
  from ml.jobs as j
  where j.attachment_id = a.id
  union all
  select
    r.row_key, r.owner_id, 'waiting', r.is_background, r.attempts, r.reason, r.enqueued_at, r.run_at, null, null, null
  from ml.retries as r
  where r.attachment_id = a.id
  union all
  select
    j.row_key, j.owner_id, 'running', j.is_background, j.attempts, null, j.enqueued_at, l.leased_at, l.lease_until, l.worker, l.token
  from ml.leases as l
  cross join lateral unnest(l.jobs) as j
  where l.attachment_id = a.id and j.row_key is not null
) as x;

comment on view ml.queue is 'What is owed: pending (due), waiting (put off until run_at) or running (leased until lease_until).';

create table ml.dead_letters (
  id bigint generated always as identity constraint dead_letters_pkey primary key,
  attachment_id smallint not null
    constraint dead_letters_attachment_id_fkey references ml.attachments (id) on delete cascade,
  row_key text collate "C" not null,
  owner_id uuid,
  attempts smallint not null,
  reason text not null,
  error text,
  died_at timestamptz not null default now()
);

comment on table ml.dead_letters is 'Jobs that used up their attempts, with the reason. ml.redrive puts them back.';

create index dead_letters_attachment_id_idx on ml.dead_letters (attachment_id, row_key);

create table ml.workers (
  name text constraint workers_pkey primary key constraint workers_name_check check (length(name) between 1 and 200),
  models jsonb not null default '{}',
  activity jsonb not null default '{}',
  last_done_at timestamptz,
  started_at timestamptz not null default now(),
  seen_at timestamptz not null default now()
);

comment on table ml.workers is 'Service replicas and when each was last heard. Silent ones are removed after a day.';
comment on column ml.workers.activity is 'For each prediction, since its last heartbeat: {"per_second", "full_batches"}.';

create table ml.webhook_deliveries (
  id text constraint webhook_deliveries_pkey primary key
    constraint webhook_deliveries_id_check check (length(id) between 1 and 200),
  received_at timestamptz not null default now()
);

comment on table ml.webhook_deliveries is 'Ids of accepted webhooks, written together with their effect, kept twice the signature''s tolerance.';

create index webhook_deliveries_received_at_idx on ml.webhook_deliveries (received_at);

create table ml.backfills (
  attachment_id smallint constraint backfills_pkey primary key
    constraint backfills_attachment_id_fkey references ml.attachments (id) on delete cascade,
  last_key text,
  enqueued bigint not null default 0,
  total bigint not null default 0,
  started_at timestamptz not null default now(),
  moved_at timestamptz not null default now(),
  finished_at timestamptz
);

comment on table ml.backfills is 'How far ml.backfill has come for each attachment, so that it can be resumed.';
comment on column ml.backfills.total is 'Rows of the table when it began, by the planner''s estimate.';
comment on column ml.backfills.moved_at is 'When its last step was taken.';

-- What may be spent in a day (UTC). Checked by the claim, so that what is over stays pending.
create table ml.budgets (
  model text not null constraint budgets_model_fkey references ml.models (name) on delete cascade,
  scope text not null constraint budgets_scope_check check (scope in ('model', 'owner')),
  unit text not null constraint budgets_unit_check check (unit in ('calls', 'tokens')),
  per_day bigint not null constraint budgets_per_day_check check (per_day >= 0),
  constraint budgets_pkey primary key (model, scope, unit)
);

comment on table ml.budgets is 'Daily limits of a model: for all together (scope model) or for each owner (scope owner).';
comment on column ml.budgets.unit is 'calls: inputs given to the model; tokens: as its server counts them.';

create table ml.usage (
  model text not null constraint usage_model_fkey references ml.models (name) on delete cascade,
  day date not null,
  owner_id uuid,
  calls bigint not null default 0,
  tokens bigint not null default 0,
  constraint usage_model_day_owner_id_key unique nulls not distinct (model, day, owner_id)
);

comment on table ml.usage is 'What models with a budget were given: one row a day for each owner, and one without owner for the sum.';

-- The queue's state as a heartbeat last found it, because counting a long queue takes a tenth of a second.
create table ml.queue_state (
  id boolean constraint queue_state_pkey primary key default true constraint queue_state_id_check check (id),
  taken_at timestamptz not null,
  predictions jsonb not null
);

comment on table ml.queue_state is 'One row: depth and age of each prediction''s queue, at most five seconds old while a worker lives.';

-- Receipts. Append-only and partitioned by month, so that age is dropped and never deleted. The default partition
-- is there so that a missed maintenance run costs tidiness and never a receipt.
create table public.predictions (
  id bigint generated always as identity,
  created_at timestamptz not null default clock_timestamp(),
  prediction text not null,
  source_table text not null,
  row_key text collate "C" not null,
  owner_id uuid,
  model text not null,
  model_version text,
  status text not null
    constraint predictions_status_check check (status in ('done', 'superseded', 'failed', 'cancelled')),
  input_hash bytea,
  output jsonb,
  interval_low double precision,
  interval_high double precision,
  latency_ms real constraint predictions_latency_ms_check check (latency_ms >= 0),
  attempts smallint not null default 0,
  error text,
  request_id text constraint predictions_request_id_check check (length(request_id) <= 200),
  constraint predictions_pkey primary key (row_key, prediction, created_at, id),
  constraint predictions_interval_check check (interval_low <= interval_high)
) partition by range (created_at);

create table ml.predictions_default partition of public.predictions default;

comment on table public.predictions is
  E'Receipts: one row for each answer of a model.\n\nAppend-only. The owner of the row that was predicted reads their own; nobody writes through the API.';
comment on column public.predictions.id is 'Number of the receipt.';
comment on column public.predictions.created_at is 'When the result was committed.';
comment on column public.predictions.prediction is 'Name given to ml.attach.';
comment on column public.predictions.source_table is 'The table that was predicted, with its schema.';
comment on column public.predictions.row_key is 'The row''s primary key as text.';
comment on column public.predictions.owner_id is 'Who may read this receipt.';
comment on column public.predictions.model is 'The model that answered.';
comment on column public.predictions.model_version is 'The model''s version.';
comment on column public.predictions.status is
  'done: written to the row; superseded: the input had changed or the row was gone; failed: given up; cancelled: called off.';
comment on column public.predictions.input_hash is 'SHA-256 of the input''s text.';
comment on column public.predictions.output is 'What the model answered.';
comment on column public.predictions.interval_low is 'Lower end of the conformal interval, where the model gives one.';
comment on column public.predictions.interval_high is 'Upper end of the conformal interval, where the model gives one.';
comment on column public.predictions.latency_ms is 'From enqueue to commit, in milliseconds.';
comment on column public.predictions.attempts is 'Failures charged before this answer.';
comment on column public.predictions.error is 'Why it failed.';
comment on column public.predictions.request_id is 'The service''s request id, as in its log lines.';

-- The key finds a row's answers. Only what has an owner is listed by owner; time is in the order of the pages.
create index predictions_owner_id_idx on public.predictions (owner_id, created_at desc) where owner_id is not null;
create index predictions_created_at_idx on public.predictions using brin (created_at) with (pages_per_range = 32);

-- Truth that arrives later. Deliberately absent: a foreign key to public.predictions, because dropping an old
-- partition must not wait for, or delete, what was learnt from it.
create table public.prediction_outcomes (
  id bigint generated always as identity constraint prediction_outcomes_pkey primary key,
  prediction text not null,
  row_key text collate "C" not null,
  owner_id uuid,
  prediction_id bigint,
  predicted jsonb,
  truth jsonb not null,
  observed_at timestamptz not null default now(),
  constraint prediction_outcomes_prediction_row_key_key unique (prediction, row_key)
);

comment on table public.prediction_outcomes is
  E'What really happened, beside what was predicted.\n\nOne row for each predicted row whose truth is known; quality is a query over it.';
comment on column public.prediction_outcomes.id is 'Number of the outcome.';
comment on column public.prediction_outcomes.prediction is 'Name given to ml.attach.';
comment on column public.prediction_outcomes.row_key is 'The row''s primary key as text.';
comment on column public.prediction_outcomes.owner_id is 'Who may read this outcome.';
comment on column public.prediction_outcomes.prediction_id is 'The receipt that stood when the truth came in.';
comment on column public.prediction_outcomes.predicted is 'That receipt''s output.';
comment on column public.prediction_outcomes.truth is 'What was observed.';
comment on column public.prediction_outcomes.observed_at is 'When it was observed.';

create index prediction_outcomes_owner_id_idx on public.prediction_outcomes (owner_id);

-- Internal tables have row-level security too: a grant given by mistake still shows nothing.
alter table ml.models enable row level security;
alter table ml.attachments enable row level security;
alter table ml.jobs enable row level security;
alter table ml.leases enable row level security;
alter table ml.retries enable row level security;
alter table ml.budgets enable row level security;
alter table ml.usage enable row level security;
alter table ml.queue_state enable row level security;
alter table ml.dead_letters enable row level security;
alter table ml.workers enable row level security;
alter table ml.webhook_deliveries enable row level security;
alter table ml.backfills enable row level security;
alter table public.predictions enable row level security;
alter table ml.predictions_default enable row level security;
alter table public.prediction_outcomes enable row level security;

-- file: sql/policies/predictions.sql
-- Receipts are written by ml.commit, ml.fail and ml.cancel; the owner of the predicted row reads.
-- Partitions stand in `ml`, out of the API's sight, with no grant at all: they are read through the parent.
revoke all on public.predictions, ml.predictions_default from anon, authenticated, service_role;
grant select on public.predictions to authenticated, service_role;

drop policy if exists "owners read the receipts of their rows" on public.predictions;
create policy "owners read the receipts of their rows" on public.predictions
for select to authenticated
using (owner_id = (select auth.uid()));
-- end file

-- file: sql/policies/prediction_outcomes.sql
-- Outcomes are written by the functions of each domain; the owner of the predicted row reads.
revoke all on public.prediction_outcomes from anon, authenticated, service_role;
grant select on public.prediction_outcomes to authenticated, service_role;

drop policy if exists "owners read the outcomes of their rows" on public.prediction_outcomes;
create policy "owners read the outcomes of their rows" on public.prediction_outcomes
for select to authenticated
using (owner_id = (select auth.uid()));
-- end file
