-- Purpose: who did what to whom and when: an append-only log in monthly partitions, whose entries are chained by hash.
-- Locks and risks: SHARE ROW EXCLUSIVE for an instant on the tables that are audited from now on.
-- Undo: drop triggers _900_audit and _901_audit_truncate on the tables named at the end; unschedule rowcast-audit; drop the tables,
-- types and functions below.

-- One row for each entry. Nobody has a right on it but the owner, and the trigger below holds the owner too.
-- What may name a person stands in the columns from actor_id on, and is blanked together with its salt by private.redact_audit.
-- Deliberately absent: foreign keys to auth.users. An entry outlives the account, until it is redacted.
create table private.audit_log (
  id bigint generated always as identity,
  created_at timestamptz not null default now(),
  actor_role text not null,
  action text not null,
  table_name text,
  salt uuid,
  actor_id uuid,
  subject_id uuid,
  row_key text,
  old_values jsonb,
  new_values jsonb,
  request_id text,
  constraint audit_log_pkey primary key (created_at, id),
  constraint audit_log_salt_check check (
    salt is not null or num_nonnulls(actor_id, subject_id, row_key, old_values, new_values, request_id) = 0
  )
) partition by range (created_at);

create table private.audit_log_default partition of private.audit_log default;

comment on table private.audit_log is E'What was done, to what, and by whom.\n\nAppend-only; read through audit_trail.';
comment on column private.audit_log.created_at is 'When its transaction began.';
comment on column private.audit_log.actor_role is 'The roles that the actor held then; else the request''s or the session''s role.';
comment on column private.audit_log.action is 'insert, update, delete, truncate, or a named event.';
comment on column private.audit_log.salt is 'Of the digest of the columns after it. NULL: the entry is redacted.';
comment on column private.audit_log.actor_id is 'Whose token it was; NULL for an operator or a server.';
comment on column private.audit_log.subject_id is 'The person whom it is about, and who may read it.';
comment on column private.audit_log.row_key is 'The row''s key as text, its columns joined by a comma.';
comment on column private.audit_log.old_values is 'The row before it; of an update what changed only.';
comment on column private.audit_log.new_values is 'The row after it; of an update what changed only. Of an event its details.';
comment on column private.audit_log.request_id is 'The request''s header x-request-id.';

-- A page of audit_trail is read from the end of one of these.
create index audit_log_subject_id_idx on private.audit_log (subject_id, created_at desc, id desc) where subject_id is not null;
create index audit_log_actor_id_idx on private.audit_log (actor_id, created_at desc, id desc) where actor_id is not null;
create index audit_log_table_name_idx on private.audit_log (table_name, created_at desc, id desc);
create index audit_log_action_idx on private.audit_log (action, created_at desc, id desc);

-- The chains, up to eight a month: each link hashes the one before it and its entry. Apart from the entries, so that neither is ever
-- updated to take the other in. One table for all months, so that the end of a chain is one step in one index.
create table private.audit_links (
  month date not null,
  lane smallint not null constraint audit_links_lane_check check (lane between 0 and 7),
  position bigint not null,
  entry_id bigint not null constraint audit_links_entry_id_key unique,
  digest bytea not null,
  hash bytea not null,
  constraint audit_links_pkey primary key (month, lane, position)
);

comment on table private.audit_links is 'The hash chain of the audit log''s entries. See private.check_audit.';
comment on column private.audit_links.lane is 'Which of the month''s chains; see private.audit_lane.';
comment on column private.audit_links.digest is 'Of the part of the entry that can be redacted, salted.';
comment on column private.audit_links.hash is 'Of the link before, the digest, and the part of the entry that stays.';

alter table private.audit_log enable row level security;
alter table private.audit_log_default enable row level security;
alter table private.audit_links enable row level security;

create type public.audit_entry as (
  id bigint, created_at timestamptz, action text, table_name text, row_key text, subject_id uuid, actor_id uuid, actor_role text,
  old_values jsonb, new_values jsonb, request_id text, is_redacted boolean
);
comment on type public.audit_entry is 'An entry of the audit log, as far as its reader may see it.';

create type public.audit_chain as (
  month text, entries bigint, redacted bigint, ok boolean, first_broken bigint, problem text, head text
);
comment on type public.audit_chain is 'Whether a month of the audit log is as it was written.';

-- file: sql/functions/private/audit_month.sql
create or replace function private.audit_month(p_moment timestamptz)
returns date
language sql
immutable
security invoker
set search_path = ''
return date_trunc('month', p_moment at time zone 'UTC')::date;

comment on function private.audit_month(timestamptz) is 'The month whose partition and chain an audit entry belongs to, in UTC.';
-- end file

-- file: sql/functions/private/audit_lane.sql
-- A commit holds its lane until it is on disk, and lanes let commits go to disk together. The lowest free one is taken, so that a quiet
-- month is one chain. Only who holds none waits; who holds one finds it free, as it is his own. So there is no deadlock.
create or replace function private.audit_lane()
returns smallint
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_lane integer;
begin
  -- The first number has no meaning but its own: the audit log's.
  for v_lane in 0 .. 7 loop
    if pg_try_advisory_xact_lock(1096107092, v_lane) then
      return v_lane;
    end if;
  end loop;
  v_lane := pg_backend_pid() % 8;
  perform pg_advisory_xact_lock(1096107092, v_lane);
  return v_lane;
