-- Purpose: what is held of a person in which table, its export, and its erasure across all of them.
-- Locks and risks: new objects only. A cron job erases people whose grace period is over, every five minutes.
-- Undo: select cron.unschedule('rowcast-deletions'); drop the tables, types and functions below.

-- Every table of public, private and ml stands here; a test names those that do not. Written by migrations only: `matches`,
-- `blank` and `by_function` are SQL that runs with all rights.
create table private.personal_data (
  table_name text not null constraint personal_data_table_name_check check (table_name ~ '^[a-z_]+\.[a-z_0-9]+$'),
  column_name text not null,
  on_erase text not null constraint personal_data_on_erase_check check (
    on_erase in (
      'erase', -- the rows go
      'anonymise', -- the rows stay, without what `blank` replaces
      'keep', -- the rows stay as they are, for the reason given
      'none' -- no personal data
    )
  ),
  reason text not null constraint personal_data_reason_check check (length(reason) between 10 and 500),
  is_exported boolean not null default false,
  is_restored boolean not null default false,
  matches text,
  blank jsonb,
  by_function text,
  left_out jsonb not null default '{}' constraint personal_data_left_out_check check (jsonb_typeof(left_out) = 'object'),
  only_columns text[],
  erase_order smallint not null default 100,
  constraint personal_data_pkey primary key (table_name, column_name),
  constraint personal_data_none_check check ((on_erase = 'none') = (column_name = '')),
  constraint personal_data_anonymise_check check (on_erase <> 'anonymise' or num_nonnulls(blank, by_function) = 1),
  constraint personal_data_exported_check check (not is_exported or on_erase <> 'none'),
  constraint personal_data_restored_check check (not is_restored or is_exported)
);

comment on table private.personal_data is 'For each table: which rows are a person''s, and what becomes of them. docs/how-to/personal-data.md says how to declare one.';
comment on column private.personal_data.table_name is 'With its schema; partitions go by their parent.';
comment on column private.personal_data.column_name is 'Names the person; empty for on_erase = none. A table with two such columns has two rows here.';
comment on column private.personal_data.reason is 'Why; it is printed in the person''s export.';
comment on column private.personal_data.is_exported is 'The rows are in the person''s export.';
comment on column private.personal_data.is_restored is 'import_account writes them back.';
comment on column private.personal_data.matches is
  'SQL over the row t that picks the rows of person $1, who is named by the strings $2 (text[]). NULL: the column equals $1.';
comment on column private.personal_data.blank is 'For anonymise: {column: SQL over the row t and $1}.';
comment on column private.personal_data.by_function is 'function(uuid, text[]) returns bigint that does it instead, given $1 and $2; it runs in the order of the others.';
comment on column private.personal_data.left_out is '{column: why} of an exported table that the export leaves out.';
comment on column private.personal_data.only_columns is 'For tables of the platform, whose columns differ between versions: nothing else is exported.';
comment on column private.personal_data.erase_order is 'Small ones first. The queue goes after the rows that fill it, the account near the end, logs of all this last.';

create table private.personal_data_settings (
  id boolean constraint personal_data_settings_pkey primary key default true
    constraint personal_data_settings_id_check check (id),
  deletion_grace interval not null default '30 days'
    constraint personal_data_settings_deletion_grace_check check (deletion_grace between '0' and '365 days'),
  exports_per_day integer not null default 5
    constraint personal_data_settings_exports_per_day_check check (exports_per_day between 0 and 1000),
  export_page_rows integer not null default 5000
    constraint personal_data_settings_export_page_rows_check check (export_page_rows between 1 and 50000)
);

comment on table private.personal_data_settings is 'One row. A changed grace period holds for requests made from then on: each carries its own day.';

insert into private.personal_data_settings default values;

-- One for an account. pending → cancelled → pending …; an erased account takes its request with it.
create table public.deletion_requests (
  user_id uuid constraint deletion_requests_pkey primary key
    constraint deletion_requests_user_id_fkey references auth.users (id) on delete cascade,
  state text not null default 'pending' constraint deletion_requests_state_check check (state in ('pending', 'cancelled')),
  reason text constraint deletion_requests_reason_check check (length(reason) <= 500),
  requested_at timestamptz not null default now(),
  due_at timestamptz not null,
  cancelled_at timestamptz,
  constraint deletion_requests_cancelled_check check ((state = 'cancelled') = (cancelled_at is not null))
);

comment on table public.deletion_requests is E'Accounts that are to be erased, and when\n\nWritten by request_deletion and cancel_deletion.';
comment on column public.deletion_requests.user_id is 'The account.';
comment on column public.deletion_requests.state is 'pending: erased once due_at has come; cancelled: taken back.';
comment on column public.deletion_requests.reason is 'Why, in the person''s words.';
comment on column public.deletion_requests.requested_at is 'When it was asked for.';
comment on column public.deletion_requests.due_at is 'When it is erased.';
comment on column public.deletion_requests.cancelled_at is 'When it was taken back.';

create index deletion_requests_due_at_idx on public.deletion_requests (due_at) where state = 'pending';

create table private.deletion_failures (
  user_id uuid constraint deletion_failures_pkey primary key
    constraint deletion_failures_user_id_fkey references public.deletion_requests (user_id) on delete cascade,
  failures integer not null default 1,
  failed_at timestamptz not null default now(),
  error text not null
);

comment on table private.deletion_failures is 'Due deletions that did not succeed, and why. They are tried again, ever later, at least daily.';

create table public.export_requests (
  id uuid not null default gen_random_uuid() constraint export_requests_pkey primary key,
  user_id uuid not null constraint export_requests_user_id_fkey references auth.users (id) on delete cascade,
  requested_at timestamptz not null default clock_timestamp(),
  state text not null default 'complete' constraint export_requests_state_check check (state in ('complete', 'paged')),
  row_count bigint not null default 0
);

comment on table public.export_requests is E'Exports that people asked for\n\nWritten by request_export.';
comment on column public.export_requests.id is 'The export.';
comment on column public.export_requests.user_id is 'Whose it is.';
comment on column public.export_requests.requested_at is 'When.';
comment on column public.export_requests.state is 'complete: the answer held every row; paged: the rest is fetched with export_page, for a day.';
comment on column public.export_requests.row_count is 'How many rows in all.';

create index export_requests_user_id_idx on public.export_requests (user_id, requested_at desc);

-- Proof that people were erased, without saying who.
create table private.erasures (
  id bigint generated always as identity constraint erasures_pkey primary key,
  erased_at timestamptz not null default now(),
  cause text not null constraint erasures_cause_check check (cause in ('due', 'admin')),
  counts jsonb not null,
  residue jsonb not null,
  is_clean boolean not null generated always as (not jsonb_path_exists(residue, '$[*] ? (@.rows > 0)')) stored
);

comment on table private.erasures is 'One row for each erased person, without any trace of them.';
comment on column private.erasures.cause is 'due: the grace period was over; admin: a holder of users.delete.';
comment on column private.erasures.counts is 'Rows erased or anonymised in each table.';
comment on column private.erasures.residue is 'Where the person''s id, address or number still stood afterwards: table, column, rows. Rows NULL: a table that could not be read.';
comment on column private.erasures.is_clean is 'Nothing was left in what could be read.';

alter table private.personal_data enable row level security;
alter table private.personal_data_settings enable row level security;
alter table private.deletion_failures enable row level security;
alter table private.erasures enable row level security;
alter table public.deletion_requests enable row level security;
alter table public.export_requests enable row level security;

create type public.owned_object as (bucket_id text, name text, metadata jsonb, created_at timestamptz);
comment on type public.owned_object is 'A file in Storage.';

