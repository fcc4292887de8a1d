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
        or p.proname in (
          'tg_' || v_name || '__insert', 'tg_' || v_name || '__update',
          'tg_' || v_name || '__delete', 'tg_' || v_name || '__truncate'
        )
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
-- transition tables: a bulk write costs one insert. A column list is not allowed beside transition tables, so the
-- update trigger compares the watched columns itself. Definer: writers have no right on the queue.
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
      insert into ml.jobs as j (attachment_id, row_key, owner_id)
      select %2$s, n.%3$I::text, %4$s
      from new_rows as n
      %5$s
      order by n.%3$I
      on conflict (attachment_id, row_key) where token is null do update set
        run_at = least(j.run_at, excluded.run_at), priority = least(j.priority, excluded.priority),
        owner_id = excluded.owner_id, attempts = 0, deferrals = 0;
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
  execute format(v_enqueue, 'tg_' || a.name || '__insert', a.id, a.key_column, v_owner, '');
  execute format(
    v_enqueue, 'tg_' || a.name || '__update', a.id, a.key_column, v_owner,
    format(
      'left join old_rows as o on o.%1$I = n.%1$I where o.%1$I is null or (%2$s) is distinct from (%3$s)',
      a.key_column, v_watch_new, v_watch_old
    )
  );
  -- Only what is pending is called off: a running job's commit finds the row gone. Touching it here could deadlock.
  execute format(
    $q$
    create function ml.%1$I() returns trigger
    language plpgsql volatile security definer set search_path = '' as $f$
    begin
      delete from ml.jobs as j using old_rows as o
      where j.attachment_id = %2$s and j.row_key = o.%3$I::text and j.token is null;
      return null;
    end
    $f$
    $q$, 'tg_' || a.name || '__delete', a.id, a.key_column
  );
  execute format(
    $q$
    create function ml.%1$I() returns trigger
    language plpgsql volatile security definer set search_path = '' as $f$
    begin
      delete from ml.jobs as j where j.attachment_id = %2$s and j.token is null;
      return null;
    end
    $f$
    $q$, 'tg_' || a.name || '__truncate', a.id
  );

  foreach v_event in array array['insert', 'update', 'delete', 'truncate'] loop
    execute format(
      'create trigger %I after %s on %s %s for each statement execute function ml.%I()',
      '_800_predict_' || a.name || '_' || v_event, v_event, a.source_table,
      case v_event
        when 'insert' then 'referencing new table as new_rows'
        when 'update' then 'referencing old table as old_rows new table as new_rows'
        when 'delete' then 'referencing old table as old_rows'
        else ''
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

  insert into ml.attachments as a (
    name, source_table, key_column, key_type, model, input_expression, watched_columns, owner_column, apply_function
  )
  values (p_name, p_table, v_key, v_key_type, p_model, p_input, p_watch::name[], p_owner, p_apply)
  on conflict (name) do update set
    source_table = excluded.source_table, key_column = excluded.key_column, key_type = excluded.key_type,
    model = excluded.model, input_expression = excluded.input_expression,
    watched_columns = excluded.watched_columns, owner_column = excluded.owner_column,
    apply_function = excluded.apply_function, updated_at = now()
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
    order by t.%1$I
    on conflict (attachment_id, row_key) where token is null do update set
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

-- file: sql/functions/ml/retry_or_bury.sql
-- The jobs named are locked by the caller. A retry merges into a newer pending job of its row (rule 3): delete and
-- insert with ON CONFLICT, because turning the row back in place could collide with one that is being inserted.
create or replace function ml.retry_or_bury(p_job_ids bigint[], p_reason text, p_error text, p_delay interval default null)
returns integer
language sql
volatile
security invoker
set search_path = ''
as $$
  with taken as (
    delete from ml.jobs as j where j.id = any (p_job_ids)
    returning j.*
  ), judged as (
    select t.*, a.name, a.source_table, a.model, m.backoff_seconds, t.attempts + 1 >= m.max_attempts as dead
    from taken as t
    join ml.attachments as a on a.id = t.attachment_id
    join ml.models as m on m.name = a.model
  ), back as (
    insert into ml.jobs (id, attachment_id, row_key, owner_id, priority, attempts, deferrals, enqueued_at, run_at)
    select
      g.id, g.attachment_id, g.row_key, g.owner_id, g.priority, g.attempts + 1, g.deferrals, g.enqueued_at,
      -- Exponential, at most an hour, with 20 % of jitter either way.
      clock_timestamp() + coalesce(
        p_delay, make_interval(secs => least(3600, g.backoff_seconds * 2 ^ g.attempts) * (0.8 + 0.4 * random()))
      )
    from judged as g
    where not g.dead
    on conflict (attachment_id, row_key) where token is null do nothing
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
      greatest(0, extract(epoch from clock_timestamp() - g.enqueued_at) * 1000), g.attempts + 1, left(p_error, 2000),
      nullif(left(current_setting('rowcast.request_id', true), 200), '')
    from judged as g
    where g.dead
  )
  select count(*)::integer from judged
$$;

comment on function ml.retry_or_bury(bigint[], text, text, interval) is
  'Charges one failure to each job: back with a delay, or to the dead letters when its attempts are used up.';
-- end file

-- file: sql/functions/ml/put_back.sql
create or replace function ml.put_back(p_job_ids bigint[], p_class text, p_wait interval)
returns integer
language sql
volatile
security invoker
set search_path = ''
as $$
  with taken as (
    delete from ml.jobs as j where j.id = any (p_job_ids)
    returning j.*
  ), back as (
    insert into ml.jobs (id, attachment_id, row_key, owner_id, priority, attempts, deferrals, enqueued_at, run_at)
    select
      t.id, t.attachment_id, t.row_key, t.owner_id, t.priority, t.attempts,
      case when p_class = 'release' then t.deferrals else least(t.deferrals + 1, 32767) end, t.enqueued_at,
      clock_timestamp() + case p_class
        when 'release' then '0'::interval
        when 'provider' then p_wait
        else make_interval(secs => least(300, m.backoff_seconds * 2 ^ least(t.deferrals, 12)) * (0.8 + 0.4 * random()))
      end
    from taken as t
    join ml.attachments as a on a.id = t.attachment_id
    join ml.models as m on m.name = a.model
    on conflict (attachment_id, row_key) where token is null do nothing
  ), hinted as (
    select ml.hint() where p_class = 'release'
  )
  select count(*)::integer + 0 * (select count(*) from hinted)::integer from taken
$$;

comment on function ml.put_back(bigint[], text, interval) is
  'Back to pending without a charge; yields to a newer pending job of the same row.';
-- end file

-- file: sql/functions/ml/reclaim_expired.sql
-- A lease that ran out is a charged failure: whatever killed the worker may have been the job. The job goes back, or
-- yields to a newer pending one of the same row, or dies.
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
  ), given_up as (
    select ml.retry_or_bury(array_agg(e.id), 'lease_expired', 'The worker fell silent before it answered.', '0'::interval) as jobs
    from expired as e
  )
  select coalesce(g.jobs, 0) from given_up as g
