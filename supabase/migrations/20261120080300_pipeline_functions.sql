-- Purpose: the functions of the prediction pipeline, their schedule, and the health of it all.
-- Locks and risks: new functions; one trigger on public.predictions.
-- Undo: drop the functions; `select cron.unschedule(name)` for the two jobs.

-- file: sql/functions/ml/hint.sql
-- The sleeper's protocol. A worker that finds nothing takes the exclusive advisory lock, looks once more, and only
-- then waits. A writer takes the shared lock after its insert and keeps it to the end of its transaction:
--   got it      → nobody sleeps; whoever wants to sleep must first wait for this transaction and will then see its jobs;
--   did not get → somebody sleeps (or is about to): notify.
-- So no wake-up is lost, and NOTIFY, whose commits are serialised, is paid only when it is needed.
create or replace function ml.hint()
returns void
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  if not pg_try_advisory_xact_lock_shared(20261120, 1) then
    perform pg_notify('rowcast_jobs', '');
  end if;
end
$$;

comment on function ml.hint() is 'Wakes a sleeping worker, if there is one. A hint only: polling is the truth.';
-- end file

-- file: sql/functions/ml/detach_triggers.sql
create or replace function ml.detach_triggers(p_attachment_id smallint)
returns void
language plpgsql
volatile
security invoker
set search_path = ''
set client_min_messages = warning
as $$
declare
  v_name text;
  v_routine regprocedure;
begin
  select a.name into strict v_name from ml.attachments as a where a.id = p_attachment_id;
  for v_routine in
    select p.oid::regprocedure
    from pg_proc as p
    where p.pronamespace = 'ml'::regnamespace
      and (
        p.proname = v_name || '__input'
        or p.proname in ('tg_' || v_name || '__insert', 'tg_' || v_name || '__update')
      )
  loop
    execute format('drop function %s cascade', v_routine);
  end loop;
end
$$;

comment on function ml.detach_triggers(smallint) is 'Drops what ml.attach_triggers generated; the triggers go with their functions.';
-- end file

-- file: sql/functions/ml/attach_triggers.sql
-- Static code for each attachment, so that the write path pays for no dynamic SQL. Statement-level triggers with
-- transition tables: a bulk write costs one insert, in key order, so that two writers cannot deadlock. A column list is not
-- allowed beside transition tables, so the update trigger compares the watched columns itself. Definer: writers have no right
-- on the queue.
-- Deliberately absent: triggers for DELETE and TRUNCATE. A claim finds the row gone and drops the job; a trigger that took
-- jobs away would lock what a commit holds, and the reverse.
create or replace function ml.attach_triggers(p_attachment_id smallint)
returns void
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  a ml.attachments;
  v_owner text;
  v_watch_new text;
  v_watch_old text;
  v_event text;
  v_enqueue constant text := $q$
    create or replace function ml.%1$I() returns trigger
    language plpgsql volatile security definer set search_path = '' as $f$
    begin
      insert into ml.jobs as j (attachment_id, row_key, owner_id, is_new)
      select %2$s, n.%3$I::text, %4$s, %6$s
      from new_rows as n
      %5$s
      order by n.%3$I::text collate "C"
      on conflict (attachment_id, row_key) where token is null and not is_retry do update set
        run_at = least(j.run_at, excluded.run_at), priority = least(j.priority, excluded.priority),
        owner_id = excluded.owner_id, is_new = j.is_new or excluded.is_new, attempts = 0, deferrals = 0,
        enqueued_at = case when excluded.is_new then excluded.enqueued_at else j.enqueued_at end;
      if found then
        perform ml.hint();
      end if;
      return null;
    end
    $f$
  $q$;
begin
  select * into strict a from ml.attachments where id = p_attachment_id;
  v_owner := case when a.owner_column is null then 'null::uuid' else format('n.%I', a.owner_column) end;
  select string_agg(format('n.%I', w), ', '), string_agg(format('o.%I', w), ', ')
  into v_watch_new, v_watch_old
  from unnest(a.watched_columns) as w;

  perform ml.detach_triggers(p_attachment_id);

  execute format(
    'create function ml.%I(t %s) returns jsonb language sql stable security invoker set search_path = %L as %L',
    a.name || '__input', a.source_table, '', format('select (%s)::jsonb', a.input_expression)
  );
  execute format(v_enqueue, 'tg_' || a.name || '__insert', a.id, a.key_column, v_owner, '', 'true');
  execute format(
    v_enqueue, 'tg_' || a.name || '__update', a.id, a.key_column, v_owner,
    format(
      'left join old_rows as o on o.%1$I = n.%1$I where o.%1$I is null or (%2$s) is distinct from (%3$s)',
      a.key_column, v_watch_new, v_watch_old
    ),
    format('o.%I is null', a.key_column)
  );
  foreach v_event in array array['insert', 'update'] loop
    execute format(
      'create trigger %I after %s on %s %s for each statement execute function ml.%I()',
      '_800_predict_' || a.name || '_' || v_event, v_event, a.source_table,
      case v_event
        when 'insert' then 'referencing new table as new_rows'
        when 'update' then 'referencing old table as old_rows new table as new_rows'
      end,
      'tg_' || a.name || '__' || v_event
    );
  end loop;
end
$$;

comment on function ml.attach_triggers(smallint) is 'Generates the input function and the triggers of one attachment.';
-- end file

-- file: sql/functions/ml/attach.sql
create or replace function ml.attach(
  p_name text,
  p_table regclass,
  p_model text,
  p_input text,
  p_watch text[],
  p_apply text,
  p_owner text default null
)
returns smallint
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_id smallint;
  v_key name;
  v_key_type regtype;
  v_missing text;