end
$$;

comment on function private.audit_lane() is 'Takes one of the audit log''s eight lanes until the transaction ends.';
-- end file

-- file: sql/functions/private/audit_genesis.sql
create or replace function private.audit_genesis(p_month date, p_lane smallint)
returns bytea
language sql
immutable
security invoker
set search_path = ''
return sha256(convert_to(format('rowcast audit %s %s', p_month - date '2000-01-01', p_lane), 'UTF8'));

comment on function private.audit_genesis(date, smallint) is 'What a chain''s first link follows, so that no chain can pass for another.';
-- end file

-- file: sql/functions/private/audit_digest.sql
-- What is said of people, salted: once content and salt are blanked, the digest gives nothing away, and the chain still holds.
create or replace function private.audit_digest(
  p_salt uuid, p_actor_id uuid, p_subject_id uuid, p_row_key text, p_old_values jsonb, p_new_values jsonb, p_request_id text
)
returns bytea
language plpgsql
immutable
security invoker
set search_path = ''
as $$
begin
  return sha256(uuid_send(p_salt) || convert_to(
    jsonb_build_array(p_actor_id, p_subject_id, p_row_key, p_old_values, p_new_values, p_request_id)::text, 'UTF8'
  ));
end
$$;

comment on function private.audit_digest(uuid, uuid, uuid, text, jsonb, jsonb, text) is
  'Salted SHA-256 of the part of an audit entry that can be redacted.';
-- end file

-- file: sql/functions/private/audit_hash.sql
-- What stays of an entry when it is redacted is hashed here as it stands. The moment goes in as a number, for its text depends on
-- the session's time zone.
create or replace function private.audit_hash(
  p_previous bytea, p_digest bytea, p_id bigint, p_created_at timestamptz, p_actor_role text, p_action text, p_table_name text
)
returns bytea
language plpgsql
immutable
security invoker
set search_path = ''
as $$
begin
  return sha256(p_previous || p_digest || convert_to(
    jsonb_build_array(p_id, extract(epoch from p_created_at), p_actor_role, p_action, p_table_name)::text, 'UTF8'
  ));
end
$$;

comment on function private.audit_hash(bytea, bytea, bigint, timestamptz, text, text, text) is
  'Hash of one link of the audit log: of the link before it and of its entry.';
-- end file

-- file: sql/functions/private/audit_head.sql
-- The head of a month is that of all its chains: how long each is, without the zeros at the end, and one hash over their last links.
create or replace function private.audit_head(p_month date, p_positions bigint[] default null)
returns text
language sql
stable
security invoker
set search_path = ''
as $$
  select format(
    '%s-%s:%s:%s', lpad(extract(year from p_month)::text, 4, '0'), lpad(extract(month from p_month)::text, 2, '0'),
    regexp_replace(string_agg(coalesce(h.position, 0)::text, '.' order by n.lane), '([.]0)+$', ''),
    encode(sha256(coalesce(string_agg(h.hash, '' order by n.lane), '')), 'hex')
  )
  from generate_series(0, 7) as n (lane)
  left join lateral (
    select l.position, l.hash
    from private.audit_links as l
    where l.month = p_month and l.lane = n.lane and (p_positions is null or l.position = p_positions[n.lane + 1])
    order by l.position desc
    limit 1
  ) as h on true
$$;

comment on function private.audit_head(date, bigint[]) is
  'The end of a month''s chains as people keep it, month:entries:hash; or what it was when they had so many entries.';
-- end file

-- file: sql/functions/private/audit_heads.sql
-- Steps from month to month in the index; the links between are not read.
create or replace function private.audit_heads()
returns table (month date, head text)
language sql
stable
security invoker
set search_path = ''
begin atomic
  with recursive months as (
    select min(l.month) as month from private.audit_links as l
    union all
    select (select min(l.month) from private.audit_links as l where l.month > m.month) from months as m where m.month is not null
  )

  select m.month, private.audit_head(m.month) from months as m where m.month is not null order by m.month;
end;

comment on function private.audit_heads() is 'The head of each month as it is now.';
-- end file

-- file: sql/functions/private/audit_values.sql
-- The log is no second store: a long value is told by its length and hash, a hidden one not at all.
create or replace function private.audit_values(p_values jsonb, p_hide text[])
returns jsonb
language plpgsql
immutable
security invoker
set search_path = ''
as $$
begin
  if p_values ?| p_hide then
    select jsonb_object_agg(v.key, case when v.key = any (p_hide) then '"(hidden)"' else v.value end) into p_values
    from jsonb_each(p_values) as v;
  end if;
  if octet_length(p_values::text) > 8000 then
    select jsonb_object_agg(v.key, case when octet_length(v.value::text) <= 1000 then v.value else jsonb_build_object(
      'bytes', octet_length(v.value::text), 'sha256', encode(sha256(convert_to(v.value::text, 'UTF8')), 'hex')
    ) end) into p_values
    from jsonb_each(p_values) as v;
  end if;
  return p_values;