-- file: sql/policies/deletion_requests.sql
-- One's own request. Written by request_deletion and cancel_deletion only.
revoke all on public.deletion_requests from anon, authenticated, service_role;
grant select on public.deletion_requests to authenticated, service_role;

drop policy if exists "people read their own request to be deleted" on public.deletion_requests;
create policy "people read their own request to be deleted" on public.deletion_requests
for select to authenticated
using (user_id = (select auth.uid()));
-- end file

-- file: sql/policies/export_requests.sql
-- One's own exports. Written by request_export only.
revoke all on public.export_requests from anon, authenticated, service_role;
grant select on public.export_requests to authenticated, service_role;

drop policy if exists "people read their own exports" on public.export_requests;
create policy "people read their own exports" on public.export_requests
for select to authenticated
using (user_id = (select auth.uid()));
-- end file

-- What holds nobody's data.
insert into private.personal_data (table_name, column_name, on_erase, reason)
select x.table_name, '', 'none', x.reason
from (
  values
  ('public.app_roles', 'The roles there are, made by migrations.'),
  ('public.permissions', 'The permissions there are, made by migrations.'),
  ('public.role_permissions', 'What each role may do, made by migrations.'),
  ('private.pickup_transitions', 'Which status may follow which.'),
  ('private.personal_data', 'These declarations.'),
  ('private.personal_data_settings', 'Settings of all this.'),
  ('private.erasures', 'Counts of erased rows, without whose they were.'),
  ('ml.models', 'How models are called.'),
  ('ml.attachments', 'Which tables are predicted.'),
  ('ml.workers', 'Replicas of the service.'),
  ('ml.webhook_deliveries', 'Ids of webhooks, which the sender draws at random.'),
  ('ml.backfills', 'How far backfills have come. A last_key is checked by the sweep.'),
  ('ml.budgets', 'What models may spend.'),
  ('ml.queue_state', 'Depth and age of the queue.'),
  ('private.notification_kinds', 'What people can be notified of.'),
  ('private.audit_links', 'Hashes over the audit log, salted; the salt goes when an entry is redacted.')
) as x (table_name, reason);

-- What is a person's own, and goes with them.
insert into private.personal_data (table_name, column_name, on_erase, is_exported, is_restored, left_out, reason)
values
('public.profiles', 'id', 'erase', true, true, '{}', 'The person''s profile.'),
(
  'public.pickup_requests', 'user_id', 'erase', true, true, '{}',
  'Where somebody goes names them: coarsened to a kilometre and an hour, two journeys still single most people out. So none is kept; '
  || 'what quality needs is in the outcomes, which know no place.'
),
('public.predictions', 'owner_id', 'erase', true, true, '{}', 'Receipts of models'' answers about the person''s rows.'),
(
  'public.user_roles', 'user_id', 'erase', true, false,
  '{"granted_by": "Names another person."}', 'Roles held. A right is given by people, never by a document, so it is not restored.'
),
('public.deletion_requests', 'user_id', 'erase', true, false, '{}', 'The request to be deleted, which is done with.'),
('public.export_requests', 'user_id', 'erase', true, false, '{}', 'Records of exports.'),
('public.notifications', 'user_id', 'erase', true, false, '{}', 'What the person was told; telling it again would be a fault.'),
('private.notification_mutes', 'user_id', 'erase', true, true, '{}', 'What the person does not want to hear of.');

-- After everything else, since erasing writes to it.
insert into private.personal_data (table_name, column_name, on_erase, by_function, erase_order, reason)
values
(
  'private.audit_log', 'subject_id', 'anonymise', 'private.redact_audit', 900,
  'It names operators too; one''s own entries are read with audit_trail.'
),
('private.audit_log', 'actor_id', 'anonymise', 'private.redact_audit', 901, 'What a person did to others'' accounts is the others'' data.');

insert into private.personal_data (table_name, column_name, on_erase, blank, reason)
values ('public.feature_flags', 'updated_by', 'anonymise', '{"updated_by": "null"}', 'Who switched a feature last; no data about them.');

insert into private.notification_kinds (name, title, description, can_be_muted)
values ('account_deletion', 'Your account will be deleted', 'Your account was put down for deletion', false);

insert into private.personal_data (table_name, column_name, on_erase, reason)
values
('private.account_words', 'user_id', 'erase', 'A copy of names and addresses to search by; the originals are exported.'),
('private.deletion_failures', 'user_id', 'erase', 'Why a deletion did not succeed yet: about the system.');

-- The queue: what is owed now. It goes after the rows that fill it.
insert into private.personal_data (table_name, column_name, on_erase, matches, erase_order, reason)
values
('ml.jobs', 'owner_id', 'erase', 't.owner_id = $1 or t.row_key = $1::text', 200, 'Predictions owed now; gone within seconds.'),
('ml.retries', 'owner_id', 'erase', 't.owner_id = $1 or t.row_key = $1::text', 200, 'Predictions owed again; gone within hours.'),
(
  'ml.dead_letters', 'owner_id', 'erase', 't.owner_id = $1 or t.row_key = $1::text', 200,
  'Predictions that failed, with errors for the operator; the person''s receipts say so too.'
),
(
  'ml.usage', 'owner_id', 'erase', null, 200,
  'What a model was given a day. The sum over all people has a row of its own and stays.'
);

-- A job of a running batch becomes NULL, as if it were settled: its place in the batch stays, the others are not disturbed.
insert into private.personal_data (table_name, column_name, on_erase, matches, blank, erase_order, reason)
values
(
  'ml.leases', 'jobs', 'anonymise',
  'exists (select from unnest(t.jobs) as j where j.owner_id = $1 or j.row_key = $1::text)',
  jsonb_build_object(
    'jobs',
    'array(select case when (t.jobs[i]).owner_id = $1 or (t.jobs[i]).row_key = $1::text then null else t.jobs[i] end '
    || 'from generate_subscripts(t.jobs, 1) as i order by i)'
  ), 200, 'Batches that a worker holds, for seconds.'
),
(
  'public.user_roles', 'granted_by', 'anonymise', null, '{"granted_by": "null"}', 100,
  'Roles that this person gave to others: they stay, without who gave them. They are the others'' data and not exported.'
);

-- What quality needs is numbers: the answer and the truth, without row, place, text, person or hour.
insert into private.personal_data (table_name, column_name, on_erase, is_exported, is_restored, blank, reason)
values
(
  'public.prediction_outcomes', 'owner_id', 'anonymise', true, true,
  '{
    "id": "default", "owner_id": "null", "row_key": "gen_random_uuid()::text", "prediction_id": "null",
    "predicted": "private.numbers_of(t.predicted)", "truth": "private.numbers_of(t.truth)",
    "observed_at": "date_trunc(''day'', t.observed_at, ''UTC'')"
  }',
  'Predicted and true values. Numbers stay, so that quality is known; number, row, owner, texts and the hour go.'
);

-- Tables of the platform. Auth's are erased together, whatever this version of it has.
insert into private.personal_data (
  table_name, column_name, on_erase, is_exported, is_restored, by_function, only_columns, erase_order, reason
)
values
(
  'auth.users', 'id', 'erase', true, true, 'private.erase_account',
  array['id', 'email', 'phone', 'created_at', 'last_sign_in_at', 'email_confirmed_at', 'phone_confirmed_at', 'raw_user_meta_data'],
  800, 'The account. Restored without password.'
);