begin
  -- The row's identity: a primary key of one column.
  select a.attname, a.atttypid::regtype into v_key, v_key_type
  from pg_index as i
  join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
  where i.indrelid = p_table and i.indisprimary and i.indnkeyatts = 1;
  if not found then
    raise exception '% has no primary key of one column', p_table using detail = 'ATTACH_NO_KEY';
  end if;
  -- Types whose text is the same in every session, and short.
  if v_key_type not in ('smallint', 'integer', 'bigint', 'uuid', 'text', 'varchar') then
    raise exception 'the key of % is of type %', p_table, v_key_type
    using detail = 'ATTACH_KEY_TYPE', hint = 'Use smallint, integer, bigint, uuid, text or varchar.';
  end if;

  select string_agg(c.name, ', ') into v_missing
  from unnest(p_watch || coalesce(p_owner, v_key)::text) as c (name)
  where not exists (
    select from pg_attribute as a
    where a.attrelid = p_table and a.attname = c.name and a.attnum > 0 and not a.attisdropped
  );
  if v_missing is not null then
    raise exception '% has no column %', p_table, v_missing using detail = 'ATTACH_NO_COLUMN';
  end if;
  if to_regprocedure(format('%s(text[], jsonb[], text)', p_apply)) is null then
    raise exception 'no function %(text[], jsonb[], text)', p_apply using detail = 'ATTACH_NO_APPLY';
  end if;

  insert into ml.models (name) values (p_model) on conflict (name) do nothing;

  -- Jobs of another table, or with keys of another type, are nobody's any more.
  delete from ml.jobs as j using ml.attachments as old
  where old.name = p_name and j.attachment_id = old.id
    and (old.source_table, old.key_type) is distinct from (p_table, v_key_type);

  -- updated_at moves only with a change: answers from before it no longer spare a call.
  insert into ml.attachments as a (
    name, source_table, key_column, key_type, model, input_expression, watched_columns, owner_column, apply_function
  )
  values (p_name, p_table, v_key, v_key_type, p_model, p_input, p_watch::name[], p_owner, p_apply)
  on conflict (name) do update set
    source_table = excluded.source_table, key_column = excluded.key_column, key_type = excluded.key_type,
    model = excluded.model, input_expression = excluded.input_expression,
    watched_columns = excluded.watched_columns, owner_column = excluded.owner_column,
    apply_function = excluded.apply_function,
    updated_at = case
      when (
        a.source_table, a.key_column, a.key_type, a.model, a.input_expression, a.apply_function
      ) is distinct from (
        excluded.source_table, excluded.key_column, excluded.key_type, excluded.model, excluded.input_expression,
        excluded.apply_function
      ) then clock_timestamp()
      else a.updated_at
    end
  returning a.id into v_id;

  perform ml.attach_triggers(v_id);
  return v_id;
end
$$;

comment on function ml.attach(text, regclass, text, text, text[], text, text) is
  E'Attach a prediction to a table\n\nCall it in a migration. Idempotent: the same call again changes nothing, a changed one replaces the old. p_input is an expression over the row `t` that yields jsonb; it must depend on the watched columns alone.';
-- end file

-- file: sql/functions/ml/detach.sql
create or replace function ml.detach(p_name text)
returns boolean
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_id smallint;
begin
  select a.id into v_id from ml.attachments as a where a.name = p_name;
  if not found then
    return false;
  end if;
  perform ml.detach_triggers(v_id);
  delete from ml.jobs where attachment_id = v_id;
  delete from ml.attachments where id = v_id;
  return true;
end
$$;

comment on function ml.detach(text) is
  E'Take a prediction off its table\n\nDrops triggers and waiting jobs; receipts and results stay. False when there was none of that name.';
-- end file

-- file: sql/functions/ml/enqueue.sql
create or replace function ml.enqueue(p_attachment_id smallint, p_row_keys text[], p_priority smallint default 100)
returns bigint
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  a ml.attachments;
  v_count bigint;
begin
  select * into strict a from ml.attachments where id = p_attachment_id;
  -- Keys come from outside (a webhook names them), so a key of the wrong type is no row rather than an error.
  execute format(
    $q$
    insert into ml.jobs as j (attachment_id, row_key, owner_id, priority)
    select $1, t.%1$I::text, %2$s, $3
    from %3$s as t
    where t.%1$I = any (array(
      select k::%4$s from unnest($2) as k where pg_catalog.pg_input_is_valid(k, %5$L)
    ))
    order by t.%1$I::text collate "C"
    on conflict (attachment_id, row_key) where token is null and not is_retry do update set
      run_at = least(j.run_at, excluded.run_at), priority = least(j.priority, excluded.priority)
    $q$,
    a.key_column, case when a.owner_column is null then 'null::uuid' else format('t.%I', a.owner_column) end, a.source_table, a.key_type,
    a.key_type::text
  ) using p_attachment_id, p_row_keys, p_priority;
  get diagnostics v_count = row_count;
  if v_count > 0 then
    perform ml.hint();
  end if;
  return v_count;
end
$$;

comment on function ml.enqueue(smallint, text[], smallint) is
  'Owes a prediction for each named row that exists; merges with what is pending. Returns how many.';
-- end file

-- file: sql/functions/ml/backfill.sql
create or replace function ml.backfill(p_name text, p_limit integer default 10000, p_restart boolean default false)
returns table (enqueued bigint, total bigint, finished boolean)
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  a ml.attachments;
  b ml.backfills;
  v_keys text[];
begin
  select x.* into a from ml.attachments as x where x.name = p_name;
  if not found then
    raise exception 'no prediction is attached under the name %', p_name using detail = 'PREDICTION_NOT_FOUND';
  end if;
  if (p_limit between 1 and 100000) is not true then
    raise exception 'a step of a backfill takes 1 to 100000 rows' using detail = 'LIMIT_OUT_OF_RANGE';
  end if;
  if p_restart then
    delete from ml.backfills as x where x.attachment_id = a.id;
  end if;
  insert into ml.backfills (attachment_id) values (a.id) on conflict (attachment_id) do nothing;
  -- The row lock makes two callers take turns, so that no chunk is walked twice.
  select x.* into b from ml.backfills as x where x.attachment_id = a.id for update;

  if b.finished_at is null then
    execute format(
      'select array(select t.%1$I::text from %2$s as t where $1 is null or t.%1$I > $1::%3$s order by t.%1$I limit $2)',
      a.key_column, a.source_table, a.key_type
    ) into v_keys using b.last_key, p_limit;
    enqueued := ml.enqueue(a.id, v_keys, 200::smallint);
    update ml.backfills as x set
      last_key = coalesce(v_keys[cardinality(v_keys)], x.last_key),
      enqueued = x.enqueued + backfill.enqueued,
      finished_at = case when cardinality(v_keys) < p_limit then now() end
    where x.attachment_id = a.id
    returning x.enqueued, x.finished_at is not null into total, finished;
  else
    enqueued := 0;
    total := b.enqueued;
    finished := true;
  end if;
  return next;
end
$$;

comment on function ml.backfill(text, integer, boolean) is
  E'Owe a prediction for rows that are already there\n\nOne step of at most p_limit rows in key order, at low priority; call it until `finished`. It goes on where it stopped; p_restart begins again. Rows whose input was already answered by the same model version cost no call.';