end
$$;

comment on function private.audit_values(jsonb, text[]) is 'A row''s values as the audit log keeps them: hidden columns masked, long values by length and hash.';
-- end file

-- file: sql/functions/private/append_audit.sql
-- Called by functions that run as the owner; no role of the API may. The actor is the token's, whatever role a function runs as.
-- Under an API key nobody holds a role. p_nameless leaves out who acted: the record of a redaction must not name the person again.
create or replace function private.append_audit(
  p_action text,
  p_table_name text default null,
  p_row_key text default null,
  p_subject_id uuid default null,
  p_old_values jsonb default null,
  p_new_values jsonb default null,
  p_nameless boolean default false
)
returns void
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_actor constant uuid := auth.uid();
  v_headers constant text := current_setting('request.headers', true);
  v_request text;
  v_roles text;
begin
  if v_headers is json object and not p_nameless then
    v_request := v_headers::json ->> 'x-request-id';
    -- The caller writes it: no text, and no account's id, which would outlive the person. So short, it holds one at most.
    if (v_request ~ '^[A-Za-z0-9._:=-]{1,64}$') is not true or exists (
      select from auth.users as u
      where u.id = substring(v_request from '[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}')::uuid
    ) then
      v_request := null;
    end if;
  end if;
  if auth.jwt() ->> 'api_key_id' is not null then
    v_roles := 'api key';
  elsif v_actor is not null then
    select string_agg(u.role, ', ' order by u.role) into v_roles
    from public.user_roles as u
    where u.user_id = v_actor and (u.expires_at is null or u.expires_at > now());
  end if;
  insert into private.audit_log (
    actor_role, action, table_name, salt, actor_id, subject_id, row_key, old_values, new_values, request_id
  )
  values (
    coalesce(v_roles, auth.role(), session_user), p_action, p_table_name, gen_random_uuid(),
    case when not p_nameless then v_actor end, p_subject_id, p_row_key, p_old_values, p_new_values, v_request
  );
end
$$;

comment on function private.append_audit(text, text, text, uuid, jsonb, jsonb, boolean) is 'Adds one entry to the audit log.';
-- end file

-- file: sql/functions/private/note_event.sql
-- For what happens without a write to an audited table: an export, a sign-out everywhere. Called by functions that run as the owner.
create or replace function private.note_event(p_action text, p_subject_id uuid default null, p_details jsonb default null)
returns void
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  -- The log's own events are what verifying relies on.
  if p_action in ('insert', 'update', 'delete', 'truncate') or p_action ~ '^audit[.]' or p_action !~ '^[a-z][a-z0-9_.]{0,62}$'
    or jsonb_typeof(p_details) <> 'object' then
    raise exception 'no event: % with %', p_action, left(p_details::text, 100) using
      detail = 'AUDIT_NO_EVENT', hint = 'An event is a name like export.requested, and its details are a JSON object.';
  end if;
  perform private.append_audit(
    p_action, p_subject_id => p_subject_id, p_new_values => private.audit_values(p_details, '{}')
  );
end
$$;

comment on function private.note_event(text, uuid, jsonb) is
  E'Note something in the audit log that is no write to an audited table\n\np_subject_id: whom it is about, who may read it.';
-- end file

-- file: sql/functions/private/tg_audited__note.sql
-- Definer: whoever writes an audited table may not write the log. Attached by private.audit only, whose arguments it takes: the key's
-- columns, the subject's column, columns to hide and to ignore. An update that changes nothing else leaves no entry.
create or replace function private.tg_audited__note()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_hide constant text[] := tg_argv[2];
  v_ignore constant text[] := tg_argv[3];
  v_before constant jsonb := to_jsonb(old);
  v_after constant jsonb := to_jsonb(new);
  v_old jsonb := v_before - v_ignore;
  v_new jsonb := v_after - v_ignore;
  v_key text;
begin
  if tg_op = 'UPDATE' then
    if v_old = v_new then
      return null;
    end if;
    select jsonb_object_agg(o.key, o.value), jsonb_object_agg(o.key, v_new -> o.key) into v_old, v_new
    from jsonb_each(v_old) as o
    where o.value is distinct from v_new -> o.key;
  end if;
  -- A row goes by the key under which it was known; the new one stands among what changed.
  select string_agg(coalesce(v_before, v_after) ->> k.name, ',' order by k.ordinality) into v_key
  from unnest(tg_argv[0]::text[]) with ordinality as k (name, ordinality);
  perform private.append_audit(
    lower(tg_op), format('%s.%s', tg_table_schema, tg_table_name), v_key,
    (coalesce(v_after, v_before) ->> tg_argv[1])::uuid,
    private.audit_values(v_old, v_hide), private.audit_values(v_new, v_hide)
  );
  return null;
end
$$;

comment on function private.tg_audited__note() is 'Notes what happened to a row of an audited table.';
-- end file