$$;

comment on function ml.reclaim_expired(integer) is 'Takes back jobs whose lease ran out. Returns how many.';
-- end file

-- file: sql/functions/ml/settle.sql
-- Finished jobs leave the hot table in the same statement that writes their receipts. A superseded row whose edit did not
-- enqueue (its input depends on more than the watched columns) is owed again, at the cost of an attempt, so that an
-- expression that never holds still ends among the dead letters rather than in a loop.
create or replace function ml.settle(
  p_attachment ml.attachments,
  p_job_ids bigint[],
  p_fresh_ids bigint[],
  p_found_keys text[],
  p_results jsonb,
  p_model_version text,
  p_request_id text
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
  where j.id = any (p_job_ids)
    and j.id <> all (p_fresh_ids)
    and j.row_key = any (p_found_keys)
    and not exists (
      select from ml.jobs as newer
      where newer.attachment_id = j.attachment_id and newer.row_key = j.row_key and newer.token is null
    )
    -- A newer job of the row may have been answered already, while this one was late.
    and not exists (
      select from public.predictions as r
      where r.prediction = p_attachment.name and r.row_key = j.row_key and r.status = 'done' and r.created_at > j.enqueued_at
    );

  with finished as (
    select j.*, j.id = any (p_fresh_ids) as fresh, r.value as result
    from ml.jobs as j
    join jsonb_array_elements(p_results) as r on (r.value ->> 'job_id')::bigint = j.id
    where j.id = any (p_job_ids)
  ), gone as (
    delete from ml.jobs as j
    where j.id = any (p_job_ids) and j.id <> all (coalesce(v_unsettled, '{}'))
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
    greatest(0, extract(epoch from clock_timestamp() - f.enqueued_at) * 1000), f.attempts, left(p_request_id, 200)
  from finished as f;

  if v_unsettled is not null then
    perform ml.retry_or_bury(v_unsettled, 'input_unstable', 'The input changes though no watched column does.');
  end if;
end
$$;

comment on function ml.settle(ml.attachments, bigint[], bigint[], text[], jsonb, text, text) is
  'Receipts for a committed batch, and its jobs out of the queue.';
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
  v_token uuid;
  v_attachments smallint[];
  a record;
begin
  if (p_limit between 1 and 10000) is not true then
    raise sqlstate 'PT422' using
      message = 'A claim takes 1 to 10000 jobs.', detail = 'LIMIT_OUT_OF_RANGE', hint = 'Lower p_limit.';
  end if;
  perform ml.accept_webhook(p_webhook_id, p_change);
  perform ml.reclaim_expired(p_limit);

  select array_agg(x.id) into v_attachments
  from ml.attachments as x
  join ml.models as m on m.name = x.model
  where p_models ? x.model and (m.breaker_until is null or m.breaker_until <= clock_timestamp());

  for a in
    with due as (
      select j.id, j.attachment_id, j.row_key
      from ml.jobs as j
      where j.token is null and j.run_at <= clock_timestamp() and j.attachment_id = any (v_attachments)
      order by j.priority, j.run_at, j.id
      limit p_limit
      for update skip locked
    )
    select
      x.name, x.key_column, x.key_type, x.source_table, x.model, p_models ->> x.model as model_version,
      m.batch_size, m.timeout_ms, m.lease_seconds, d.job_ids, d.row_keys
    from (
      select due.attachment_id, array_agg(due.id) as job_ids, array_agg(due.row_key) as row_keys
      from due
      group by due.attachment_id
    ) as d
    join ml.attachments as x on x.id = d.attachment_id
    join ml.models as m on m.name = x.model
  loop
    -- A token for each model, because a batch is committed, extended and given up as one.
    v_token := gen_random_uuid();
    return query execute format(
      $q$
      with picked as (
        select * from unnest($1, $2) as p (id, row_key)
      ), loaded as (
        select p.id, p.row_key, case when t.%1$I is not null then ml.%2$I(t) end as input, t.%1$I is null as gone
        from picked as p
        left join %3$s as t on t.%1$I = p.row_key::%4$s
      ), hashed as (
        select l.*, sha256(convert_to(l.input::text, 'UTF8')) as hash from loaded as l
      ), judged as (
        select h.*, last_done.input_hash is not distinct from h.hash as unchanged
        from hashed as h
        left join lateral (
          select r.input_hash, r.model_version
          from public.predictions as r
          where r.prediction = $3 and r.row_key = h.row_key and r.status = 'done'
          order by r.created_at desc
          limit 1
        ) as last_done on last_done.model_version = $4
      ), leased as (
        update ml.jobs as j set token = $5, lease_until = clock_timestamp() + make_interval(secs => $6), input_hash = g.hash
        from judged as g
        where j.id = g.id and g.input is not null and not g.unchanged
        returning j.id, g.row_key, g.input, j.attempts
      ), dropped as (
        delete from ml.jobs as j using judged as g
        where j.id = g.id and (g.input is null or g.unchanged)
        returning j.row_key, j.owner_id, j.attempts, j.enqueued_at, g.gone, g.input
      ), receipts as (
        insert into public.predictions (
          prediction, source_table, row_key, owner_id, model, status, latency_ms, attempts, error, request_id
        )
        select
          $3, $7, d.row_key, d.owner_id, $8, 'superseded',
          greatest(0, extract(epoch from clock_timestamp() - d.enqueued_at) * 1000), d.attempts,
          case when d.gone then 'ROW_GONE' else 'NO_INPUT' end, $9
        from dropped as d
        where d.input is null
      )
      select l.id, $5, $3, $8, l.row_key, l.input, l.attempts, $10, $11, $6
      from leased as l
      $q$,
      a.key_column, a.name || '__input', a.source_table, a.key_type
    ) using
      a.job_ids, a.row_keys, a.name, a.model_version, v_token, a.lease_seconds, a.source_table::text, a.model,
      coalesce(p_request_id, p_worker), a.batch_size, a.timeout_ms;
  end loop;
end
$$;

comment on function ml.claim(text, jsonb, integer, text, text, jsonb) is
  E'Lease due jobs with their inputs\n\np_models maps each model this worker serves to its version. A webhook''s id and changed row come with the claim that they cause, so that both are committed together.';
grant execute on function ml.claim(text, jsonb, integer, text, text, jsonb) to rowcast_service;
-- end file

-- file: sql/functions/ml/heartbeat.sql
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
  ), extended as (
    update ml.jobs as j set lease_until = clock_timestamp() + make_interval(secs => m.lease_seconds)
    from ml.attachments as a
    join ml.models as m on m.name = a.model
    where j.token = any (p_tokens) and j.attachment_id = a.id
    returning j.token
  ), queue as (
    select count(*) as depth, coalesce(extract(epoch from now() - min(j.enqueued_at)), 0)::double precision as oldest
    from ml.jobs as j
  )
  select e.token, e.jobs, q.depth, q.oldest
  from queue as q
  left join (select x.token, count(*)::integer as jobs from extended as x group by x.token) as e on true
$$;

comment on function ml.heartbeat(text, jsonb, uuid[]) is
  E'Say that a worker lives\n\nExtends the leases of the tokens it holds. A token that does not come back has lost its jobs. Also gives the queue''s depth and the age of its oldest job.';
grant execute on function ml.heartbeat(text, jsonb, uuid[]) to rowcast_service;
-- end file

-- file: sql/functions/ml/commit.sql
-- The fence. Jobs are locked by their token, then the rows in key order; the input is derived again under that lock, and
-- only rows whose hash still matches are written. Everything else is superseded. Definer, as in ml.claim.
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
  v_found_keys text[];
  v_found_hashes bytea[];
  v_fresh_ids bigint[];
  v_fresh_keys text[];
  v_outputs jsonb[];
begin
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

    execute format(
      $q$
      select array_agg(f.row_key), array_agg(f.hash)
      from (
        select t.%1$I::text as row_key, sha256(convert_to(ml.%2$I(t)::text, 'UTF8')) as hash
        from %3$s as t
        where t.%1$I = any ($1::%4$s[])
        order by t.%1$I
        for update
      ) as f
      where f.hash is not null
      $q$,
      a.key_column, a.name || '__input', a.source_table, a.key_type
    ) into v_found_keys, v_found_hashes using v_row_keys;

    select array_agg(j.id), array_agg(j.row_key), array_agg(r.value -> 'output')
    into v_fresh_ids, v_fresh_keys, v_outputs
    from ml.jobs as j
    join unnest(v_found_keys, v_found_hashes) as f (row_key, hash)
      on f.row_key = j.row_key and f.hash = j.input_hash
    join jsonb_array_elements(p_results) as r on (r.value ->> 'job_id')::bigint = j.id
    where j.id = any (v_job_ids);

    if v_fresh_ids is not null then
      execute format('select %s($1, $2, $3)', a.apply_function) using v_fresh_keys, v_outputs, p_model_version;
    end if;

    perform ml.settle(
      a, v_job_ids, coalesce(v_fresh_ids, '{}'), coalesce(v_found_keys, '{}'), p_results, p_model_version,
      coalesce(p_request_id, p_token::text)
    );
  end if;

  -- What the token no longer holds belongs to a later claim, a cancellation or an earlier commit; nothing was written.
  return query
  select
    (r ->> 'job_id')::bigint,
    case
      when (r ->> 'job_id')::bigint = any (v_fresh_ids) then 'done'
      when (r ->> 'job_id')::bigint = any (v_job_ids) then 'superseded'
      else 'stale'
    end
  from jsonb_array_elements(p_results) as r;
end
$$;

comment on function ml.commit(uuid, jsonb, text, text) is
  E'Write a batch of results\n\np_results: [{"job_id", "output", "low", "high"}]. Outcome of each: done, superseded or stale. Rows, receipts and events are one transaction.';
grant execute on function ml.commit(uuid, jsonb, text, text) to rowcast_service;
-- end file

-- file: sql/functions/ml/fail.sql
-- Faults have classes (rule 6). item: charged, backs off, ends among the dead letters. batch: nobody is charged, all back
-- off; a job that was put off five times in such company is charged after all, or it would never end. provider: nobody
-- is charged, the whole model rests until the provider wants to be asked again. release: the worker stops; its jobs are
-- free at once. Definer, as in ml.claim.
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
    select j.id from ml.jobs as j
    where j.token = p_token and j.id = any (p_job_ids)
    order by j.id
    for update
  )
  select array_agg(m.id) into v_ids from mine as m;
  if v_ids is null then
    return 0;
  end if;

  if p_class = 'item' then
    return ml.retry_or_bury(v_ids, 'item_fault', p_error);
  end if;

  if p_class = 'batch' then
    select array_agg(j.id) into v_worn from ml.jobs as j where j.id = any (v_ids) and j.deferrals >= 5;
    if v_worn is not null then
      return ml.retry_or_bury(v_worn, 'batch_fault', p_error)
        + ml.put_back(array(select i from unnest(v_ids) as i where i <> all (v_worn)), p_class, '0'::interval);
    end if;
  end if;

  -- A provider's own wish is kept, within a second and an hour.
  v_wait := make_interval(secs => greatest(1, least(3600, coalesce(p_retry_after, 30))));
  if p_class = 'provider' then
    update ml.models as m set breaker_until = clock_timestamp() + v_wait, breaker_reason = left(p_error, 2000)
    where m.name in (
      select a.model from ml.jobs as j join ml.attachments as a on a.id = j.attachment_id where j.id = any (v_ids)
    );
  end if;
  return ml.put_back(v_ids, p_class, v_wait);
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
  v_pending bigint[];
  v_leased bigint[];
  v_count integer;