-- end file

-- file: sql/functions/ml/accept_webhook.sql
create or replace function ml.accept_webhook(p_webhook_id text, p_change jsonb)
returns void
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  a ml.attachments;
  v_found boolean := false;
begin
  if p_webhook_id is not null then
    insert into ml.webhook_deliveries (id) values (p_webhook_id) on conflict (id) do nothing;
    if not found then
      raise sqlstate 'PT409' using
        message = 'This webhook was received before.', detail = 'WEBHOOK_REPLAYED', hint = 'Nothing is left to do.';
    end if;
  end if;
  if p_change is not null then
    for a in
      select x.* from ml.attachments as x
      where x.source_table = to_regclass(
        format('%I.%I', coalesce(p_change ->> 'schema', ''), coalesce(p_change ->> 'table', ''))
      )
    loop
      v_found := true;
      perform ml.enqueue(a.id, array[p_change -> 'record' ->> a.key_column]);
    end loop;
    if not v_found then
      raise sqlstate 'PT404' using
        message = 'No prediction is attached to this table.', detail = 'TABLE_NOT_ATTACHED',
        hint = 'Attach one with ml.attach in a migration, or send the webhook of another table.';
    end if;
  end if;
end
$$;

comment on function ml.accept_webhook(text, jsonb) is
  'Takes note of a webhook''s id and refuses a replay; owes what a changed row ({schema, table, record}) needs.';
-- end file

-- file: sql/functions/ml/yielding.sql
-- Rule 3 for jobs that were leased once: of two jobs of a row the older one yields, and never both. The younger one, pending
-- or leased, is only locked if it is free: a writer may hold it to the end of its transaction. Then the older one stays, and
-- ml.lease asks again. One look-up for each partial index, and none for a fresh job: what would be younger has merged into it.
create or replace function ml.yielding(p_job_ids bigint[])
returns bigint[]
language sql
volatile
security invoker
set search_path = ''
as $$
  with candidates as (
    select old.id as old_id, old.is_new, young.id as young_id
    from ml.jobs as old
    cross join lateral (
      select j.id from ml.jobs as j
      where j.attachment_id = old.attachment_id and j.row_key = old.row_key and j.id > old.id
        and j.token is null and not j.is_retry
      union all
      select j.id from ml.jobs as j
      where j.attachment_id = old.attachment_id and j.row_key = old.row_key and j.id > old.id
        and j.token is null and j.is_retry
      union all
      select j.id from ml.jobs as j
      where j.attachment_id = old.attachment_id and j.row_key = old.row_key and j.id > old.id
        and j.token is not null
    ) as young
    where old.id = any (p_job_ids) and (old.is_retry or old.token is not null)
  ), locked as (
    select j.id
    from ml.jobs as j
    where j.id = any (array(select c.young_id from candidates as c))
    order by j.id
    for update skip locked
  ), inherited as (
    update ml.jobs as j set is_new = true
    from candidates as c
    join locked as l on l.id = c.young_id
    where j.id = l.id and c.is_new and not j.is_new
  ), blocked as (
    -- Its younger one is in somebody's hands just now.
    update ml.jobs as j set run_at = clock_timestamp() + interval '1 second'
    from candidates as c
    where j.id = c.old_id and j.token is null
      and not exists (select from locked as l join candidates as x on x.young_id = l.id where x.old_id = j.id)
  )
  select coalesce(array_agg(distinct c.old_id), '{}')
  from candidates as c
  join locked as l on l.id = c.young_id
$$;

comment on function ml.yielding(bigint[]) is
  'Of these jobs, those that yield to a younger job of their row; it inherits that the row is new. A pending one that would, but cannot lock it, is put off for a second.';
-- end file

-- file: sql/functions/ml/give_back.sql
-- The one way back from a lease. Charged: an attempt is used up, and the last one ends among the dead letters. Not charged:
-- only put off. A job yields to a younger one of its row that is pending (rule 3).
-- It never waits for a writer: what comes back is marked as a retry, which the unique index of pending jobs leaves out. So
-- it may stand beside a pending job whose writer has not committed yet; ml.lease lets the older of the two go.
-- The error's text stays with the operator, but for the model's own word on an input: a receipt is read by its owner.
create or replace function ml.give_back(
  p_job_ids bigint[],
  p_reason text,
  p_error text,
  p_charge boolean,
  p_wait interval default null
)
returns integer
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_yielding bigint[] := ml.yielding(p_job_ids);
  v_count integer;
begin
  with judged as (
    select
      j.*, a.name, a.source_table, a.model, m.backoff_seconds, j.id = any (v_yielding) as yields,
      p_charge and j.attempts + 1 >= m.max_attempts and j.id <> all (v_yielding) as dead
    from ml.jobs as j
    join ml.attachments as a on a.id = j.attachment_id
    join ml.models as m on m.name = a.model
    where j.id = any (p_job_ids)
  ), back as (
    update ml.jobs as j set
      token = null, lease_until = null, input_hash = null, is_retry = true,
      attempts = g.attempts + p_charge::integer,
      deferrals = least(g.deferrals + (p_reason = 'batch_fault' and not p_charge)::integer, 32767),
      -- Exponential, at most an hour, with 20 % of jitter either way.
      run_at = clock_timestamp() + coalesce(
        p_wait,
        -- Whoever holds the row has held it for a while, and may go on: a quarter of the job's age, a minute at most.
        case when p_reason = 'row_busy' then
          make_interval(secs => least(60, greatest(1, extract(epoch from clock_timestamp() - g.enqueued_at) / 4)))
        end,
        make_interval(secs => least(
          3600, g.backoff_seconds * 2 ^ least(case when p_charge then g.attempts else g.deferrals end, 20)
        ) * (0.8 + 0.4 * random()))
      )
    from judged as g
    where j.id = g.id and not g.dead and not g.yields
  ), gone as (
    delete from ml.jobs as j using judged as g where j.id = g.id and (g.dead or g.yields)
  ), buried as (
    insert into ml.dead_letters (attachment_id, row_key, owner_id, attempts, reason, error)
    select g.attachment_id, g.row_key, g.owner_id, g.attempts + 1, p_reason, left(p_error, 2000)
    from judged as g
    where g.dead
  ), receipts as (
    insert into public.predictions (
      prediction, source_table, row_key, owner_id, model, status, input_hash, latency_ms, attempts, error, request_id
    )
    select
      g.name, g.source_table::text, g.row_key, g.owner_id, g.model, 'failed', g.input_hash,
      greatest(0, extract(epoch from clock_timestamp() - g.enqueued_at) * 1000), g.attempts + 1,
      case when p_error like 'INVALID_INPUT: %' then left(p_error, 2000) else p_reason end,
      nullif(left(current_setting('rowcast.request_id', true), 200), '')
    from judged as g
    where g.dead
  )
  select count(*) into v_count from judged;
  return v_count;