-- file: sql/functions/private/audit.sql
create or replace function private.audit(
  p_table regclass,
  p_key text default null,
  p_subject text default null,
  p_hide text[] default '{}',
  p_ignore text[] default '{}'
)
returns void
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_key text[] := string_to_array(replace(p_key, ' ', ''), ',');
  v_missing text;
begin
  if v_key is null then
    select array_agg(a.attname::text order by array_position(i.indkey::smallint[], a.attnum)) into v_key
    from pg_index as i
    join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
    where i.indrelid = p_table and i.indisprimary;
  end if;
  if v_key is null then
    raise exception '% has no primary key', p_table using detail = 'AUDIT_NO_KEY', hint = 'Name its key: p_key => ''a,b''.';
  end if;
  select string_agg(c.name, ', ') into v_missing
  from unnest(v_key || p_hide || p_ignore || p_subject) as c (name)
  where c.name is not null and not exists (
    select from pg_attribute as a
    where a.attrelid = p_table and a.attname = c.name and a.attnum > 0 and not a.attisdropped
      and (c.name is distinct from p_subject or a.atttypid = 'uuid'::regtype)
  );
  if v_missing is not null then
    raise exception '% has no column %', p_table, v_missing using
      detail = 'AUDIT_NO_COLUMN', hint = 'The subject''s column is a uuid.';
  end if;

  execute format(
    'create or replace trigger _900_audit after insert or update or delete on %s
     for each row execute function private.tg_audited__note(%L, %L, %L, %L)',
    p_table, v_key, coalesce(p_subject, ''), p_hide, p_ignore
  );
  execute format(
    'create or replace trigger _901_audit_truncate after truncate on %s
     for each statement execute function private.tg_audited__note(%L, %L, %L, %L)',
    p_table, v_key, coalesce(p_subject, ''), p_hide, p_ignore
  );
end
$$;

comment on function private.audit(regclass, text, text, text[], text[]) is
  E'Note every change of a table in the audit log\n\nCall it in a migration; the same call again changes nothing, a changed one replaces the old. p_key: the columns that name a row, else its primary key. p_subject: the uuid column that names the person whom a row is about, who may read the entry. p_hide: columns of which only the change is noted. p_ignore: columns that are left out altogether.';
-- end file

-- file: sql/functions/private/tg_audit_log__link.sql
-- Definer: fires at the commit, under the role of whoever wrote.
-- Deferred to the commit, where a transaction holds all the row locks that it will ever hold: it may wait for a lane, but nobody who
-- holds a lane waits for it.
-- NEW is the row as it was inserted, also when it was redacted since in the same transaction.
create or replace function private.tg_audit_log__link()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_month constant date := private.audit_month(new.created_at);
  v_digest constant bytea := private.audit_digest(
    new.salt, new.actor_id, new.subject_id, new.row_key, new.old_values, new.new_values, new.request_id
  );
  v_lane constant smallint := private.audit_lane();
  v_position bigint;
  v_hash bytea;
begin
  select l.position, l.hash into v_position, v_hash
  from private.audit_links as l
  where l.month = v_month and l.lane = v_lane
  order by l.position desc
  limit 1;
  insert into private.audit_links (month, lane, position, entry_id, digest, hash)
  values (
    v_month, v_lane, coalesce(v_position, 0) + 1, new.id, v_digest, private.audit_hash(
      coalesce(v_hash, private.audit_genesis(v_month, v_lane)), v_digest, new.id, new.created_at, new.actor_role, new.action, new.table_name
    )
  )
  on conflict do nothing;
  -- Only a snapshot that is older than the chain's head, as `repeatable read` keeps one, comes here.
  if not found then
    raise serialization_failure using
      message = 'another transaction wrote to the audit log since this one began', hint = 'Try the transaction again.';
  end if;
  return null;
end
$$;

comment on function private.tg_audit_log__link() is 'Adds an entry to its month''s chain when its transaction commits.';
-- end file

-- file: sql/functions/private/tg_audit_log__guard.sql
-- Holds for the owner too, by mistake at least: what somebody does who takes the trigger away is found by private.check_audit.
create or replace function private.tg_audit_log__guard()
returns trigger
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  -- A redaction blanks everything that may name a person, and nothing else.
  if tg_op = 'UPDATE' and old.salt is not null and new.salt is null
    and (new.id, new.created_at, new.actor_role, new.action, new.table_name)
    is not distinct from (old.id, old.created_at, old.actor_role, old.action, old.table_name) then
    return new;
  end if;
  raise insufficient_privilege using
    message = 'The audit log is append-only.', detail = 'AUDIT_APPEND_ONLY', hint = 'private.redact_audit() blanks a person''s entries.';
end
$$;

comment on function private.tg_audit_log__guard() is 'Refuses every change of the audit log but a redaction.';
-- end file

-- file: sql/functions/private/tg_audit_links__guard.sql
create or replace function private.tg_audit_links__guard()
returns trigger
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  -- Of a month whose partition retention has dropped.
  if tg_op = 'DELETE' then
    if to_regclass('private.audit_log_' || to_char(old.month, 'YYYYMM')) is null then
      return old;
    end if;
  end if;
  raise insufficient_privilege using
    message = 'The audit log is append-only.', detail = 'AUDIT_APPEND_ONLY', hint = 'private.maintain_audit() drops what is past its keep.';