insert into private.personal_data (table_name, column_name, on_erase, matches, is_exported, only_columns, erase_order, reason)
values
(
  'auth.identities', 'user_id', 'erase', null, true,
  array['provider', 'identity_data', 'email', 'created_at', 'last_sign_in_at'], 701, 'Ways to sign in; made anew.'
),
(
  'auth.sessions', 'user_id', 'erase', null, true,
  array['created_at', 'updated_at', 'not_after', 'user_agent', 'ip'], 702, 'Sign-ins that last; they end.'
),
(
  'auth.audit_log_entries', 'payload', 'erase',
  'exists (select from unnest($2) as n (needle) where position(n.needle in lower(t.payload::text)) > 0)', false, null,
  703, 'Auth''s log; it names operators too. The sign-ins in it are exported as sessions.'
),
(
  'realtime.messages', 'topic', 'erase',
  't.topic = ''user:'' || $1::text or exists (select from unnest($2) as n (needle) where position(n.needle in lower(t.payload::text)) > 0)',
  false, null, 850, 'Messages to the person''s channel, three days of them; what they said is in the receipts.'
),
(
  'net.http_request_queue', 'body', 'erase',
  'exists (select from unnest($2) as n (needle) '
  || 'where position(n.needle in lower(concat(t.url, t.headers, encode(t.body, ''escape'')))) > 0)',
  false, null, 860, 'Requests that pg_net is about to send.'
),
(
  'net._http_response', 'content', 'erase',
  'exists (select from unnest($2) as n (needle) where position(n.needle in lower(concat(t.content, t.headers, t.error_msg))) > 0)',
  false, null, 861, 'Answers to requests of pg_net, kept for hours.'
),
(
  'cron.job_run_details', 'return_message', 'erase',
  'exists (select from unnest($2) as n (needle) where position(n.needle in lower(concat(t.command, t.return_message))) > 0)',
  false, null, 862, 'What scheduled jobs said when they ran.'
);


-- file: sql/functions/private/numbers_of.sql
create or replace function private.numbers_of(p_document jsonb)
returns jsonb
language sql
immutable
parallel safe
security invoker
set search_path = ''
as $$
  select coalesce(jsonb_object_agg(e.key, e.value), '{}')
  from jsonb_each(case when jsonb_typeof(p_document) = 'object' then p_document end) as e
  where jsonb_typeof(e.value) in ('number', 'boolean');
$$;

comment on function private.numbers_of(jsonb) is 'What may stay of a document when its person is erased: numbers and truth values of its first level, never text.';
-- end file

-- file: sql/functions/private/person_needles.sql
-- Definer: reads auth.users. What identifies a person wherever it stands: id, addresses, numbers. Not the name, which others may
-- bear; whoever sweeps for a name adds it. Shorter than six characters would be found everywhere.
create or replace function private.person_needles(p_user_id uuid)
returns text[]
language sql
stable
security definer
set search_path = ''
as $$
  select array_agg(distinct n.needle)
  from (
    select p_user_id::text as needle
    union all
    select lower(v.needle)
    from auth.users as u
    cross join lateral (values (u.email::text), (u.phone::text), (u.email_change::text), (u.phone_change::text)) as v (needle)
    where u.id = p_user_id
  ) as n
  where length(n.needle) >= 6;
$$;

comment on function private.person_needles(uuid) is 'The strings by which an account is found in text: its id, e-mail addresses and phone numbers.';
-- end file

-- file: sql/functions/private/find_traces.sql
-- One pass over each table of every schema, partitions and platform tables among them. Letters of either case are the same.
-- A composite or array is read as JSON, bytes as the text they may be; JSON spells some characters otherwise, so that
-- spelling is looked for too. What this role may not read comes back with NULL traces: not looked at is not clean.
create or replace function private.find_traces(p_needles text[])
returns table (table_name text, column_name text, traces bigint)
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_needles text[];
  v_table record;
  v_found bigint[];
begin
  select array_agg(distinct s.spelt) into v_needles
  from unnest(p_needles) as n (needle)
  cross join lateral (values (lower(n.needle)), (lower(substr(to_json(n.needle)::text, 2, length(to_json(n.needle)::text) - 2)))) as s (spelt)
  where n.needle <> '';
  if v_needles is null then
    raise sqlstate 'PT422' using
      message = 'There is nothing to look for.', detail = 'NO_NEEDLES', hint = 'Give the id, the address, the name.';
  end if;

  for v_table in
    select
      c.oid::regclass as name, n.nspname || '.' || c.relname as full_name, array_agg(a.attname::text order by a.attnum) as columns,
      has_table_privilege(c.oid, 'select') as readable,
      string_agg(
        format(
          'count(*) filter (where exists (select from unnest($1) as n (needle) where position(n.needle in lower(%s)) > 0))',
          case
            when t.typname = 'bytea' then format('encode(t.%I, ''escape'')', a.attname)
            when t.typcategory in ('A', 'C') then format('to_jsonb(t.%I)::text', a.attname)
            else format('t.%I::text', a.attname)
          end
        ), ', ' order by a.attnum
      ) as counts
    from pg_catalog.pg_class as c
    join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
    join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    join pg_catalog.pg_type as t on t.oid = a.atttypid
    where c.relkind in ('r', 'm') and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
      -- Numbers, times, truth values, enums and places on a plane hold no name.
      and t.typcategory not in ('N', 'D', 'B', 'E', 'G', 'T')
    group by c.oid, n.nspname, c.relname
    order by 2
  loop
    if not v_table.readable then
      return query select v_table.full_name, null::text, null::bigint;
      continue;
    end if;
    execute format('select array[%s]::bigint[] from only %s as t', v_table.counts, v_table.name) into v_found using v_needles;
    return query
      select v_table.full_name, f.name, f.hits
      from unnest(v_table.columns, v_found) as f (name, hits)
      where f.hits > 0;
  end loop;
end
$$;

comment on function private.find_traces(text[]) is
  'Where any of these strings stands: table, column, number of rows, over every table of the database. NULL: a table that could not be read.';
-- end file

-- file: sql/functions/private/owned_objects.sql
-- Definer: the API's roles may not list other people's files. A file is a person's if they uploaded it, or if it stands in a
-- folder of their id and nobody else uploaded it. Dynamic, because Storage makes its tables when it first starts.
create or replace function private.owned_objects(p_user_id uuid)
returns setof public.owned_object
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  if to_regclass('storage.objects') is null then
    return;
  end if;
  return query execute $sql$
    select o.bucket_id, o.name, o.metadata, o.created_at
    from storage.objects as o
    where o.owner_id = $1::text
      or (o.owner_id is null and $1::text = any (string_to_array(o.name, '/')))
    order by 1, 2
  $sql$ using p_user_id;
end
$$;

comment on function private.owned_objects(uuid) is 'The Storage objects that are a person''s.';
grant execute on function private.owned_objects(uuid) to service_role;
-- end file

-- file: sql/functions/private/rows_of.sql
create or replace function private.rows_of(p_declared private.personal_data)
returns text
language sql
stable
security invoker
set search_path = ''
as $$
  select '(' || coalesce(p_declared.matches, format('t.%I = $1', p_declared.column_name)) || ')';
$$;

comment on function private.rows_of(private.personal_data) is 'The condition over a row t that makes it the rows of person $1, who is named by the strings $2.';
-- end file

-- file: sql/functions/private/find_rows.sql
-- Of every declared table: an account deleted elsewhere may have left rows that no foreign key reached.
create or replace function private.find_rows(p_user_id uuid)
returns table (table_name text, column_name text, held bigint)
language plpgsql
stable
security invoker
set search_path = ''
as $$
declare
  v_declared private.personal_data;
begin
  for v_declared in
    select d.* from private.personal_data as d
    where d.on_erase in ('erase', 'anonymise') and d.by_function is null and to_regclass(d.table_name) is not null
      and has_table_privilege(to_regclass(d.table_name), 'select')
    order by d.table_name, d.column_name
  loop
    table_name := v_declared.table_name;
    column_name := v_declared.column_name;
    execute format('select count(*) from %s as t where %s', to_regclass(table_name), private.rows_of(v_declared))
    into held using p_user_id, private.person_needles(p_user_id);
    if held > 0 then
      return next;
    end if;
  end loop;