end
$$;

comment on function ml.give_back(bigint[], text, text, boolean, interval) is
  'Jobs of a lease go back to pending, or to the dead letters when they are charged for the last time. Returns how many.';
-- end file

-- file: sql/functions/ml/reclaim_expired.sql
-- A lease that ran out is a charged failure: whatever killed the worker may have been the job.
create or replace function ml.reclaim_expired(p_limit integer)
returns integer
language sql
volatile
security invoker
set search_path = ''
as $$
  with expired as (
    select j.id
    from ml.jobs as j
    where j.token is not null and j.lease_until < clock_timestamp()
    order by j.lease_until
    limit p_limit
    for update skip locked
  )
  select ml.give_back(array_agg(e.id), 'lease_expired', 'The worker fell silent before it answered.', true, '0'::interval)
  from expired as e
$$;

comment on function ml.reclaim_expired(integer) is 'Takes back jobs whose lease ran out. Returns how many.';
-- end file

-- file: sql/functions/ml/read_inputs.sql
-- The row as the model would see it, for claim and commit. Under p_lock the rows are locked, and a row that somebody else has locked is
-- left out rather than waited for: a writer who holds it may be waiting for our jobs. FOR NO KEY UPDATE, because foreign
-- keys to the row may hold it FOR KEY SHARE.
create or replace function ml.read_inputs(p_attachment ml.attachments, p_row_keys text[], p_lock boolean)
returns table (row_key text, input jsonb)
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return query execute format(
    'select t.%1$I::text, ml.%2$I(t) from %3$s as t where t.%1$I = any ($1::%4$s[]) %5$s',
    p_attachment.key_column, p_attachment.name || '__input', p_attachment.source_table, p_attachment.key_type,
    case when p_lock then 'for no key update skip locked' end
  ) using p_row_keys;
end
$$;

comment on function ml.read_inputs(ml.attachments, text[], boolean) is
  'The rows of these keys that exist, and what the model would be given for each now.';
-- end file

-- file: sql/functions/ml/busy_jobs.sql
create or replace function ml.busy_jobs(p_attachment ml.attachments, p_job_ids bigint[], p_locked_keys text[])
returns bigint[]
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_busy bigint[];
begin
  execute format(
    $q$
    select array_agg(j.id)
    from ml.jobs as j
    join %1$s as t on t.%2$I = j.row_key::%3$s
    where j.id = any ($1) and j.row_key <> all ($2)
    $q$,
    p_attachment.source_table, p_attachment.key_column, p_attachment.key_type
  ) into v_busy using p_job_ids, coalesce(p_locked_keys, '{}');
  return v_busy;
end
$$;

comment on function ml.busy_jobs(ml.attachments, bigint[], text[]) is
  'Of these jobs, those whose row is there but was not to be locked.';
-- end file

-- file: sql/functions/ml/settle.sql
-- Finished jobs leave the hot table in the same statement that writes their receipts. A superseded row whose edit did not
-- enqueue (its input depends on more than the watched columns) is owed again, at the cost of an attempt, so that an
-- expression that never holds still ends among the dead letters rather than in a loop.
create or replace function ml.settle(
  p_attachment ml.attachments,
  p_job_ids bigint[],
  p_fresh_ids bigint[],
  p_locked_keys text[],
  p_inputs jsonb[],
  p_results jsonb,
  p_model_version text
)
returns void
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_unsettled bigint[];
begin
  select array_agg(j.id) into v_unsettled
  from ml.jobs as j
  join unnest(p_locked_keys, p_inputs) as f (row_key, input) on f.row_key = j.row_key and f.input is not null
  where j.id = any (p_job_ids)
    and j.id <> all (p_fresh_ids)
    -- Unless the row's last answer was to what it holds now.
    and (
      select
        last.status = 'done' and last.input_hash = sha256(convert_to(f.input::text, 'UTF8'))
        and (not j.is_new or last.created_at > j.enqueued_at)
      from public.predictions as last
      where last.prediction = p_attachment.name and last.row_key = j.row_key and last.status <> 'superseded'
      order by last.created_at desc, last.id desc
      limit 1
    ) is not true;
  -- Or a younger job will answer.
  v_unsettled := array(select unnest(v_unsettled) except select unnest(ml.yielding(v_unsettled)));

  with finished as (
    select j.*, j.id = any (p_fresh_ids) as fresh, r.value as result
    from ml.jobs as j
    join jsonb_array_elements(p_results) as r on (r.value ->> 'job_id')::bigint = j.id
    where j.id = any (p_job_ids) and j.token is not null
  ), gone as (
    delete from ml.jobs as j
    where j.id = any (p_job_ids) and j.token is not null and j.id <> all (v_unsettled)
  )
  insert into public.predictions (
    prediction, source_table, row_key, owner_id, model, model_version, status, input_hash, output, interval_low,
    interval_high, latency_ms, attempts, request_id
  )
  select
    p_attachment.name, p_attachment.source_table::text, f.row_key, f.owner_id, p_attachment.model, p_model_version,
    case when f.fresh then 'done' else 'superseded' end, f.input_hash,
    case when f.fresh then f.result -> 'output' end,
    case when f.fresh then (f.result ->> 'low')::double precision end,
    case when f.fresh then (f.result ->> 'high')::double precision end,
    greatest(0, extract(epoch from clock_timestamp() - f.enqueued_at) * 1000), f.attempts,
    left(current_setting('rowcast.request_id', true), 200)
  from finished as f;

  if v_unsettled <> '{}' then
    perform ml.give_back(v_unsettled, 'input_unstable', 'The input changes though no watched column does.', true);
  end if;
end
$$;

comment on function ml.settle(ml.attachments, bigint[], bigint[], text[], jsonb[], jsonb, text) is
  'Receipts for a committed batch, and its jobs out of the queue.';
-- end file