end
$$;

comment on function private.tg_audit_links__guard() is 'Refuses every change of the chain, but that a month goes when its partition went.';
-- end file

-- file: sql/functions/private/make_audit_partition.sql
create or replace function private.make_audit_partition(p_month date)
returns void
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_name constant text := 'audit_log_' || to_char(p_month, 'YYYYMM');
  v_from constant timestamptz := p_month::timestamp at time zone 'UTC';
  v_to constant timestamptz := (p_month + interval '1 month') at time zone 'UTC';
begin
  if to_regclass('private.' || v_name) is not null or exists (
    select from private.audit_log_default as d where d.created_at >= v_from and d.created_at < v_to
  ) then
    return;
  end if;
  execute format('create table private.%I (like private.audit_log including all excluding identity)', v_name);
  execute format('alter table private.%I enable row level security', v_name);
  execute format(
    'create trigger _101_guard_truncate before truncate on private.%I for each statement execute function private.tg_audit_log__guard()',
    v_name
  );
  execute format('alter table private.audit_log attach partition private.%I for values from (%L) to (%L)', v_name, v_from, v_to);
end
$$;

comment on function private.make_audit_partition(date) is 'Makes the audit log''s partition of a month, unless there is one.';
-- end file

-- file: sql/functions/private/maintain_audit.sql
-- Runs hourly. Partitions are made two months ahead, and attached, which stops no writer; a month with entries in the default
-- partition is left to it. To drop one takes a lock that writers wait for: it waits for three seconds at most, and an hour later again.
-- Retention is itself an entry, so that private.check_audit tells it from a vandal's drop; so is, once a day, the head of every month.
create or replace function private.maintain_audit(p_keep_months integer default 24)
returns void
language plpgsql
volatile
security invoker
set search_path = ''
set lock_timeout = '3s'
as $$
declare
  v_this constant date := private.audit_month(now());
  v_month date;
  v_name text;
begin
  for v_month in select (v_this + make_interval(months => m))::date from generate_series(0, 2) as m loop
    perform private.make_audit_partition(v_month);
  end loop;

  for v_name, v_month in
    select c.relname, to_date(right(c.relname, 6), 'YYYYMM')
    from pg_inherits as i join pg_class as c on c.oid = i.inhrelid
    where i.inhparent = 'private.audit_log'::regclass
      and c.relname ~ '^audit_log_[0-9]{6}$'
      and to_date(right(c.relname, 6), 'YYYYMM') < v_this - make_interval(months => p_keep_months)
    order by 2
  loop
    begin
      execute format('drop table private.%I', v_name);
      perform private.append_audit('audit.dropped', p_new_values => jsonb_build_object('head', h.head))
      from private.audit_heads() as h
      where h.month = v_month;
      delete from private.audit_links where month = v_month;
    exception when lock_not_available then
      raise warning '% is busy, and is dropped another time', v_name;
    end;
  end loop;

  if not exists (
    select from private.audit_log as a where a.action = 'audit.checkpoint' and a.created_at > now() - interval '1 day'
  ) then
    perform private.append_audit('audit.checkpoint', p_new_values => jsonb_build_object('heads', jsonb_agg(h.head)))
    from private.audit_heads() as h
    having count(*) > 0;
  end if;
end
$$;

comment on function private.maintain_audit(integer) is
  'Makes the audit log''s next partitions, drops those past their keep, and notes the heads of its months once a day.';
-- end file

-- file: sql/functions/private/redact_audit.sql
-- Called by what erases an account, in the transaction that does and after it, so that the entries of the erasure are among them.
-- The log is read from end to end. What the log notes of itself names nobody and is never blanked. Nor is an entry because its request's
-- id names the person: callers choose that, and would blank their own deeds by erasing an account whose id they sent with each.
create or replace function private.redact_audit(p_user_id uuid, p_traces text[] default '{}')
returns bigint
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_traces text[];
  v_found bigint;
begin
  if exists (select from unnest(p_traces) as t where length(t) < 5) then
    raise exception 'a trace of less than five characters would be found everywhere' using
      detail = 'AUDIT_TRACE_TOO_SHORT', hint = 'Give e-mail addresses and the like.';
  end if;
  -- Each as it stands in text and as JSON writes it.
  select array_agg(distinct x.trace) into v_traces
  from (
    select lower(t.trace) as trace
    from (
      select unnest(p_traces || array[p_user_id::text, replace(p_user_id::text, '-', '')])
      union all
      select u.email from auth.users as u where u.id = p_user_id and u.email <> ''
    ) as t (trace)
  ) as t
  cross join lateral (values (t.trace), (btrim(to_jsonb(t.trace)::text, '"'))) as x (trace);

  with redacted as (
    update private.audit_log as a set
      salt = null, actor_id = null, subject_id = null, row_key = null, old_values = null, new_values = null, request_id = null
    where a.salt is not null and a.action not like 'audit.%' and (
      p_user_id in (a.actor_id, a.subject_id) or exists (
        select from unnest(v_traces) as t (trace)
        where strpos(lower(concat_ws(' ', a.row_key, a.old_values, a.new_values)), t.trace) > 0
      )
    )
    returning a.id, a.created_at
  ), noted as (
    select count(*) as entries, private.append_audit(
      'audit.redacted', p_new_values => jsonb_build_object('entries', jsonb_agg(r.id order by r.id)), p_nameless => true
    )
    from redacted as r
    group by private.audit_month(r.created_at)
  )
  select coalesce(sum(n.entries), 0) into v_found from noted as n;
  return v_found;