end
$$;

comment on function private.find_rows(uuid) is 'How many rows each declared table holds of a person; tables that hold none are left out.';
-- end file

-- file: sql/functions/private/erase_rows.sql
-- One declaration, one statement. `matches` and `blank` are SQL of the migrations, never of a client; $1 is the person, $2
-- the strings that name them. A platform table that is absent here, or that this role may not write, is passed over with
-- NULL; the sweep says whether anything stayed in it.
create or replace function private.erase_rows(p_declared private.personal_data, p_user_id uuid, p_needles text[])
returns bigint
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_table regclass := to_regclass(p_declared.table_name);
  v_count bigint;
begin
  if p_declared.by_function is not null then
    execute format('select %s($1, $2)', p_declared.by_function) into v_count using p_user_id, p_needles;
    return v_count;
  end if;
  if v_table is null
    or not has_table_privilege(v_table, case p_declared.on_erase when 'erase' then 'delete' else 'update' end)
  then
    return null;
  end if;

  if p_declared.on_erase = 'erase' then
    execute format('delete from %s as t where %s', v_table, private.rows_of(p_declared)) using p_user_id, p_needles;
  else
    execute format(
      'update %s as t set %s where %s', v_table,
      (select string_agg(format('%I = %s', b.key, b.value), ', ') from jsonb_each_text(p_declared.blank) as b),
      private.rows_of(p_declared)
    ) using p_user_id, p_needles;
  end if;
  get diagnostics v_count = row_count;
  return v_count;
end
$$;

comment on function private.erase_rows(private.personal_data, uuid, text[]) is 'Erases or anonymises one table''s rows of a person, as declared.';
-- end file

-- file: sql/functions/private/erase_account.sql
-- Everything Auth holds. Its tables differ between versions, so they are found by their user_id; what has none goes by
-- cascade, and the log has a declaration of its own, which looks for p_needles. The account itself is last.
create or replace function private.erase_account(p_user_id uuid, p_needles text[])
returns bigint
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_table regclass;
  v_count bigint;
begin
  for v_table in
    select c.oid
    from pg_catalog.pg_class as c
    join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attname = 'user_id' and not a.attisdropped
    where c.relnamespace = 'auth'::regnamespace and c.relkind in ('r', 'p') and has_table_privilege(c.oid, 'delete')
    order by c.relname
  loop
    execute format('delete from %s as t where t.user_id::text = $1', v_table) using p_user_id::text;
  end loop;
  delete from auth.users as u where u.id = p_user_id;
  get diagnostics v_count = row_count;
  return v_count;
end
$$;

comment on function private.erase_account(uuid, text[]) is 'Deletes an account and all that Auth keeps of it: identities, sessions, tokens, factors.';
-- end file

-- file: sql/functions/private/erase_user.sql
-- Definer: it deletes from every schema. One transaction: either nothing of the person is left, or nothing was touched. Run
-- again it finds nobody and answers NULL. Storage is emptied first, through its API: rows deleted here would leave the bytes.
create or replace function private.erase_user(p_user_id uuid, p_cause text default 'admin')
returns private.erasures
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_needles text[];
  v_declared private.personal_data;
  v_count bigint;
  v_counts jsonb := '{}';
  v_report private.erasures;
begin
  -- Before anything is touched, and not by the table's check, whose refusal would show the row.
  if (p_cause in ('due', 'admin')) is not true then
    raise sqlstate 'PT422' using
      message = 'That is no cause of an erasure.', detail = 'CAUSE_UNKNOWN', hint = 'Leave p_cause out.';
  end if;
  perform pg_advisory_xact_lock(hashtextextended('erase ' || p_user_id::text, 0));
  perform from auth.users as u where u.id = p_user_id for update;
  if not found and not exists (select from private.find_rows(p_user_id)) then
    return null;
  end if;
  if exists (select from private.owned_objects(p_user_id)) then
    raise sqlstate 'PT409' using
      message = 'This person still owns files.', detail = 'STORAGE_NOT_EMPTY',
      hint = 'Empty Storage first: the edge function admin-delete-user does both.';
  end if;

  v_needles := private.person_needles(p_user_id);
  for v_declared in
    select d.* from private.personal_data as d
    where d.on_erase in ('erase', 'anonymise')
      -- A function that stands for several columns is called once.
      and not exists (
        select from private.personal_data as e where e.by_function = d.by_function and e.erase_order < d.erase_order
      )
    order by d.erase_order, d.table_name, d.column_name
  loop
    v_count := private.erase_rows(v_declared, p_user_id, v_needles);
    if v_count > 0 then
      v_counts := v_counts || jsonb_build_object(
        v_declared.table_name, coalesce((v_counts ->> v_declared.table_name)::bigint, 0) + v_count
      );
    end if;
  end loop;

  insert into private.erasures (cause, counts, residue)
  select
    p_cause, v_counts,
    coalesce(jsonb_agg(jsonb_build_object('table', f.table_name, 'column', f.column_name, 'rows', f.traces)), '[]')
  from private.find_traces(v_needles) as f
  returning * into v_report;
  return v_report;
end
$$;

comment on function private.erase_user(uuid, text) is
  'Erases a person from every table as private.personal_data declares, then looks for what is left. Answers the report, or NULL if there is nobody.';
grant execute on function private.erase_user(uuid, text) to service_role;
-- end file

-- file: sql/functions/private/check_erasable.sql
-- Definer: looks at everybody's roles. Asked before a file is removed: the table refuses the last admin too, but by then the
-- files would be gone.
create or replace function private.check_erasable(p_user_id uuid)
returns void
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  if exists (select from public.user_roles as ur where ur.user_id = p_user_id and ur.role = 'admin' and ur.expires_at is null)
    and not exists (
      select from public.user_roles as ur
      where ur.user_id <> p_user_id and ur.role = 'admin' and ur.expires_at is null and private.account_is_live(ur.user_id)
    )
  then
    raise sqlstate 'PT409' using
      message = 'The last admin cannot go.', detail = 'LAST_ADMIN', hint = 'Make somebody else admin first, without an end.';
  end if;
end
$$;

comment on function private.check_erasable(uuid) is 'Refuses the last admin, who cannot be erased.';
grant execute on function private.check_erasable(uuid) to service_role;
-- end file

-- file: sql/functions/private/request_deletion.sql
-- Definer: people may not write the table. The account is the token's, the wait is ours. Asking again moves nothing.
create or replace function private.request_deletion(p_reason text)
returns public.deletion_requests
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_user uuid := private.require_session();
  v_row public.deletion_requests;
  v_is_new boolean;
begin
  if length(p_reason) > 500 then
    raise sqlstate 'PT422' using
      message = 'p_reason takes at most 500 characters.', detail = 'REASON_TOO_LONG', hint = 'Shorten it.';
  end if;
  -- Said now, and not in a month, when nobody looks.
  perform private.check_erasable(v_user);
  insert into public.deletion_requests as d (user_id, reason, due_at)
  select u.id, p_reason, now() + s.deletion_grace
  from auth.users as u
  cross join private.personal_data_settings as s
  where u.id = v_user
  on conflict (user_id) do update set
    state = 'pending', reason = excluded.reason, requested_at = now(), due_at = excluded.due_at, cancelled_at = null
  where d.state = 'cancelled';

  v_is_new := found;
  select d.* into v_row from public.deletion_requests as d where d.user_id = v_user;
  if not found then
    raise sqlstate 'PT404' using
      message = 'This account no longer exists.', detail = 'ACCOUNT_NOT_FOUND', hint = 'Sign in again.';
  end if;
  if v_is_new then
    -- Once for a day, however often it is taken back and asked for again.
    perform private.notify(
      v_user, 'account_deletion', jsonb_build_object('due_at', v_row.due_at),
      p_key => 'account_deletion:' || (v_row.due_at at time zone 'UTC')::date
    );
  end if;
  return v_row;