-- file: sql/functions/ml/lease.sql
-- The inputs are read first, since only that can fail for a row's sake; nothing is returned unless all is well.
-- A job is dropped without a call when its row is gone or has no input (superseded), or when the row's last answer was to
-- the same input, by the same model in the same version, under the same attachment, and to this very row: an answer from
-- before the row was inserted went to another of the same key. A retry is dropped as well when there is a younger job.
create or replace function ml.lease(
  p_attachment_id smallint,
  p_job_ids bigint[],
  p_row_keys text[],
  p_models jsonb
)
returns table (
  job_id bigint, token uuid, prediction text, model text, row_key text, input jsonb,
  attempts smallint, batch_size integer, timeout_ms integer, lease_seconds real
)
language plpgsql
volatile
security invoker
set search_path = ''
as $$
#variable_conflict use_column
declare
  a ml.attachments;
  m ml.models;
  v_token uuid := gen_random_uuid();
  v_keys text[];
  v_inputs jsonb[];
  v_yielding bigint[];
begin
  select x.* into strict a from ml.attachments as x where x.id = p_attachment_id;
  select x.* into strict m from ml.models as x where x.name = a.model;
  select array_agg(r.row_key), array_agg(r.input) into v_keys, v_inputs
  from ml.read_inputs(a, p_row_keys, false) as r;
  v_yielding := ml.yielding(p_job_ids);

  return query
  with judged as (
    select
      p.id, p.row_key, f.input, f.row_key is null as gone, sha256(convert_to(f.input::text, 'UTF8')) as hash
    from unnest(p_job_ids, p_row_keys) as p (id, row_key)
    left join unnest(v_keys, v_inputs) as f (row_key, input) on f.row_key = p.row_key
  ), settled as (
    select g.*, (
      select
        last.status = 'done' and last.input_hash = g.hash and last.model = a.model
        and last.model_version = p_models ->> a.model and last.created_at > a.updated_at
        and (not j.is_new or last.created_at > j.enqueued_at)
      from public.predictions as last
      where last.prediction = a.name and last.row_key = g.row_key and last.status <> 'superseded'
      order by last.created_at desc, last.id desc
      limit 1
    ) is true as answered, g.id = any (v_yielding) as yields
    from judged as g
    -- Less those that ml.yielding has just put off.
    join ml.jobs as j on j.id = g.id and j.run_at <= clock_timestamp()
  ), leased as (
    update ml.jobs as j set
      token = v_token, lease_until = clock_timestamp() + make_interval(secs => m.lease_seconds), input_hash = g.hash
    from settled as g
    where j.id = g.id and g.input is not null and not g.yields and not g.answered
    returning j.id, g.row_key, g.input, j.attempts
  ), dropped as (
    delete from ml.jobs as j using settled as g
    where j.id = g.id and (g.input is null or g.yields or g.answered)
    returning j.row_key, j.owner_id, j.attempts, j.enqueued_at, g.gone, g.input, g.yields
  ), receipts as (
    insert into public.predictions (
      prediction, source_table, row_key, owner_id, model, status, latency_ms, attempts, error, request_id
    )
    select
      a.name, a.source_table::text, d.row_key, d.owner_id, a.model, 'superseded',
      greatest(0, extract(epoch from clock_timestamp() - d.enqueued_at) * 1000), d.attempts,
      case when d.gone then 'ROW_GONE' else 'NO_INPUT' end,
      left(current_setting('rowcast.request_id', true), 200)
    from dropped as d
    where d.input is null and not d.yields
  )
  select l.id, v_token, a.name, a.model, l.row_key, l.input, l.attempts, m.batch_size, m.timeout_ms, m.lease_seconds
  from leased as l;
end
$$;

comment on function ml.lease(smallint, bigint[], text[], jsonb) is
  'Leases jobs of one attachment under a new token, with their inputs as they are now.';
-- end file

-- file: sql/functions/ml/claim.sql
-- One short transaction: take what is due, read the rows as they are now, lease. Definer: the service's role has no
-- right on any table. Locks are taken with SKIP LOCKED, in the order of the due index.
create or replace function ml.claim(
  p_worker text,
  p_models jsonb,
  p_limit integer default 64,
  p_request_id text default null,
  p_webhook_id text default null,
  p_change jsonb default null
)
returns table (
  job_id bigint, token uuid, prediction text, model text, row_key text, input jsonb,
  attempts smallint, batch_size integer, timeout_ms integer, lease_seconds real
)
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_attachments smallint[];
  v_due record;
  v_one record;
begin
  if (p_limit between 1 and 10000) is not true then
    raise sqlstate 'PT422' using
      message = 'A claim takes 1 to 10000 jobs.', detail = 'LIMIT_OUT_OF_RANGE', hint = 'Lower p_limit.';
  end if;
  perform set_config('rowcast.request_id', coalesce(p_request_id, p_worker), true);
  perform ml.accept_webhook(p_webhook_id, p_change);
  perform ml.reclaim_expired(p_limit);

  select array_agg(x.id) into v_attachments
  from ml.attachments as x
  join ml.models as m on m.name = x.model
  where p_models ? x.model and (m.breaker_until is null or m.breaker_until <= clock_timestamp());

  for v_due in
    with due as (
      select j.id, j.attachment_id, j.row_key
      from ml.jobs as j
      where j.token is null and j.run_at <= clock_timestamp() and j.attachment_id = any (v_attachments)
      order by j.priority, j.run_at, j.id
      limit p_limit
      for update skip locked
    )
    select due.attachment_id, array_agg(due.id) as job_ids, array_agg(due.row_key) as row_keys
    from due
    group by due.attachment_id
  loop
    begin
      return query select * from ml.lease(v_due.attachment_id, v_due.job_ids, v_due.row_keys, p_models);
    exception when others then
      -- An input that cannot be computed stands alone; the others of its batch are none the worse.
      for v_one in select * from unnest(v_due.job_ids, v_due.row_keys) as u (id, row_key) loop
        begin
          return query select * from ml.lease(v_due.attachment_id, array[v_one.id], array[v_one.row_key], p_models);
        exception when others then
          perform ml.give_back(array[v_one.id], 'input_fault', sqlerrm, true);
        end;
      end loop;
    end;
  end loop;
end
$$;

comment on function ml.claim(text, jsonb, integer, text, text, jsonb) is
  E'Lease due jobs with their inputs\n\np_models maps each model this worker serves to its version. A webhook''s id and changed row come with the claim that they cause, so that both are committed together.';
grant execute on function ml.claim(text, jsonb, integer, text, text, jsonb) to rowcast_service;
-- end file