end
$$;

comment on function private.redact_audit(uuid, text[]) is
  E'Blank every audit entry by, about or mentioning a person; how many\n\np_traces: texts besides the id and the account''s present e-mail, such as the e-mail when the account is gone already. Each redaction is itself an entry, which names entries and nobody.';
-- end file

-- file: sql/functions/private/check_audit.sql
-- One statement, so one snapshot: an entry and its link appear together. Each link is compared with the one before it as it stands,
-- which needs no loop: a changed one differs from its own hash, or the next from its.
-- Heads come from whoever keeps them and from the log's own daily checkpoints. A month that is gone is in order only where the log
-- notes that retention dropped it, and a blank entry only where the log notes its redaction.
create or replace function private.check_audit(p_heads text[] default '{}', p_month date default null)
returns setof public.audit_chain
language plpgsql
stable
security invoker
set search_path = ''
set plan_cache_mode = force_custom_plan
set timezone = 'UTC'
set work_mem = '32MB'
as $$
declare
  v_month constant date := date_trunc('month', p_month);
begin
  if exists (
    select from unnest(p_heads) as h
    where (h ~ '^[0-9]{4}-(0[1-9]|1[0-2]):[0-9]{1,18}([.][0-9]{1,18}){0,7}:[0-9a-f]{64}$' and h !~ '^0000') is not true
  ) then
    raise sqlstate 'PT422' using
      message = 'A head is no head.', detail = 'AUDIT_HEAD_MALFORMED', hint = 'Give it as it was printed: 2026-11:1234:<64 hex digits>.';
  end if;

  return query
  with own as materialized (
    -- What the log notes of itself, where the entry is as it was linked.
    select a.action, a.new_values
    from private.audit_log as a
    join private.audit_links as l on l.entry_id = a.id
    where a.action in ('audit.checkpoint', 'audit.redacted', 'audit.dropped') and a.salt is not null
      and l.digest = private.audit_digest(a.salt, a.actor_id, a.subject_id, a.row_key, a.old_values, a.new_values, a.request_id)
  ), redacted as materialized (
    select distinct e.id::bigint as id
    from own as o cross join lateral jsonb_array_elements_text(o.new_values -> 'entries') as e (id)
    where o.action = 'audit.redacted'
  ), dropped as materialized (
    select
      to_date(split_part(o.new_values ->> 'head', ':', 1), 'YYYY-MM') as month, o.new_values ->> 'head' as head, (
        select sum(n::bigint) from string_to_table(split_part(o.new_values ->> 'head', ':', 2), '.') as n
      ) as entries
    from own as o
    where o.action = 'audit.dropped'
  ), heads as materialized (
    select distinct
      to_date(split_part(x.head, ':', 1), 'YYYY-MM') as month, string_to_array(split_part(x.head, ':', 2), '.')::bigint[] as positions,
      x.head
    from (
      select unnest(p_heads) as head
      union
      select h.head from own as o cross join lateral jsonb_array_elements_text(o.new_values -> 'heads') as h (head)
      where o.action = 'audit.checkpoint'
    ) as x
  ), links as (
    select
      l.*, row_number() over w as place, lag(l.hash, 1, v.genesis) over w as previous
    from (
      select x.month, x.lane, private.audit_genesis(x.month, x.lane) as genesis
      from private.audit_links as x
      where v_month is null or x.month = v_month
      group by x.month, x.lane
    ) as v
    join private.audit_links as l on l.month = v.month and l.lane = v.lane
    window w as (partition by l.month, l.lane order by l.position)
  ), entries as (
    select a.*, date_trunc('month', a.created_at)::date as month
    from private.audit_log as a
    where v_month is null or a.created_at >= v_month and a.created_at < v_month + interval '1 month'
  ), pairs as (
    select
      coalesce(l.month, a.month) as month, coalesce(l.entry_id, a.id) as entry_id, l.lane, l.position,
      l.entry_id is not null and a.id is not null and a.salt is null as is_blank,
      case
        when l.entry_id is null then 'it is not in the chain'
        when l.position <> l.place then 'a link before it is gone'
        when a.id is null then 'it is gone'
        when l.hash is distinct from private.audit_hash(
          l.previous, l.digest, a.id, a.created_at, a.actor_role, a.action, a.table_name
        ) then 'it or its link was changed'
        when a.salt is null then case when r.id is null then 'it was blanked, which no redaction notes' end
        when l.digest is distinct from private.audit_digest(
          a.salt, a.actor_id, a.subject_id, a.row_key, a.old_values, a.new_values, a.request_id
        ) then 'it was changed'
      end as problem
    from links as l
    full join entries as a on a.id = l.entry_id and a.month = l.month
    left join redacted as r on r.id = a.id
  ), chains as (
    select
      p.month, count(*) filter (where p.position is not null) as entries, count(*) filter (where p.is_blank) as redacted,
      (array_agg(p.entry_id order by p.lane, p.position, p.entry_id) filter (where p.problem is not null))[1] as first_broken,
      (array_agg(p.problem order by p.lane, p.position, p.entry_id) filter (where p.problem is not null))[1] as problem
    from pairs as p
    group by p.month
  ), kept as (
    select
      h.month, min(h.head) filter (
        where private.audit_head(h.month, h.positions) <> h.head and not exists (
          select from dropped as d
          where d.month = h.month and not exists (select from private.audit_links as l where l.month = h.month)
            and (d.head = h.head or d.entries > (select sum(n) from unnest(h.positions) as n))
        )
      ) as missing
    from heads as h
    where v_month is null or h.month = v_month
    group by h.month
  )
  select
    to_char(coalesce(c.month, k.month), 'YYYY-MM'), coalesce(c.entries, 0), coalesce(c.redacted, 0),
    c.problem is null and k.missing is null, c.first_broken,
    coalesce(c.problem, case
      when k.missing is null then null
      when c.month is null then 'the month is gone, and retention did not drop it'
      else 'it does not hold the head ' || k.missing
    end),
    case when c.entries > 0 then private.audit_head(c.month) end
  from chains as c
  full join kept as k on k.month = c.month
  where c.month is not null or k.missing is not null or k.month = any (
    select to_date(split_part(h, ':', 1), 'YYYY-MM') from unnest(p_heads) as h
  )
  order by 1;