begin
  -- A pending job is waited for: only a claim can hold it, and briefly. A leased one is taken only if it is free, because
  -- its commit may be waiting for the very row that the caller has locked; that commit then meets the fence.
  select array_agg(j.id) into v_pending
  from (
    select x.id from ml.jobs as x join ml.attachments as a on a.id = x.attachment_id
    where a.name = p_name and x.row_key = p_row_key and x.token is null
    for update of x
  ) as j;
  select array_agg(j.id) into v_leased
  from (
    select x.id from ml.jobs as x join ml.attachments as a on a.id = x.attachment_id
    where a.name = p_name and x.row_key = p_row_key and x.token is not null
    for update of x skip locked
  ) as j;

  with gone as (
    delete from ml.jobs as j using ml.attachments as a
    where j.id = any (v_pending || v_leased) and a.id = j.attachment_id
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
language sql
volatile
security invoker
set search_path = ''
as $$
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
    insert into ml.jobs (attachment_id, row_key, owner_id)
    select distinct on (r.attachment_id, r.row_key) r.attachment_id, r.row_key, r.owner_id
    from risen as r
    on conflict (attachment_id, row_key) where token is null do nothing
  )
  select count(*) from risen
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
select cron.schedule('rowcast-maintain', '7 * * * *', 'select ml.maintain()');
select cron.schedule('rowcast-wakeup', '10 seconds', 'select ml.send_wakeup()');