-- file: sql/functions/ml/heartbeat.sql
-- Jobs that a commit or a fail has locked are passed over: they are about to leave the lease.
create or replace function ml.heartbeat(p_worker text, p_models jsonb, p_tokens uuid[] default '{}')
returns table (token uuid, jobs integer, queue_depth bigint, oldest_job_seconds double precision)
language sql
volatile
security definer
set search_path = ''
as $$
  with seen as (
    insert into ml.workers as w (name, models) values (p_worker, p_models)
    on conflict (name) do update set seen_at = now(), models = excluded.models
  ), mine as (
    select j.id, m.lease_seconds
    from ml.jobs as j
    join ml.attachments as a on a.id = j.attachment_id
    join ml.models as m on m.name = a.model
    where j.token = any (p_tokens)
    order by j.id
    for update of j skip locked
  ), extended as (
    update ml.jobs as j set lease_until = clock_timestamp() + make_interval(secs => mine.lease_seconds)
    from mine
    where j.id = mine.id
  ), held as (
    select j.token, count(*)::integer as jobs
    from ml.jobs as j
    where j.token = any (p_tokens)
    group by j.token
  ), queue as (
    select count(*) as depth, coalesce(extract(epoch from now() - min(j.enqueued_at)), 0)::double precision as oldest
    from ml.jobs as j
  )
  select h.token, h.jobs, q.depth, q.oldest
  from queue as q
  left join held as h on true
$$;

comment on function ml.heartbeat(text, jsonb, uuid[]) is
  E'Say that a worker lives\n\nExtends the leases of the tokens it holds. A token that does not come back has lost its jobs. Also gives the queue''s depth and the age of its oldest job.';
grant execute on function ml.heartbeat(text, jsonb, uuid[]) to rowcast_service;
-- end file

-- file: sql/functions/ml/commit.sql
-- The fence. Jobs are locked by their token, then the rows; the input is derived again under that lock, and only rows whose
-- hash still matches are written. Everything else is superseded, but for rows that somebody else has locked: those are put
-- back for a while, uncharged. Definer, as in ml.claim.
create or replace function ml.commit(
  p_token uuid,
  p_results jsonb,
  p_model_version text,
  p_request_id text default null
)
returns table (job_id bigint, outcome text)
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  a ml.attachments;
  v_job_ids bigint[];
  v_row_keys text[];
  v_locked_keys text[];
  v_inputs jsonb[];
  v_fresh_ids bigint[];
  v_fresh_keys text[];
  v_outputs jsonb[];
  v_busy_ids bigint[];
begin
  perform set_config('rowcast.request_id', coalesce(p_request_id, p_token::text), true);
  -- A token is one claim of one attachment.
  with mine as (
    select j.id, j.row_key, j.attachment_id
    from ml.jobs as j
    where j.token = p_token
      and j.id = any (array(select (r ->> 'job_id')::bigint from jsonb_array_elements(p_results) as r))
    order by j.id
    for update
  )
  select array_agg(m.id), array_agg(m.row_key), min(m.attachment_id)
  into v_job_ids, v_row_keys, a.id
  from mine as m;

  if v_job_ids is not null then
    select x.* into strict a from ml.attachments as x where x.id = a.id;
    select array_agg(r.row_key), array_agg(r.input) into v_locked_keys, v_inputs
    from ml.read_inputs(a, v_row_keys, true) as r;

    select array_agg(j.id), array_agg(j.row_key), array_agg(r.value -> 'output')
    into v_fresh_ids, v_fresh_keys, v_outputs
    from ml.jobs as j
    join unnest(v_locked_keys, v_inputs) as f (row_key, input)
      on f.row_key = j.row_key and sha256(convert_to(f.input::text, 'UTF8')) = j.input_hash
    join jsonb_array_elements(p_results) as r on (r.value ->> 'job_id')::bigint = j.id
    where j.id = any (v_job_ids);

    if v_fresh_ids is not null then
      execute format('select %s($1, $2, $3)', a.apply_function) using v_fresh_keys, v_outputs, p_model_version;
    end if;

    if cardinality(v_locked_keys) is distinct from cardinality(v_row_keys) then
      v_busy_ids := ml.busy_jobs(a, v_job_ids, v_locked_keys);
      perform ml.give_back(v_busy_ids, 'row_busy', null, false);
    end if;
    perform ml.settle(a, v_job_ids, coalesce(v_fresh_ids, '{}'), v_locked_keys, v_inputs, p_results, p_model_version);
  end if;

  -- What the token no longer holds belongs to a later claim, a cancellation or an earlier commit; nothing was written.
  return query
  select
    (r ->> 'job_id')::bigint,
    case
      when (r ->> 'job_id')::bigint = any (v_fresh_ids) then 'done'
      when (r ->> 'job_id')::bigint = any (v_busy_ids) then 'busy'
      when (r ->> 'job_id')::bigint = any (v_job_ids) then 'superseded'
      else 'stale'
    end
  from jsonb_array_elements(p_results) as r;
end
$$;

comment on function ml.commit(uuid, jsonb, text, text) is
  E'Write a batch of results\n\np_results: [{"job_id", "output", "low", "high"}]. Outcome of each: done, superseded, busy or stale. Rows, receipts and events are one transaction.';
grant execute on function ml.commit(uuid, jsonb, text, text) to rowcast_service;
-- end file

-- file: sql/functions/ml/fail.sql
-- Faults have classes (rule 6). item: charged, backs off, ends among the dead letters. batch: nobody is charged, all back
-- off; a job that was put off five times in such company is charged after all, or it would never end.
-- provider: nobody is charged, the whole model rests until the provider wants to be asked again. release: the worker
-- stops; its jobs are free at once. Definer, as in ml.claim.
create or replace function ml.fail(
  p_token uuid,
  p_job_ids bigint[],
  p_class text,
  p_error text default null,
  p_retry_after real default null,
  p_request_id text default null
)
returns integer
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_ids bigint[];
  v_worn bigint[];
  v_wait interval;