end
$$;

comment on function private.check_audit(text[], date) is
  'Whether the audit log is as it was written: one row a month, with the head to keep. p_heads: heads kept from earlier. p_month: that month alone.';
-- end file

-- file: sql/functions/private/verify_audit_log.sql
-- Definer: nobody but the owner reads the log. Asks for audit.read.
create or replace function private.verify_audit_log(p_heads text[], p_month date)
returns setof public.audit_chain
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  perform private.require_permission('audit.read');
  if cardinality(p_heads) > 100 then
    raise sqlstate 'PT422' using
      message = 'More than a hundred heads.', detail = 'TOO_MANY_HEADS', hint = 'Give the last one of each month.';
  end if;
  return query select * from private.check_audit(coalesce(p_heads, '{}'), p_month);
end
$$;

comment on function private.verify_audit_log(text[], date) is 'private.check_audit for holders of audit.read.';
grant execute on function private.verify_audit_log(text[], date) to authenticated, service_role;
-- end file

-- file: sql/functions/private/mask_accounts.sql
-- Definer: reads auth.users, which no API role may; says of no id whether it is an account's but by masking it. Not granted.
create or replace function private.mask_accounts(p_values jsonb, p_but uuid)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_text text := p_values::text;
  v_id text;
begin
  for v_id in
    select distinct m[1]
    from regexp_matches(v_text, '([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})', 'g') as m
  loop
    if v_id::uuid <> p_but and exists (select from auth.users as u where u.id = v_id::uuid) then
      v_text := replace(v_text, v_id, '(an account)');
    end if;
  end loop;
  return v_text::jsonb;
end
$$;

comment on function private.mask_accounts(jsonb, uuid) is 'Values without the ids of accounts other than this one.';
-- end file

-- file: sql/functions/private/audit_trail.sql
-- Definer: nobody but the owner reads the log. Holders of audit.read see all of it; anybody else what is about themselves or by
-- themselves: of the first, who did it by role only, and of the second, no more than that they did it, since what they once might
-- see of others they may have lost the right to.
-- Three branches, so that each walks its own index from the end; custom plans, because the arguments decide which.
create or replace function private.audit_trail(
  p_user_id uuid, p_table text, p_action text, p_before timestamptz, p_before_id bigint, p_limit integer
)
returns setof public.audit_entry
language plpgsql
stable
security definer
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
declare
  v_all constant boolean := private.is_service() or private.has_permission('audit.read');
  v_me constant uuid := case when not private.is_service() then private.require_user() end;
  v_user constant uuid := coalesce(p_user_id, case when not v_all then v_me end);
  v_before constant timestamptz := coalesce(p_before, 'infinity');
  v_before_id constant bigint := coalesce(p_before_id, 0);