end
$$;

comment on function private.request_deletion(text) is 'Puts the caller''s account down for erasure after the grace period.';
grant execute on function private.request_deletion(text) to authenticated;
-- end file

-- file: sql/functions/private/cancel_deletion.sql
-- Definer: people may not write the table. Touches the caller's own row only. Once it is due it
-- is carried out: files may be gone already, and half an account is no use to anybody.
create or replace function private.cancel_deletion()
returns public.deletion_requests
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_user uuid := private.require_session();
  v_row public.deletion_requests;
begin
  update public.deletion_requests as d set state = 'cancelled', cancelled_at = now()
  where d.user_id = v_user and d.state = 'pending' and d.due_at > now()
  returning * into v_row;
  if not found then
    raise sqlstate 'PT404' using
      message = 'There is no deletion that can be taken back.', detail = 'DELETION_NOT_REQUESTED',
      hint = 'my_deletion_request() says how it stands.';
  end if;
  return v_row;
end
$$;

comment on function private.cancel_deletion() is 'Takes back the caller''s request to be deleted.';
grant execute on function private.cancel_deletion() to authenticated;
-- end file

-- file: sql/functions/private/due_deletions.sql
-- Definer: the API's roles see nobody's request but their own. Those that failed wait longer each time, at most a day.
create or replace function private.due_deletions(p_limit integer)
returns table (user_id uuid, has_files boolean)
language sql
stable
security definer
set search_path = ''
as $$
  select d.user_id, exists (select from private.owned_objects(d.user_id)) as has_files
  from public.deletion_requests as d
  left join private.deletion_failures as f on f.user_id = d.user_id
  where d.state = 'pending' and d.due_at <= now()
    and (f.user_id is null or f.failed_at < now() - least(interval '1 day', interval '5 minutes' * power(2, least(f.failures, 10))))
  order by d.due_at
  limit least(greatest(p_limit, 0), 100);
$$;

comment on function private.due_deletions(integer) is 'Whose grace period is over, and whether their files have to go first.';
grant execute on function private.due_deletions(integer) to service_role;
-- end file

-- file: sql/functions/private/note_deletion_failure.sql
-- Definer: an operator's table.
create or replace function private.note_deletion_failure(p_user_id uuid, p_error text)
returns void
language sql
volatile
security definer
set search_path = ''
as $$
  insert into private.deletion_failures as f (user_id, error)
  select d.user_id, left(p_error, 500)
  from public.deletion_requests as d
  where d.user_id = p_user_id
  on conflict (user_id) do update set failures = f.failures + 1, failed_at = now(), error = excluded.error;
$$;

comment on function private.note_deletion_failure(uuid, text) is 'Remembers that a due deletion did not succeed, so that others get their turn and an operator sees it.';
grant execute on function private.note_deletion_failure(uuid, text) to service_role;
-- end file

-- file: sql/functions/private/run_due_deletions.sql
-- Run by pg_cron. Who owns no file is erased here; files go through Storage's API, so for the others the edge function is
-- called, once for all, with a secret and without a name: it asks for whom it is. Without the secrets they wait.
create or replace function private.run_due_deletions(p_limit integer default 20)
returns integer
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_due record;
  v_erased integer := 0;
  v_call boolean := false;
  v_url text;
  v_secret text;
begin
  for v_due in select d.user_id, d.has_files from private.due_deletions(p_limit) as d loop
    if v_due.has_files then
      v_call := true;
      continue;
    end if;
    -- Locked, so that it is not cancelled meanwhile; passed over if it just was, or if another run has it.
    perform from public.deletion_requests as d
    where d.user_id = v_due.user_id and d.state = 'pending' for update skip locked;
    if not found then
      continue;
    end if;
    begin
      perform private.erase_user(v_due.user_id, 'due');
      v_erased := v_erased + 1;
    exception when others then
      perform private.note_deletion_failure(v_due.user_id, sqlstate || ': ' || sqlerrm);
    end;
  end loop;

  if v_call then
    select s.decrypted_secret into v_url from vault.decrypted_secrets as s where s.name = 'rowcast_functions_url';
    select s.decrypted_secret into v_secret from vault.decrypted_secrets as s where s.name = 'rowcast_erasure_secret';
    if v_url is not null and v_secret is not null then
      perform net.http_post(
        url := v_url || '/admin-delete-user',
        body := jsonb_build_object('due', true),
        headers := jsonb_build_object('content-type', 'application/json', 'x-rowcast-erasure-secret', v_secret),
        timeout_milliseconds := 60000
      );
    end if;
  end if;
  return v_erased;
end
$$;

comment on function private.run_due_deletions(integer) is 'Erases the people whose grace period is over. Answers how many were erased here; those who own files are left to the edge function.';
-- end file

-- file: sql/functions/private/export_rows.sql
-- One table's rows of a person in the order of its key, from behind the row p_after on. The caller decides whose.
create or replace function private.export_rows(p_declared private.personal_data, p_user_id uuid, p_after jsonb, p_limit integer)
returns jsonb
language plpgsql
stable
security invoker
set search_path = ''
as $$
declare
  v_table regclass := to_regclass(p_declared.table_name);
  v_key text[];
  v_behind text := 'true';
  v_rows jsonb;
begin
  if v_table is null then
    return '[]';
  end if;
  select array_agg(a.attname::text order by k.place) into v_key
  from pg_catalog.pg_index as i
  cross join lateral unnest(i.indkey::smallint[]) with ordinality as k (number, place)
  join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum = k.number
  where i.indrelid = v_table and i.indisprimary;
  if p_after is not null then
    -- Without a key all rows were in the first answer.
    v_behind := coalesce(
      (
        select format('(%s) > (%s)', string_agg(format('t.%I', k), ', '), string_agg(format('($3).%I', k), ', '))
        from unnest(v_key) as k
      ), 'false'
    );
    v_behind := replace(v_behind, '($3)', format('(jsonb_populate_record(null::%s, $3))', v_table));
  end if;

  execute format(
    $sql$
      select coalesce(jsonb_agg(x.exported order by x.place), '[]')
      from (
        select %1$s as exported, row_number() over (order by %2$s) as place
        from %3$s as t
        where %4$s and %5$s
        order by %2$s
        limit $4
      ) as x
    $sql$,
    case
      when p_declared.only_columns is null then 'to_jsonb(t) - $5'
      else '(select jsonb_object_agg(c.key, c.value) from jsonb_each(to_jsonb(t)) as c where c.key = any ($6))'
    end,
    coalesce((select string_agg(format('t.%I', k), ', ') from unnest(v_key) as k), 't::text'),
    v_table, private.rows_of(p_declared), v_behind
  ) into v_rows using
    p_user_id, null::text[], p_after, case when v_key is not null then p_limit end,
    array(select jsonb_object_keys(p_declared.left_out)), p_declared.only_columns;
  return v_rows;
end
$$;

comment on function private.export_rows(private.personal_data, uuid, jsonb, integer) is 'A page of what one declared table holds of a person.';
-- end file

-- file: sql/functions/private/export_document.sql
-- Definer: the account itself is Auth's. It writes nothing and asks nobody: request_export decides whose document it is.
create or replace function private.export_document(p_user_id uuid, p_page_rows integer)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_declared private.personal_data;
  v_rows jsonb;
  v_total bigint;
  v_tables jsonb := '[]';
  v_data jsonb := '{}';
  v_complete boolean := true;