begin
  if (p_class in ('item', 'batch', 'provider', 'release')) is not true then
    raise sqlstate 'PT422' using
      message = 'There is no such class of fault.', detail = 'UNKNOWN_FAULT_CLASS',
      hint = 'Use item, batch, provider or release.';
  end if;
  perform set_config('rowcast.request_id', coalesce(p_request_id, p_token::text), true);

  with mine as (
    select j.id, j.deferrals from ml.jobs as j
    where j.token = p_token and j.id = any (p_job_ids)
    order by j.id
    for update
  )
  select array_agg(m.id) filter (where m.deferrals < 5 or p_class <> 'batch'),
    array_agg(m.id) filter (where m.deferrals >= 5 and p_class = 'batch')
  into v_ids, v_worn
  from mine as m;

  if p_class = 'item' then
    return ml.give_back(v_ids, 'item_fault', p_error, true);
  elsif p_class = 'batch' then
    return ml.give_back(v_worn, 'batch_fault', p_error, true) + ml.give_back(v_ids, 'batch_fault', p_error, false);
  elsif p_class = 'release' then
    perform ml.hint();
    return ml.give_back(v_ids, 'released', p_error, false, '0'::interval);
  end if;

  -- A provider's own wish is kept, within a second and an hour.
  v_wait := make_interval(secs => greatest(1, least(3600, coalesce(p_retry_after, 30))));
  update ml.models as m set breaker_until = clock_timestamp() + v_wait, breaker_reason = left(p_error, 2000)
  where m.name in (
    select a.model from ml.jobs as j join ml.attachments as a on a.id = j.attachment_id where j.id = any (v_ids)
  );
  return ml.give_back(v_ids, 'provider_fault', p_error, false, v_wait);
end
$$;

comment on function ml.fail(uuid, bigint[], text, text, real, text) is
  E'Give up on jobs of a claim\n\np_class: item, batch, provider or release. p_retry_after in seconds, from the provider. Returns how many jobs the token still held.';
grant execute on function ml.fail(uuid, bigint[], text, text, real, text) to rowcast_service;
-- end file

-- file: sql/functions/ml/cancel.sql
create or replace function ml.cancel(p_name text, p_row_key text, p_reason text default null)
returns boolean
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_id smallint := (select a.id from ml.attachments as a where a.name = p_name);
  v_ids bigint[];
  v_count integer;
begin
  -- A pending job is waited for: only a claim can hold it, and briefly. Once for each partial index.
  v_ids := array(
    select j.id from ml.jobs as j
    where j.attachment_id = v_id and j.row_key = p_row_key and j.token is null and not j.is_retry
    for update
  ) || array(
    select j.id from ml.jobs as j
    where j.attachment_id = v_id and j.row_key = p_row_key and j.token is null and j.is_retry
    for update
  );
  -- A leased one is taken only if it is free, because its commit may be at work on the very row that the caller has locked;
  -- that commit meets the fence.
  v_ids := v_ids || array(
    select j.id from ml.jobs as j
    where j.attachment_id = v_id and j.row_key = p_row_key and j.token is not null
    for update skip locked
  );

  with gone as (
    delete from ml.jobs as j using ml.attachments as a
    where j.id = any (v_ids) and a.id = j.attachment_id
    returning j.*, a.name, a.source_table, a.model
  )
  insert into public.predictions (
    prediction, source_table, row_key, owner_id, model, status, latency_ms, attempts, error
  )
  select
    g.name, g.source_table::text, g.row_key, g.owner_id, g.model, 'cancelled',
    greatest(0, extract(epoch from clock_timestamp() - g.enqueued_at) * 1000), g.attempts, left(p_reason, 2000)
  from gone as g;
  get diagnostics v_count = row_count;
  return v_count > 0;
end
$$;

comment on function ml.cancel(text, text, text) is
  E'Call off what is owed to a row\n\nAlso while a worker has it: its commit then holds a stale token and changes nothing. False when nothing was owed.';
-- end file

-- file: sql/functions/ml/redrive.sql
create or replace function ml.redrive(p_name text default null, p_limit integer default 1000)
returns bigint
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_count bigint;
begin
  if p_name is not null and not exists (select from ml.attachments as a where a.name = p_name) then
    raise exception 'no prediction is attached under the name %', p_name using detail = 'PREDICTION_NOT_FOUND';
  end if;

  with risen as (
    delete from ml.dead_letters as d
    where d.id = any (array(
      select x.id from ml.dead_letters as x
      join ml.attachments as a on a.id = x.attachment_id
      where p_name is null or a.name = p_name
      order by x.id
      limit p_limit
      for update of x skip locked
    ))
    returning d.attachment_id, d.row_key, d.owner_id
  ), back as (
    -- As new ones: whoever redrives wants the model asked.
    insert into ml.jobs (attachment_id, row_key, owner_id, is_new)
    select distinct on (r.attachment_id, r.row_key) r.attachment_id, r.row_key, r.owner_id, true
    from risen as r
    order by r.attachment_id, r.row_key
    on conflict (attachment_id, row_key) where token is null and not is_retry do update set
      is_new = true, enqueued_at = excluded.enqueued_at
  )
  select count(*) into v_count from risen;
  return v_count;
end
$$;

comment on function ml.redrive(text, integer) is
  E'Put dead letters back into the queue\n\nAll of them or those of one prediction, oldest first, with their attempts forgotten. Returns how many.';
-- end file

-- file: sql/functions/ml/tg_predictions__broadcast.sql
-- Definer: whoever causes a receipt needs no right on Realtime. realtime.send turns its own faults into warnings.
create or replace function ml.tg_predictions__broadcast()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform realtime.send(
    jsonb_build_object(
      'id', n.id, 'prediction', n.prediction, 'source_table', n.source_table, 'row_key', n.row_key,
      'status', n.status, 'output', n.output, 'interval_low', n.interval_low, 'interval_high', n.interval_high,
      'model', n.model, 'model_version', n.model_version, 'created_at', n.created_at
    ),
    'prediction', 'user:' || n.owner_id::text, true
  )
  from new_rows as n
  where n.owner_id is not null and n.status in ('done', 'failed');
  return null;
end
$$;

comment on function ml.tg_predictions__broadcast() is 'Tells each owner''s private channel about their new receipts.';
-- end file

-- file: sql/functions/ml/maintain.sql
-- Runs hourly. Partitions are made two months ahead; what came into the default partition meanwhile stays there, which
-- would stop a partition of the same month, so a month with rows in the default partition is left to it.
create or replace function ml.maintain(p_keep_months integer default 12)
returns void
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_month date;
  v_name text;