begin
  if v_all is not true and v_user <> v_me then
    perform private.require_permission('audit.read');
  end if;
  if (p_limit between 1 and 200) is not true then
    raise sqlstate 'PT422' using
      message = 'A page holds 1 to 200 entries.', detail = 'LIMIT_OUT_OF_RANGE', hint = 'Ask for the next with p_before and p_before_id.';
  end if;

  return query
  with found as (
    (
      select a.*
      from private.audit_log as a
      where v_user is null
        and (p_table is null or a.table_name = p_table) and (p_action is null or a.action = p_action)
        and a.created_at <= v_before and (a.created_at, a.id) < (v_before, v_before_id)
      order by a.created_at desc, a.id desc
      limit p_limit
    )
    union all
    (
      select a.*
      from private.audit_log as a
      where a.subject_id = v_user
        and (p_table is null or a.table_name = p_table) and (p_action is null or a.action = p_action)
        and a.created_at <= v_before and (a.created_at, a.id) < (v_before, v_before_id)
      order by a.created_at desc, a.id desc
      limit p_limit
    )
    union all
    (
      select a.*
      from private.audit_log as a
      where a.actor_id = v_user and a.subject_id is distinct from v_user
        and (p_table is null or a.table_name = p_table) and (p_action is null or a.action = p_action)
        and a.created_at <= v_before and (a.created_at, a.id) < (v_before, v_before_id)
      order by a.created_at desc, a.id desc
      limit p_limit
    )
  )
  select
    f.id, f.created_at, f.action, f.table_name,
    case when v_all or f.subject_id = v_me then f.row_key end,
    case when v_all or f.subject_id = v_me then f.subject_id end,
    case when v_all or f.actor_id = v_me then f.actor_id end,
    f.actor_role,
    case when v_all then f.old_values when f.subject_id = v_me then private.mask_accounts(f.old_values, v_me) end,
    case when v_all then f.new_values when f.subject_id = v_me then private.mask_accounts(f.new_values, v_me) end,
    case when v_all or f.actor_id = v_me then f.request_id end,
    f.salt is null
  from found as f
  order by f.created_at desc, f.id desc
  limit p_limit;
end
$$;

comment on function private.audit_trail(uuid, text, text, timestamptz, bigint, integer) is 'A page of the audit log, as far as the caller may see it.';
grant execute on function private.audit_trail(uuid, text, text, timestamptz, bigint, integer) to authenticated, service_role;
-- end file

-- file: sql/functions/public/verify_audit_log.sql
create or replace function public.verify_audit_log(p_heads text[] default '{}', p_month date default null)
returns setof public.audit_chain
language sql
stable
security invoker
set search_path = ''
begin atomic
  select * from private.verify_audit_log(p_heads, p_month);
end;

comment on function public.verify_audit_log(text[], date) is
  E'Verify the audit log\n\nWhether the log is as it was written, one row a month: entries, how many of them are redacted, ok, the first broken entry and what is wrong, and the head to keep. p_heads: heads kept from earlier, against which a cut or rewritten tail shows. p_month: that month alone. Needs audit.read. Refusals: NOT_SIGNED_IN, PERMISSION_DENIED, AUDIT_HEAD_MALFORMED, TOO_MANY_HEADS.';
grant execute on function public.verify_audit_log(text[], date) to authenticated, service_role;
-- end file

-- file: sql/functions/public/audit_trail.sql
create or replace function public.audit_trail(
  p_user_id uuid default null,
  p_table text default null,
  p_action text default null,
  p_before timestamptz default null,
  p_before_id bigint default null,
  p_limit integer default 50
)
returns setof public.audit_entry
language sql
stable
security invoker
set search_path = ''
begin atomic
  select * from private.audit_trail(p_user_id, p_table, p_action, p_before, p_before_id, p_limit);
end;

comment on function public.audit_trail(uuid, text, text, timestamptz, bigint, integer) is
  E'What was done, and by whom\n\nNewest first: entries about me and by me; for holders of audit.read those of p_user_id, or of everybody. Others who acted are shown by their role. p_table is a name with its schema, p_action insert, update, delete or an event. The next page: p_before and p_before_id are created_at and id of the last entry. Refusals: NOT_SIGNED_IN, PERMISSION_DENIED, LIMIT_OUT_OF_RANGE.';
grant execute on function public.audit_trail(uuid, text, text, timestamptz, bigint, integer) to authenticated, service_role;
-- end file

create constraint trigger _100_link after insert on private.audit_log
deferrable initially deferred for each row execute function private.tg_audit_log__link();

create trigger _100_guard before update or delete on private.audit_log
for each row execute function private.tg_audit_log__guard();

create trigger _101_guard_truncate before truncate on private.audit_log
for each statement execute function private.tg_audit_log__guard();

create trigger _101_guard_truncate before truncate on private.audit_log_default
for each statement execute function private.tg_audit_log__guard();

create trigger _100_guard before update or delete on private.audit_links
for each row execute function private.tg_audit_links__guard();

create trigger _101_guard_truncate before truncate on private.audit_links
for each statement execute function private.tg_audit_links__guard();

select private.maintain_audit();

-- Without pg_cron the operator runs private.maintain_audit() by other means.
do $$
begin
  if to_regnamespace('cron') is not null then
    perform cron.schedule('rowcast-audit', '17 * * * *', 'select private.maintain_audit()');
  end if;
end
$$;

-- Rights and accounts. Not tables that are written to with every request: an audited write costs several plain ones.
select private.audit('public.app_roles');
select private.audit('public.permissions');
select private.audit('public.role_permissions');
select private.audit('public.user_roles', p_subject => 'user_id');
select private.audit('public.profiles', p_subject => 'id', p_ignore => '{updated_at}');
select private.audit('public.feature_flags', p_ignore => '{updated_at}');