begin
  for v_declared in
    select d.* from private.personal_data as d
    where d.is_exported and to_regclass(d.table_name) is not null
    order by d.table_name, d.column_name
  loop
    v_rows := private.export_rows(v_declared, p_user_id, null, p_page_rows);
    v_total := jsonb_array_length(v_rows);
    if v_total = p_page_rows then
      execute format('select count(*) from %s as t where %s', to_regclass(v_declared.table_name), private.rows_of(v_declared))
      into v_total using p_user_id, null::text[];
      v_complete := v_complete and v_total = p_page_rows;
    end if;
    v_tables := v_tables || jsonb_build_object(
      'table', v_declared.table_name, 'rows', v_total, 'complete', v_total = jsonb_array_length(v_rows),
      'restored', v_declared.is_restored, 'why', v_declared.reason
    );
    v_data := v_data || jsonb_build_object(v_declared.table_name, v_rows);
  end loop;

  return jsonb_build_object(
    'format', 'rowcast.personal-data', 'version', 1, 'exported_at', now(), 'user_id', p_user_id,
    'complete', v_complete, 'tables', v_tables, 'data', v_data,
    'files', (
      select coalesce(jsonb_agg(jsonb_build_object('bucket', o.bucket_id, 'name', o.name, 'metadata', o.metadata)), '[]')
      from private.owned_objects(p_user_id) as o
    ),
    'left_out', (
      select coalesce(jsonb_agg(jsonb_build_object('table', l.table_name, 'column', l.name, 'why', l.why) order by l.table_name, l.name), '[]')
      from (
        select d.table_name, c.key as name, c.value as why
        from private.personal_data as d
        cross join lateral jsonb_each_text(d.left_out) as c
        where d.is_exported
        union all
        select d.table_name, nullif(d.column_name, ''), d.reason
        from private.personal_data as d
        where not d.is_exported and d.on_erase <> 'none' and to_regclass(d.table_name) is not null
      ) as l
    )
  );
end
$$;

comment on function private.export_document(uuid, integer) is 'Everything declared that is held of a person, as one document; of each table at most that many rows.';
-- end file

-- file: sql/functions/private/request_export.sql
-- Definer: it reads Auth's tables and writes the record. The person is the token's, never an argument.
create or replace function private.request_export()
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_user uuid := private.require_session();
  v_settings private.personal_data_settings;
  v_document jsonb;
  v_request public.export_requests;
  v_next timestamptz;
begin
  perform pg_advisory_xact_lock(hashtextextended('export ' || v_user::text, 0));
  select s.* into v_settings from private.personal_data_settings as s;
  if not exists (select from auth.users as u where u.id = v_user) then
    raise sqlstate 'PT404' using
      message = 'This account no longer exists.', detail = 'ACCOUNT_NOT_FOUND', hint = 'Sign in again.';
  end if;
  select e.requested_at + interval '1 day' into v_next
  from public.export_requests as e
  where e.user_id = v_user and e.requested_at > now() - interval '1 day'
  order by e.requested_at desc
  offset greatest(v_settings.exports_per_day - 1, 0)
  limit 1;
  if v_next is not null or v_settings.exports_per_day = 0 then
    raise sqlstate 'PT429' using
      message = format('An account is exported at most %s times a day.', v_settings.exports_per_day),
      detail = 'EXPORT_LIMIT_REACHED', hint = format('Ask again from %s on.', v_next);
  end if;

  insert into public.export_requests (user_id) values (v_user) returning * into v_request;
  v_document := private.export_document(v_user, v_settings.export_page_rows);
  update public.export_requests as e set
    state = case when (v_document ->> 'complete')::boolean then 'complete' else 'paged' end,
    row_count = (select sum((t.value ->> 'rows')::bigint) from jsonb_array_elements(v_document -> 'tables') as t)
  where e.id = v_request.id;
  return v_document || jsonb_build_object('export_id', v_request.id);
end
$$;

comment on function private.request_export() is 'The caller''s personal data as one document, a few times a day.';
grant execute on function private.request_export() to authenticated;
-- end file

-- file: sql/functions/private/export_page.sql
-- Definer: as request_export, and as that not for API keys. The export must be the caller's own and of this day, the table an exported one.
create or replace function private.export_page(p_export_id uuid, p_table text, p_after jsonb)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_user uuid := private.require_session();
  v_declared private.personal_data;
begin
  if not exists (
    select from public.export_requests as e
    where e.id = p_export_id and e.user_id = v_user and e.requested_at > now() - interval '1 day'
  ) then
    raise sqlstate 'PT404' using
      message = 'You have no such export.', detail = 'EXPORT_NOT_FOUND', hint = 'request_export() begins one; its pages are given for a day.';
  end if;
  select d.* into v_declared from private.personal_data as d
  where d.table_name = p_table and d.is_exported and to_regclass(d.table_name) is not null
  limit 1;
  if not found or jsonb_typeof(p_after) is distinct from 'object' then
    raise sqlstate 'PT422' using
      message = 'There is no such page.', detail = 'EXPORT_PAGE_UNKNOWN',
      hint = 'p_table is a table of the document, p_after the last row you have of it.';
  end if;
  return private.export_rows(
    v_declared, v_user, p_after, (select s.export_page_rows from private.personal_data_settings as s)
  );
end
$$;

comment on function private.export_page(uuid, text, jsonb) is 'The next rows of one table of the caller''s export.';
grant execute on function private.export_page(uuid, text, jsonb) to authenticated;
-- end file

-- file: sql/functions/private/insert_row.sql
-- Only columns that exist, that are given, and that may be written: the platform generates some which others store. In a
-- document JSON's null and SQL's look alike; where the column takes no NULL, it was JSON's.
create or replace function private.insert_row(p_table regclass, p_row jsonb)
returns bigint
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_columns text;
  v_values text;
  v_count bigint;
begin
  select
    string_agg(quote_ident(a.attname), ', ' order by a.attnum),
    string_agg(
      format(
        case when a.attnotnull and a.atttypid in ('json'::regtype, 'jsonb'::regtype) then 'coalesce(r.%I, ''null'')' else 'r.%I' end,
        a.attname
      ), ', ' order by a.attnum
    )
  into v_columns, v_values
  from pg_catalog.pg_attribute as a
  where a.attrelid = p_table and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and p_row ? a.attname;
  execute format(
    'insert into %1$s (%2$s) overriding system value select %3$s from jsonb_populate_record(null::%1$s, $1) as r on conflict do nothing',
    p_table, v_columns, v_values
  ) using p_row;
  get diagnostics v_count = row_count;
  return v_count;
end
$$;

comment on function private.insert_row(regclass, jsonb) is 'Inserts one row given as JSON, if it is not there yet. Answers how many rows that were.';
-- end file

-- file: sql/functions/private/make_account.sql
-- Definer: auth.users is Auth's. Only for where its admin API is not: the embedded stack, and an account restored from an
-- export. Auth reads empty strings, not NULLs, from its token columns; columns that this version lacks are left out.
create or replace function private.make_account(p_account jsonb, p_password text)
returns uuid
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_id uuid := coalesce((p_account ->> 'id')::uuid, gen_random_uuid());
  v_email text := lower(btrim(p_account ->> 'email'));
  -- An address that an export says was never confirmed stays so.
  v_confirmed jsonb := coalesce(p_account -> 'email_confirmed_at', to_jsonb(now()));
  v_user jsonb;
  v_identity jsonb;