begin
  for v_month in
    select (date_trunc('month', now()) + make_interval(months => m))::date from generate_series(0, 2) as m
  loop
    v_name := 'predictions_' || to_char(v_month, 'YYYYMM');
    if to_regclass('ml.' || v_name) is null and not exists (
      select from ml.predictions_default as d
      where d.created_at >= v_month and d.created_at < v_month + interval '1 month'
    ) then
      execute format(
        'create table ml.%I partition of public.predictions for values from (%L) to (%L)',
        v_name, v_month, (v_month + interval '1 month')::date
      );
      execute format('alter table ml.%I enable row level security', v_name);
    end if;
  end loop;

  for v_name in
    select c.relname from pg_inherits as i join pg_class as c on c.oid = i.inhrelid
    where i.inhparent = 'public.predictions'::regclass
      and c.relname ~ '^predictions_[0-9]{6}$'
      and to_date(right(c.relname, 6), 'YYYYMM') < date_trunc('month', now()) - make_interval(months => p_keep_months)
  loop
    execute format('drop table ml.%I', v_name);
  end loop;

  delete from ml.webhook_deliveries where received_at < now() - interval '10 minutes';
  delete from ml.workers where seen_at < now() - interval '1 day';
end
$$;

comment on function ml.maintain(integer) is 'Makes the receipts'' next partitions, drops those past their keep, forgets old webhook ids and workers.';
-- end file

-- file: sql/functions/ml/send_wakeup.sql
-- For services that cannot LISTEN: behind a pooler, or scaled to zero. Standard Webhooks over pg_net, thin: ids only.
-- Sent by pg_cron, never by a trigger, and only when something due was left lying. All secrets come from Vault;
-- without them nothing is sent. `rowcast_webhook_secret` may hold several secrets, space-separated, while keys rotate.
create or replace function ml.send_wakeup()
returns bigint
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_url text;
  v_secrets text;
  v_id text := 'wake_' || replace(gen_random_uuid()::text, '-', '');
  v_time text := floor(extract(epoch from clock_timestamp()))::bigint::text;
  v_body jsonb;
  v_signature text;
begin
  select jsonb_build_object('type', 'jobs.due', 'job_ids', jsonb_agg(d.id)) into v_body
  from (
    select j.id from ml.jobs as j
    where j.token is null and j.run_at < clock_timestamp() - interval '3 seconds'
    order by j.priority, j.run_at, j.id
    limit 100
  ) as d
  having count(*) > 0;
  if v_body is null then
    return null;
  end if;

  select s.decrypted_secret into v_url from vault.decrypted_secrets as s where s.name = 'rowcast_service_url';
  select s.decrypted_secret into v_secrets from vault.decrypted_secrets as s where s.name = 'rowcast_webhook_secret';
  if v_url is null or v_secrets is null then
    return null;
  end if;

  select string_agg('v1,' || encode(
    extensions.hmac(
      convert_to(v_id || '.' || v_time || '.' || v_body::text, 'UTF8'),
      decode(regexp_replace(s, '^whsec_', ''), 'base64'), 'sha256'
    ), 'base64'), ' ')
  into v_signature
  from regexp_split_to_table(v_secrets, '\s+') as s
  where s <> '';

  return net.http_post(
    url := v_url || '/webhooks/jobs',
    body := v_body,
    headers := jsonb_build_object(
      'content-type', 'application/json', 'webhook-id', v_id, 'webhook-timestamp', v_time,
      'webhook-signature', v_signature
    )
  );
end
$$;

comment on function ml.send_wakeup() is 'Posts a signed wake-up with the ids of due jobs to the service. Returns pg_net''s request id, or NULL when nothing was sent.';
-- end file

create trigger _100_broadcast after insert on public.predictions
referencing new table as new_rows
for each statement execute function ml.tg_predictions__broadcast();

-- Four doors and no more: claim, heartbeat, commit, fail, each granted beside its function.
grant usage on schema ml to rowcast_service;

create type public.health_status as (status text, service text, checked_at timestamptz);
comment on type public.health_status is 'Answer of health().';

create type public.health_report as (
  status text, service text, database text, queue_depth bigint, oldest_job_seconds double precision,
  workers_alive bigint, last_heartbeat_at timestamptz, last_prediction_at timestamptz, checked_at timestamptz
);
comment on type public.health_report is 'Answer of health_detailed().';

-- file: sql/functions/public/health.sql
create or replace function public.health()
returns public.health_status
language sql
stable
security invoker
set search_path = ''
return row('ok', 'rowcast', pg_catalog.now())::public.health_status;

comment on function public.health() is E'Is the API up\n\nAnswers as long as the Data API reaches the database. For load balancers.';
grant execute on function public.health() to anon, authenticated, service_role;
-- end file

-- file: sql/functions/private/health_report.sql
-- Definer: reads ml.*, which no API role may. Gives totals only, and nothing of anybody's rows.
create or replace function private.health_report()
returns public.health_report
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_report public.health_report;
begin
  v_report.service := 'rowcast';
  v_report.database := 'ok';
  v_report.checked_at := now();

  select count(*), coalesce(extract(epoch from now() - min(j.enqueued_at)), 0)
  into v_report.queue_depth, v_report.oldest_job_seconds
  from ml.jobs as j;

  -- A worker beats at least every five seconds; three missed beats and it counts as gone.
  select count(*) filter (where w.seen_at > now() - interval '15 seconds'), max(w.seen_at)
  into v_report.workers_alive, v_report.last_heartbeat_at
  from ml.workers as w;

  select max(p.created_at) into v_report.last_prediction_at
  from public.predictions as p
  where p.status = 'done';

  v_report.status := case
    when v_report.workers_alive = 0 or v_report.oldest_job_seconds > 60 then 'degraded'
    else 'ok'
  end;
  return v_report;
end
$$;

comment on function private.health_report() is 'State of database, queue and workers in one row.';
grant execute on function private.health_report() to authenticated, service_role;
-- end file

-- file: sql/functions/public/health_detailed.sql
create or replace function public.health_detailed()
returns public.health_report
language sql
stable
security invoker
set search_path = ''
return private.health_report();

comment on function public.health_detailed() is
  E'How the parts are\n\nDatabase, queue depth and age of its oldest job, workers'' heartbeats, last prediction. `degraded` when no worker was heard for 15 s or a job waits for more than 60 s; requests are answered all the same.';
grant execute on function public.health_detailed() to authenticated, service_role;
-- end file

select ml.maintain();

-- Without pg_cron the operator runs ml.maintain() by other means, and no wake-ups are posted.
do $$
begin
  if to_regnamespace('cron') is not null then
    perform cron.schedule('rowcast-maintain', '7 * * * *', 'select ml.maintain()');
    perform cron.schedule('rowcast-wakeup', '10 seconds', 'select ml.send_wakeup()');
  end if;
end
$$;