begin
  if (length(v_email) <= 255 and v_email ~ '^[^@[:space:][:cntrl:]]+@[^@[:space:][:cntrl:]]+\.[^@[:space:][:cntrl:]]+$') is not true then
    raise sqlstate 'PT422' using
      message = 'That is no e-mail address.', detail = 'EMAIL_INVALID', hint = 'Send one like ann@example.com.';
  end if;
  if (length(p_password) >= 8 and octet_length(p_password) <= 72) is false then
    raise sqlstate 'PT422' using
      message = 'A password takes at least 8 characters and at most 72 bytes.', detail = 'PASSWORD_INVALID', hint = 'Choose another.';
  end if;
  if exists (select from auth.users as u where u.id = v_id or lower(u.email) = v_email) then
    raise sqlstate 'PT409' using
      message = 'There is such an account already.', detail = 'ACCOUNT_EXISTS', hint = 'Erase it first, or take another address.';
  end if;

  v_user := jsonb_build_object(
    'instance_id', '00000000-0000-0000-0000-000000000000', 'aud', 'authenticated', 'role', 'authenticated', 'id', v_id,
    'email', v_email, 'phone', p_account ->> 'phone',
    'encrypted_password', coalesce(extensions.crypt(p_password, extensions.gen_salt('bf', 10)), ''),
    'email_confirmed_at', v_confirmed, 'confirmed_at', v_confirmed, 'phone_confirmed_at', p_account -> 'phone_confirmed_at',
    'last_sign_in_at', p_account -> 'last_sign_in_at',
    'raw_app_meta_data', '{"provider": "email", "providers": ["email"]}'::jsonb,
    'raw_user_meta_data', coalesce(p_account -> 'raw_user_meta_data', '{}'),
    'created_at', coalesce((p_account ->> 'created_at')::timestamptz, now()), 'updated_at', now(),
    'is_sso_user', false, 'is_anonymous', false,
    'confirmation_token', '', 'recovery_token', '', 'email_change', '', 'email_change_token_new', '',
    'email_change_token_current', '', 'phone_change', '', 'phone_change_token', '', 'reauthentication_token', ''
  );
  perform private.insert_row('auth.users', v_user);
  v_identity := jsonb_build_object(
    'id', gen_random_uuid(), 'provider', 'email', 'provider_id', v_id::text, 'user_id', v_id,
    'identity_data', jsonb_build_object('sub', v_id::text, 'email', v_email, 'email_verified', true, 'phone_verified', false),
    'created_at', now(), 'updated_at', now()
  );
  perform private.insert_row('auth.identities', v_identity);
  return v_id;
end
$$;

comment on function private.make_account(jsonb, text) is
  'Inserts an account with its identity, as Auth would; without a password its owner gets in by recovery or a one-time code.';
grant execute on function private.make_account(jsonb, text) to service_role;
-- end file

-- file: sql/functions/private/import_account.sql
-- Definer: it writes tables that nobody may. For back ends with the secret key only, since a document may claim anything: so
-- each row must be the person's own by its declared column, and what gives rights or records is not restored at all.
create or replace function private.import_account(p_document jsonb)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_user uuid;
  v_declared private.personal_data;
  v_row jsonb;
  v_count bigint;
  v_counts jsonb := '{}';
begin
  if (p_document ->> 'format' = 'rowcast.personal-data' and p_document ->> 'version' = '1'
    and jsonb_typeof(p_document -> 'data') = 'object' and p_document -> 'complete' = 'true') is not true
    or not pg_input_is_valid(p_document ->> 'user_id', 'uuid')
    or p_document #>> '{data,auth.users,0,id}' is distinct from p_document ->> 'user_id'
  then
    raise sqlstate 'PT422' using
      message = 'This is no complete export.', detail = 'IMPORT_REFUSED', hint = 'Send the document of request_export() with all its pages.';
  end if;
  v_user := (p_document ->> 'user_id')::uuid;
  perform private.make_account(p_document #> '{data,auth.users,0}', null);

  for v_declared in
    select d.* from private.personal_data as d
    where d.is_restored and d.table_name <> 'auth.users'
    order by d.erase_order desc, d.table_name
  loop
    v_count := 0;
    for v_row in
      select r.value
      from jsonb_array_elements(
        case when jsonb_typeof(p_document -> 'data' -> v_declared.table_name) = 'array'
          then p_document -> 'data' -> v_declared.table_name else '[]' end
      ) as r
    loop
      if v_row ->> v_declared.column_name is distinct from v_user::text then
        raise sqlstate 'PT422' using
          message = format('A row of %s is somebody else''s.', v_declared.table_name), detail = 'IMPORT_REFUSED',
          hint = 'Every row carries the id of the account.';
      end if;
      -- The sign-up trigger has made a profile already, and the username may be another's by now.
      if v_declared.table_name = 'public.profiles' then
        delete from public.profiles as p where p.id = v_user;
        if exists (select from public.profiles as p where p.username = v_row ->> 'username') then
          v_row := v_row - 'username';
        end if;
      end if;
      v_count := v_count + private.insert_row(v_declared.table_name::regclass, v_row);
    end loop;
    v_counts := v_counts || jsonb_build_object(v_declared.table_name, v_count);
  end loop;
  return jsonb_build_object('user_id', v_user, 'rows', v_counts);
end
$$;

comment on function private.import_account(jsonb) is 'Restores an account from its export: the account without a password, and the rows of the tables that are declared as restored.';
grant execute on function private.import_account(jsonb) to service_role;
-- end file

-- file: sql/functions/private/may_delete_user.sql
-- Definer: reads who holds which permission. Noted here, since what comes next is done by the service: who it was that erased. Not whom,
-- which the erasure would blank, and the actor with it.
create or replace function private.may_delete_user(p_user_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.require_user();
  perform private.require_permission('users.delete');
  perform private.require_not_above(p_user_id);
  perform private.check_erasable(p_user_id);
  if not exists (select from auth.users as u where u.id = p_user_id) then
    raise sqlstate 'PT404' using
      message = 'There is no such account.', detail = 'ACCOUNT_NOT_FOUND', hint = 'Check the id.';
  end if;
  perform private.note_event('account.erasure');
end
$$;

comment on function private.may_delete_user(uuid) is 'Refuses a caller who may not delete this account.';
grant execute on function private.may_delete_user(uuid) to authenticated;
-- end file

-- file: sql/functions/private/may_create_user.sql
-- Definer: reads who holds which permission. The role is asked for before there is an account, so that nothing has to be undone.
create or replace function private.may_create_user(p_role text default null)
returns void
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  perform private.require_user();
  perform private.require_permission('users.write');
  if p_role is not null then
    perform private.require_permission('roles.grant');
    perform private.require_grantable(p_role, 'infinity');
  end if;
end
$$;

comment on function private.may_create_user(text) is 'Refuses a caller who may not make accounts, or not with this role.';
grant execute on function private.may_create_user(text) to authenticated;
-- end file

-- file: sql/functions/public/check_erasable.sql
create or replace function public.check_erasable(p_user_id uuid)
returns void
language sql
stable
security invoker
set search_path = ''
return private.check_erasable(p_user_id);

comment on function public.check_erasable(uuid) is
  E'Can this person be erased? (secret key)\n\nAnswers nothing, or refuses. Refusal: LAST_ADMIN.';
grant execute on function public.check_erasable(uuid) to service_role;
-- end file

-- file: sql/functions/public/request_deletion.sql
create or replace function public.request_deletion(p_reason text default null)
returns public.deletion_requests
language sql
volatile
security invoker
set search_path = ''
return private.request_deletion(p_reason);

comment on function public.request_deletion(text) is
  E'Ask for my account to be deleted\n\nIt is erased with all its data at `due_at`; until then cancel_deletion() takes it back. Asking again changes nothing. Refusals: REASON_TOO_LONG, LAST_ADMIN, ACCOUNT_NOT_FOUND, NOT_SIGNED_IN.';
grant execute on function public.request_deletion(text) to authenticated;
-- end file

-- file: sql/functions/public/cancel_deletion.sql
create or replace function public.cancel_deletion()
returns public.deletion_requests
language sql
volatile
security invoker
set search_path = ''
return private.cancel_deletion();

comment on function public.cancel_deletion() is
  E'Keep my account after all\n\nRefusals: DELETION_NOT_REQUESTED, NOT_SIGNED_IN.';
grant execute on function public.cancel_deletion() to authenticated;
-- end file

-- file: sql/functions/public/my_deletion_request.sql
create or replace function public.my_deletion_request()
returns setof public.deletion_requests
language sql
stable
security invoker
set search_path = ''
begin atomic
  select d.* from public.deletion_requests as d where d.user_id = (select auth.uid());
end;

comment on function public.my_deletion_request() is E'How my deletion stands\n\nNo row when it was never asked for.';
grant execute on function public.my_deletion_request() to authenticated;
-- end file

-- file: sql/functions/public/request_export.sql
create or replace function public.request_export()
returns jsonb
language sql
volatile
security invoker
set search_path = ''
return private.request_export();

comment on function public.request_export() is
  E'Everything held about me\n\nOne document with all my rows, what they are and what is left out. Tables with `complete = false` are continued by export_page(). A few times a day. Refusals: EXPORT_LIMIT_REACHED, ACCOUNT_NOT_FOUND, NOT_SIGNED_IN.';
grant execute on function public.request_export() to authenticated;
-- end file

-- file: sql/functions/public/export_page.sql
create or replace function public.export_page(p_export_id uuid, p_table text, p_after jsonb)
returns jsonb
language sql
stable
security invoker
set search_path = ''
return private.export_page(p_export_id, p_table, p_after);

comment on function public.export_page(uuid, text, jsonb) is
  E'More rows of my export\n\nThe rows of p_table behind the row p_after, the last one I have; an empty list is the end. Refusals: EXPORT_NOT_FOUND, EXPORT_PAGE_UNKNOWN, SESSION_REQUIRED, NOT_SIGNED_IN.';
grant execute on function public.export_page(uuid, text, jsonb) to authenticated;
-- end file

-- file: sql/functions/public/import_account.sql
create or replace function public.import_account(p_document jsonb)
returns jsonb
language sql
volatile
security invoker
set search_path = ''
set statement_timeout = '5min'
return private.import_account(p_document);

comment on function public.import_account(jsonb) is
  E'Restore an account from its export (secret key)\n\nThe account has no password then. Refusals: IMPORT_REFUSED, ACCOUNT_EXISTS, EMAIL_INVALID.';
grant execute on function public.import_account(jsonb) to service_role;
-- end file

-- file: sql/functions/public/make_account.sql
create or replace function public.make_account(p_account jsonb, p_password text default null)
returns uuid
language sql
volatile
security invoker
set search_path = ''
return private.make_account(p_account, p_password);

comment on function public.make_account(jsonb, text) is
  E'Make an account where Auth has no admin API (secret key)\n\nRefusals: EMAIL_INVALID, PASSWORD_INVALID, ACCOUNT_EXISTS.';
grant execute on function public.make_account(jsonb, text) to service_role;
-- end file

-- file: sql/functions/public/erase_user.sql
create or replace function public.erase_user(p_user_id uuid, p_cause text default 'admin')
returns private.erasures
language sql
volatile
security invoker
set search_path = ''
set statement_timeout = '10min'
return private.erase_user(p_user_id, p_cause);

comment on function public.erase_user(uuid, text) is
  E'Erase a person (secret key)\n\nFrom every table, in one transaction, and then looks for what is left. NULL when there is nobody. Refusals: STORAGE_NOT_EMPTY.';
grant execute on function public.erase_user(uuid, text) to service_role;
-- end file

-- file: sql/functions/public/owned_objects.sql
create or replace function public.owned_objects(p_user_id uuid)
returns setof public.owned_object
language sql
stable
security invoker
set search_path = ''
begin atomic
  select * from private.owned_objects(p_user_id);
end;

comment on function public.owned_objects(uuid) is E'The files of a person (secret key)\n\nThose they uploaded, and those in a folder of their id that nobody else did.';
grant execute on function public.owned_objects(uuid) to service_role;
-- end file

-- file: sql/functions/public/due_deletions.sql
create or replace function public.due_deletions(p_limit integer default 20)
returns table (user_id uuid, has_files boolean)
language sql
stable
security invoker
set search_path = ''
begin atomic
  select * from private.due_deletions(p_limit);
end;

comment on function public.due_deletions(integer) is E'Whose grace period is over (secret key)\n\nAt most 100; those that failed lately wait.';
grant execute on function public.due_deletions(integer) to service_role;
-- end file

-- file: sql/functions/public/note_deletion_failure.sql
create or replace function public.note_deletion_failure(p_user_id uuid, p_error text)
returns void
language sql
volatile
security invoker
set search_path = ''
return private.note_deletion_failure(p_user_id, p_error);

comment on function public.note_deletion_failure(uuid, text) is
  E'Note that a due deletion failed (secret key)\n\nIt is tried again, ever later; the error is the operator''s to read.';
grant execute on function public.note_deletion_failure(uuid, text) to service_role;
-- end file

-- file: sql/functions/public/may_delete_user.sql
create or replace function public.may_delete_user(p_user_id uuid)
returns void
language sql
volatile
security invoker
set search_path = ''
return private.may_delete_user(p_user_id);

comment on function public.may_delete_user(uuid) is
  E'May I delete this account?\n\nAnswers nothing, or refuses. Refusals: PERMISSION_DENIED, ABOVE_YOURSELF, LAST_ADMIN, ACCOUNT_NOT_FOUND, NOT_SIGNED_IN.';
grant execute on function public.may_delete_user(uuid) to authenticated;
-- end file

-- file: sql/functions/public/may_create_user.sql
create or replace function public.may_create_user(p_role text default null)
returns void
language sql
stable
security invoker
set search_path = ''
return private.may_create_user(p_role);

comment on function public.may_create_user(text) is
  E'May I make accounts?\n\nAnswers nothing, or refuses; p_role: with that role at once. Refusals: PERMISSION_DENIED, ROLE_NOT_FOUND, ABOVE_YOURSELF, GRANT_OUTLASTS_YOURS, NOT_SIGNED_IN.';
grant execute on function public.may_create_user(text) to authenticated;
-- end file

do $$
begin
  if to_regprocedure('cron.schedule(text, text, text)') is not null then
    perform cron.schedule('rowcast-deletions', '*/5 * * * *', 'select private.run_due_deletions()');
  end if;
end
$$;

-- Sign-ins and what judges them.
insert into private.personal_data (table_name, column_name, on_erase, is_exported, is_restored, left_out, reason)
values
(
  'public.login_events', 'user_id', 'erase', true, false,
  '{"ip_hash": "Says nothing without the key.", "device_hash": "Says nothing without the key."}',
  'When and whence the person signed in. It is what happened here, so a document does not bring it back.'
);

insert into private.personal_data (table_name, column_name, on_erase, reason)
values
('private.ip_networks', '', 'none', 'Where networks are, from a public file.'),
('private.sign_in_policy', '', 'none', 'The threshold of alarms, and how long sign-ins are kept.');

-- Keys and limits.
insert into private.personal_data (table_name, column_name, on_erase, is_exported, is_restored, left_out, reason)
values
(
  'private.api_keys', 'user_id', 'erase', true, false, '{"digest": "It stands for the key, which is a secret."}',
  'API keys. They end with the account, and are not restored: make new ones.'
);

insert into private.personal_data (table_name, column_name, on_erase, matches, reason)
values
('private.rate_buckets', 'caller', 'erase', 't.caller = $1::text', 'How often the person asked lately; gone within minutes.');

insert into private.personal_data (table_name, column_name, on_erase, blank, reason)
values
('private.rate_limits', 'updated_by', 'anonymise', '{"updated_by": "null"}', 'Limits that this person set. They stay, without the name.');
