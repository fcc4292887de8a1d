-- Purpose: the functions of the prediction pipeline, their schedule, and the health of it all.
-- Locks and risks: new functions; one trigger on public.predictions.
-- Undo: drop the functions; `select cron.unschedule(name)` for the three jobs.

-- file: sql/functions/ml/nobody.sql
create or replace function ml.nobody()
returns uuid
language sql
immutable
security invoker
set search_path = ''
return '00000000-0000-0000-0000-000000000000'::uuid;

comment on function ml.nobody() is 'Stands for "no owner" in the queue, so that its index needs no NULLs.';
-- end file

-- file: sql/functions/ml/hint.sql
-- The sleeper's protocol. A worker that finds nothing takes the exclusive advisory lock, looks once more, and only
-- then waits. A writer takes the shared lock after its insert and keeps it to the end of its transaction:
--   got it      → nobody sleeps; whoever wants to sleep must first wait for this transaction and will then see its jobs;
--   did not get → somebody sleeps (or is about to): notify.
-- So no wake-up is lost, and NOTIFY, whose commits are serialised, is paid only when it is needed. The triggers of
-- ml.generate hold the same two lines, since a call is dear in the write path.
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

-- file: sql/functions/ml/drop_gone.sql
-- A deleted row's job goes with it. Only what is free is taken, so that no DELETE waits for a worker: a claim that has the job
-- just now, or a batch that is running, finds the row gone by itself.
create or replace function ml.drop_gone(p_attachment_id smallint, p_row_keys text[])
returns void
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  with gone as (
    delete from ml.jobs as j
    where j.ctid = any (array(
      select x.ctid from ml.jobs as x
      where x.attachment_id = p_attachment_id and x.row_key = any (p_row_keys)
      for update skip locked
    ))
    returning j.row_key, j.owner_id, j.enqueued_at, 0::smallint as attempts
  ), gone_retries as (
    delete from ml.retries as r
    where r.ctid = any (array(
      select x.ctid from ml.retries as x
      where x.attachment_id = p_attachment_id and x.row_key = any (p_row_keys)
      for update skip locked
    ))
    returning r.row_key, r.owner_id, r.enqueued_at, r.attempts
  )
  insert into public.predictions (
    prediction, source_table, row_key, owner_id, model, status, latency_ms, attempts, error
  )
  select
    a.name, a.source_table::text, g.row_key, nullif(g.owner_id, ml.nobody()), a.model, 'superseded',
    greatest(0, extract(epoch from clock_timestamp() - g.enqueued_at) * 1000), g.attempts, 'ROW_GONE'
  from (select * from gone union all select * from gone_retries) as g
  cross join ml.attachments as a
  where a.id = p_attachment_id;
end
$$;

comment on function ml.drop_gone(smallint, text[]) is 'Takes the jobs of deleted rows out of the queue, with a receipt that says so.';
-- end file

-- file: sql/functions/ml/generate.sql
-- Static code for each attachment, so that neither the write path nor the claim pays for dynamic SQL. It yields definitions only;
-- ml.attach runs them, and ml.doctor compares them with what is there.
-- Triggers are statement-level with transition tables: a bulk write costs one insert, in key order, so that two writers
-- cannot deadlock. A column list is not allowed beside transition tables, so the update trigger compares the watched columns
-- itself. Definer: writers have no right on the queue. The last lines of each are the sleeper's protocol; see ml.hint.
create or replace function ml.generate(a ml.attachments)
returns table (object_name name, definition text)
language plpgsql
stable
security invoker
set search_path = ''
as $$
declare
  v_sorted text := format(case when a.key_type in ('text', 'varchar') then 'n.%I collate "C"' else 'n.%I' end, a.key_column);
  v_owner text := format('coalesce(%s, %L)::uuid', case when a.owner_column is null then 'null' else 'n.' || quote_ident(a.owner_column) end, ml.nobody());
  v_new text := (select string_agg(format('n.%I', w), ', ') from unnest(a.watched_columns) as w);
  v_old text := (select string_agg(format('o.%I', w), ', ') from unnest(a.watched_columns) as w);
  v_trigger constant text := $q$
    create or replace function ml.%1$I() returns trigger
    language plpgsql volatile security definer set search_path = '' as $f$
    begin
      %2$s
      if found and not pg_catalog.pg_try_advisory_xact_lock_shared(20261120, 1) then
        perform pg_catalog.pg_notify('rowcast_jobs', '');
      end if;
      return null;
    end
    $f$
  $q$;
  v_enqueue constant text := $q$
      insert into ml.jobs as j (attachment_id, row_key, owner_id, is_new, enqueued_at)
      select %1$s, n.%2$I::text, %3$s, %4$s, pg_catalog.clock_timestamp()
      from %5$s
      order by %6$s
      on conflict (attachment_id, row_key) do update set
        owner_id = excluded.owner_id, is_new = j.is_new or excluded.is_new, is_background = false
      where (j.owner_id, j.is_new, j.is_background) is distinct from (excluded.owner_id, j.is_new or excluded.is_new, false);
      $q$;
begin
  -- The rows as the model would see them. Under p_lock they are locked, and a row that somebody else has locked is left out
  -- rather than waited for: a writer who holds it may be waiting for us. FOR NO KEY UPDATE, because foreign keys to the row may
  -- hold it FOR KEY SHARE.
  object_name := a.name || '__read';
  definition := format(
    $q$
    create or replace function ml.%1$I(
      p_row_keys text[], p_lock boolean, out row_keys text[], out inputs text[], out hashes bytea[]
    )
    language plpgsql volatile security invoker set search_path = '' set enable_seqscan = off as $f$
    begin
      if p_lock then
        select array_agg(f.row_key), array_agg(f.input), array_agg(sha256(convert_to(f.input, 'UTF8')))
        into row_keys, inputs, hashes
        from (
          select t.%2$I::text as row_key, (%3$s)::jsonb::text as input
          from %4$s as t where t.%2$I = any (p_row_keys::%5$s[]) for no key update of t skip locked
        ) as f;
      else
        select array_agg(f.row_key), array_agg(f.input), array_agg(sha256(convert_to(f.input, 'UTF8')))
        into row_keys, inputs, hashes
        from (
          select t.%2$I::text as row_key, (%3$s)::jsonb::text as input
          from %4$s as t where t.%2$I = any (p_row_keys::%5$s[])
        ) as f;
      end if;
    end
    $f$
    $q$,
    object_name, a.key_column, a.input_expression, a.source_table, a.key_type
  );
  return next;

  object_name := 'tg_' || a.name || '__insert';
  definition := format(
    v_trigger, object_name, format(v_enqueue, a.id, a.key_column, v_owner, 'true', 'new_rows as n', v_sorted)
  );
  return next;
  object_name := 'tg_' || a.name || '__update';
  definition := format(
    v_trigger, object_name,
    format(
      v_enqueue, a.id, a.key_column, v_owner, format('o.%I is null', a.key_column),
      format(
        'new_rows as n left join old_rows as o on o.%1$I = n.%1$I where o.%1$I is null or (%2$s) is distinct from (%3$s)',
        a.key_column, v_new, v_old
      ),
      v_sorted
    )
  );
  return next;
  object_name := 'tg_' || a.name || '__delete';
  definition := format(
    $q$
    create or replace function ml.%1$I() returns trigger
    language plpgsql volatile security definer set search_path = '' as $f$
    begin
      perform ml.drop_gone(%2$s::smallint, (select pg_catalog.array_agg(o.%3$I::text) from old_rows as o));
      return null;
    end
    $f$
    $q$,
    object_name, a.id, a.key_column
  );
  return next;

  for object_name, definition in
    select
      '_800_predict_' || a.name || '_' || e.event,
      format(
        'create or replace trigger %I after %s on %s referencing %s for each statement execute function ml.%I()',
        '_800_predict_' || a.name || '_' || e.event, e.event, a.source_table, e.rows, 'tg_' || a.name || '__' || e.event
      )
    from (
      values ('insert', 'new table as new_rows'), ('update', 'old table as old_rows new table as new_rows'),
        ('delete', 'old table as old_rows')
    ) as e (event, rows)
  loop
    return next;
  end loop;
end
$$;

comment on function ml.generate(ml.attachments) is 'The functions and triggers that an attachment consists of, as their definitions.';
-- end file

-- file: sql/functions/ml/generated_hash.sql
-- Of what is in the catalogue, so that a function replaced by hand, a dropped trigger and a disabled one all show.
create or replace function ml.generated_hash(a ml.attachments)
returns text
language sql
stable
security invoker
set search_path = ''
as $$
  select encode(sha256(convert_to(coalesce(string_agg(x.definition, E'\n' order by x.definition), ''), 'UTF8')), 'hex')
  from (
    select p.prosrc || array_to_string(p.proconfig, ',') || p.prosecdef::text as definition
    from pg_proc as p
    where p.pronamespace = 'ml'::regnamespace
      and p.proname = any (array[
        a.name || '__read', 'tg_' || a.name || '__insert', 'tg_' || a.name || '__update', 'tg_' || a.name || '__delete'
      ])
    union all
    select pg_get_triggerdef(t.oid) || t.tgenabled::text
    from pg_trigger as t
    where t.tgrelid = a.source_table and starts_with(t.tgname, '_800_predict_' || a.name || '_')
  ) as x
$$;

comment on function ml.generated_hash(ml.attachments) is 'Hash of an attachment''s functions and triggers as they are in the database.';
-- end file

-- file: sql/functions/ml/ungenerate.sql
create or replace function ml.ungenerate(p_name text)
returns void
language plpgsql
volatile
security invoker
set search_path = ''
set client_min_messages = warning
as $$
declare
  v_routine regprocedure;
begin
  for v_routine in
    select p.oid::regprocedure
    from pg_proc as p
    where p.pronamespace = 'ml'::regnamespace
      and p.proname = any (array[
        p_name || '__read', 'tg_' || p_name || '__insert', 'tg_' || p_name || '__update', 'tg_' || p_name || '__delete'
      ])
  loop
    execute format('drop function %s cascade', v_routine);
  end loop;
end
$$;

comment on function ml.ungenerate(text) is 'Drops what ml.generate defined for an attachment; the triggers go with their functions.';
-- end file

-- file: sql/functions/ml/forget_jobs.sql
-- What a claim or a commit holds just now is passed over, because that may be waiting for the very table that the caller is about
-- to change. It ends by itself: a lease runs out, and ml.maintain removes what belongs to no attachment.
create or replace function ml.forget_jobs(p_attachment_id smallint)
returns void
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  delete from ml.jobs as j where j.ctid = any (array(
    select x.ctid from ml.jobs as x where x.attachment_id = p_attachment_id for update skip locked
  ));
  delete from ml.retries as r where r.ctid = any (array(
    select x.ctid from ml.retries as x where x.attachment_id = p_attachment_id for update skip locked
  ));
  delete from ml.leases as l where l.ctid = any (array(
    select x.ctid from ml.leases as x where x.attachment_id = p_attachment_id for update skip locked
  ));
end
$$;

comment on function ml.forget_jobs(smallint) is 'Drops all that is owed to an attachment.';
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
  v_key name;
  v_key_type regtype;
  v_missing text;
  v_definition text;
  v_changed boolean;
  v_row ml.attachments;
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

  -- The expression is checked here, where its author sees the error, and not in the first claim.
  execute format('select (%s)::jsonb from %s as t limit 0', p_input, p_table);

  insert into ml.models (name) values (p_model) on conflict (name) do nothing;

  select x.* into v_row from ml.attachments as x where x.name = p_name for update;
  -- A step of a backfill locks this first and the table after it, and so does this.
  perform from ml.backfills as b where b.attachment_id = v_row.id for update;
  -- What is answered differently from now on: answers from before it no longer spare a call.
  v_changed := v_row.id is not null and (
    v_row.source_table, v_row.key_column, v_row.key_type, v_row.model, v_row.input_expression, v_row.apply_function
  ) is distinct from (p_table, v_key, v_key_type, p_model, p_input, p_apply);
  -- Jobs of another table, or with keys of another type, are nobody's any more.
  if (v_row.source_table, v_row.key_type) is distinct from (p_table, v_key_type) then
    perform ml.forget_jobs(v_row.id);
    perform ml.ungenerate(p_name);
  end if;

  insert into ml.attachments as x (
    name, source_table, key_column, key_type, model, input_expression, watched_columns, owner_column, apply_function
  )
  values (p_name, p_table, v_key, v_key_type, p_model, p_input, p_watch::name[], p_owner, p_apply)
  on conflict (name) do update set
    source_table = excluded.source_table, key_column = excluded.key_column, key_type = excluded.key_type,
    model = excluded.model, input_expression = excluded.input_expression,
    watched_columns = excluded.watched_columns, owner_column = excluded.owner_column,
    apply_function = excluded.apply_function,
    updated_at = case when v_changed then clock_timestamp() else x.updated_at end
  returning * into v_row;

  -- Replaced rather than dropped, so that a claim or a commit that is under way finds its functions.
  for v_definition in select g.definition from ml.generate(v_row) as g loop
    execute v_definition;
  end loop;
  update ml.attachments as x set generated_hash = ml.generated_hash(x) where x.id = v_row.id;

  -- The rows that are there are asked again, at low priority; ml.advance_backfills goes on with it.
  if v_changed then
    perform ml.backfill(p_name, p_limit => 1, p_restart => true);
  end if;
  return v_row.id;
end
$$;

comment on function ml.attach(text, regclass, text, text, text[], text, text) is
  E'Attach a prediction to a table\n\nCall it in a migration. Idempotent: the same call again changes nothing, a changed one replaces the old and asks again for the rows that are there, at low priority. p_input is an expression over the row `t` that yields jsonb; it must depend on the watched columns alone.';
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
  perform ml.ungenerate(p_name);
  perform ml.forget_jobs(v_id);
  delete from ml.attachments where id = v_id;
  return true;
end
$$;

comment on function ml.detach(text) is
  E'Take a prediction off its table\n\nDrops triggers and waiting jobs; receipts and results stay. False when there was none of that name.';
-- end file

-- file: sql/functions/ml/enqueue.sql
-- For rows that are there already. A row that somebody has locked may have a job in that transaction, on which an insert would
-- wait, and the writer perhaps on us: such rows go to ml.retries, which no writer touches.
create or replace function ml.enqueue(
  p_attachment_id smallint,
  p_row_keys text[],
  p_background boolean default false,
  p_is_new boolean default false
)
returns bigint
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  a ml.attachments;
  v_free text[];
  v_count bigint;
  v_patience constant text := current_setting('lock_timeout');
begin
  select * into strict a from ml.attachments where id = p_attachment_id;
  -- Keys come from outside (a webhook names them), so a key of the wrong type is no row rather than an error.
  p_row_keys := array(select k from unnest(p_row_keys) as k where pg_catalog.pg_input_is_valid(k, a.key_type::text));
  execute format(
    $q$
    with free as (
      select t.%1$I::text as row_key, coalesce(%2$s, ml.nobody()) as owner_id
      from %3$s as t where t.%1$I = any ($1::%4$s[])
      for share of t skip locked
    ), owed as (
      insert into ml.jobs as j (attachment_id, row_key, owner_id, is_background, is_new)
      select $2, f.row_key, f.owner_id, $3, $4 from free as f
      order by f.row_key collate "C"
      on conflict (attachment_id, row_key) do update set
        is_background = j.is_background and excluded.is_background, is_new = j.is_new or excluded.is_new
      where (j.is_background and not excluded.is_background) or (excluded.is_new and not j.is_new)
    )
    select array_agg(f.row_key) from free as f
    $q$,
    a.key_column, case when a.owner_column is null then 'null::uuid' else format('t.%I', a.owner_column) end,
    a.source_table, a.key_type
  ) into v_free using p_row_keys, a.id, p_background, p_is_new;
  v_count := coalesce(cardinality(v_free), 0);

  if v_count < cardinality(p_row_keys) then
    -- Whoever gives back several leases in one transaction, and this, could each hold a key that the other waits for. This one
    -- lets go of all of its own, and begins again.
    loop
      begin
        perform set_config('lock_timeout', '100ms', true);
        execute format(
          $q$
          insert into ml.retries as r (
            attachment_id, row_key, owner_id, enqueued_at, run_at, is_new, is_background, attempts, deferrals, suspicion, reason
          )
          select $2, t.%1$I::text, coalesce(%2$s, ml.nobody()), clock_timestamp(), clock_timestamp() + interval '1 second', $4, $3,
            0, 0, 0, 'row_busy'
          from %3$s as t
          where t.%1$I = any ($1::%4$s[]) and t.%1$I::text <> all ($5)
          order by t.%1$I::text collate "C"
          on conflict (attachment_id, row_key) do update set is_new = r.is_new or excluded.is_new
          $q$,
          a.key_column, case when a.owner_column is null then 'null::uuid' else format('t.%I', a.owner_column) end,
          a.source_table, a.key_type
        ) using p_row_keys, a.id, p_background, p_is_new, coalesce(v_free, '{}');
        get diagnostics v_count = row_count;
        perform set_config('lock_timeout', v_patience, true);
        exit;
      exception when lock_not_available then
        null;
      end;
    end loop;
    v_count := v_count + coalesce(cardinality(v_free), 0);
  end if;
  if v_count > 0 then
    perform ml.hint();
  end if;
  return v_count;
end
$$;

comment on function ml.enqueue(smallint, text[], boolean, boolean) is
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
  insert into ml.backfills (attachment_id, total)
  select a.id, greatest(0, c.reltuples) from pg_class as c where c.oid = a.source_table
  on conflict (attachment_id) do nothing;
  -- The row lock makes two callers take turns, so that no chunk is walked twice.
  select x.* into b from ml.backfills as x where x.attachment_id = a.id for update;
  if p_restart then
    update ml.backfills as x set
      last_key = null, enqueued = 0, started_at = now(), finished_at = null,
      total = (select greatest(0, c.reltuples) from pg_class as c where c.oid = a.source_table)
    where x.attachment_id = a.id
    returning x.* into b;
  end if;

  if b.finished_at is null then
    execute format(
      'select array(select t.%1$I::text from %2$s as t where $1 is null or t.%1$I > $1::%3$s order by t.%1$I limit $2)',
      a.key_column, a.source_table, a.key_type
    ) into v_keys using b.last_key, p_limit;
    enqueued := ml.enqueue(a.id, v_keys, p_background => true);
    update ml.backfills as x set
      last_key = coalesce(v_keys[cardinality(v_keys)], x.last_key),
      enqueued = x.enqueued + backfill.enqueued,
      moved_at = clock_timestamp(),
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

-- file: sql/functions/ml/advance_backfills.sql
-- Every ten seconds, by pg_cron. The queue is topped up rather than flooded: a re-prediction of a million rows never has
-- more than a few steps of them waiting.
create or replace function ml.advance_backfills(p_step integer default 10000)
returns bigint
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_name text;
  v_waiting bigint;
  v_sum bigint := 0;
begin
  for v_name in
    select a.name from ml.backfills as b
    join ml.attachments as a on a.id = b.attachment_id
    where b.finished_at is null and a.paused_at is null
    order by b.started_at
  loop
    select count(*) into v_waiting
    from (
      select from ml.jobs as j join ml.attachments as a on a.id = j.attachment_id
      where a.name = v_name and j.is_background
      limit 2 * p_step
    ) as x;
    if v_waiting < 2 * p_step then
      v_sum := v_sum + (select s.enqueued from ml.backfill(v_name, p_step) as s);
    end if;
  end loop;
  return v_sum;
end
$$;

comment on function ml.advance_backfills(integer) is 'One more step of each backfill that is not finished, unless many of its jobs still wait. Returns how many were enqueued.';
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

-- file: sql/functions/ml/give_back.sql
-- The one way back from a lease. Charged: an attempt is used up, and the last one ends among the dead letters. Not charged:
-- only put off. A job yields to a younger one of its row, pending or leased since (rule 3), which inherits that the row is new:
-- here, if it is free; a pending one in somebody's hands finds a retry beside it, which its claim or the next takes along.
-- It never waits for a writer: what comes back goes to ml.retries, which writers do not touch; a claim that finds both lets the
-- pending one answer.
-- The error's text stays with the operator, but for the model's own word on an input: a receipt is read by its owner.
create or replace function ml.give_back(
  a ml.attachments,
  m ml.models,
  p_jobs ml.owed[],
  p_reason text,
  p_error text,
  p_charge boolean,
  p_wait interval default null,
  p_leased_at timestamptz default clock_timestamp(),
  p_request_id text default null
)
returns integer
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_now constant timestamptz := clock_timestamp();
  v_new constant text[] := array(select j.row_key from unnest(p_jobs) as j where j.is_new);
  v_count integer;
begin
  with inherited as (
    update ml.jobs as p set is_new = true
    where p.ctid = any (array(
      select x.ctid from ml.jobs as x where x.attachment_id = a.id and x.row_key = any (v_new) for update skip locked
    ))
    returning p.row_key
  ), judged as (
    select
      j.*,
      y.pending and (not j.is_new or exists (select from inherited as i where i.row_key = j.row_key)) as yields,
      p_charge and j.attempts + 1 >= m.max_attempts and not y.pending as dead,
      make_interval(secs => case
        -- Whoever holds the row has held it for a while, and may go on: a quarter of the job's age, a minute at most.
        when p_reason = 'row_busy' then least(60, greatest(1, extract(epoch from v_now - j.enqueued_at) / 4))
        -- Exponential, at most an hour, with 20 % of jitter either way.
        else least(3600, m.backoff_seconds * 2 ^ least(case when p_charge then j.attempts else j.deferrals end, 20))
          * (0.8 + 0.4 * random())
      end) as pause
    from unnest(p_jobs) as j
    cross join lateral (
      select exists (select from ml.jobs as p where p.attachment_id = a.id and p.row_key = j.row_key) as pending
    ) as y
    where j.row_key is not null
      and not exists (
        select from ml.leases as l
        where l.attachment_id = a.id and l.leased_at > p_leased_at
          and j.row_key = any (array(select x.row_key from unnest(l.jobs) as x))
      )
  ), back as (
    insert into ml.retries as r (
      attachment_id, row_key, owner_id, enqueued_at, run_at, is_new, is_background, attempts, deferrals, suspicion, reason
    )
    select
      a.id, g.row_key, g.owner_id, g.enqueued_at, v_now + coalesce(p_wait, g.pause), g.is_new, g.is_background,
      g.attempts + p_charge::integer,
      least(g.deferrals + (p_reason = 'batch_fault' and not p_charge)::integer, 32767),
      least(g.suspicion + (p_reason = 'lease_expired')::integer, 32767), p_reason
    from judged as g
    where not g.dead and not g.yields
    order by g.row_key collate "C"
    on conflict (attachment_id, row_key) do update set is_new = r.is_new or excluded.is_new
  ), buried as (
    insert into ml.dead_letters (attachment_id, row_key, owner_id, attempts, reason, error)
    select a.id, g.row_key, nullif(g.owner_id, ml.nobody()), g.attempts + 1, p_reason, left(p_error, 2000)
    from judged as g
    where g.dead
  )
  insert into public.predictions (
    prediction, source_table, row_key, owner_id, model, status, input_hash, latency_ms, attempts, error, request_id
  )
  select
    a.name, a.source_table::text, g.row_key, nullif(g.owner_id, ml.nobody()), a.model, 'failed', g.input_hash,
    greatest(0, extract(epoch from v_now - g.enqueued_at) * 1000), g.attempts + 1,
    case when p_error like 'INVALID_INPUT: %' then left(p_error, 2000) else p_reason end, left(p_request_id, 200)
  from judged as g
  where g.dead;

  if v_new <> '{}' then
    update ml.leases as l set jobs = array(
      select (j.row_key, j.owner_id, j.enqueued_at, j.is_new or j.row_key = any (v_new), j.is_background,
        j.attempts, j.deferrals, j.suspicion, j.input_hash)::ml.owed
      from unnest(l.jobs) with ordinality as j
      order by j.ordinality
    )
    where l.token = any (array(
      -- One that is ending just now is left alone.
      select x.token from ml.leases as x
      where x.attachment_id = a.id and x.leased_at > p_leased_at
        and exists (select from unnest(x.jobs) as j where j.row_key = any (v_new) and not j.is_new)
      for update skip locked
    ));
  end if;

  select count(*) into v_count from unnest(p_jobs) as j where j.row_key is not null;
  return v_count;
end
$$;

comment on function ml.give_back(ml.attachments, ml.models, ml.owed[], text, text, boolean, interval, timestamptz, text) is
  'Jobs of a lease go to the retries, or to the dead letters when they are charged for the last time. Returns how many came.';
-- end file

-- file: sql/functions/ml/reclaim_expired.sql
-- Whatever killed the worker may have been a job. A lone one is charged. Of several, all become suspects, who travel in smaller
-- batches from now on, and nobody is charged: the innocents would pay for their company. Part of the heartbeat, not of the claim:
-- whoever lives takes over.
create or replace function ml.reclaim_expired()
returns integer
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  l ml.leases;
  v_of record;
  v_count integer := 0;
begin
  for l in
    select x.* from ml.leases as x
    where x.lease_until < clock_timestamp()
    order by x.lease_until
    limit 100
    for update skip locked
  loop
    select a, m into v_of from ml.attachments as a join ml.models as m on m.name = a.model where a.id = l.attachment_id;
    if found then
      v_count := v_count + ml.give_back(
        v_of.a, v_of.m, l.jobs, 'lease_expired', 'The worker fell silent before it answered.',
        (select count(j.row_key) = 1 from unnest(l.jobs) as j),
        p_wait => '0'::interval, p_leased_at => l.leased_at, p_request_id => l.request_id
      );
    end if;
    delete from ml.leases as x where x.token = l.token;
  end loop;
  if v_count > 0 then
    perform ml.hint();
  end if;
  return v_count;
end
$$;

comment on function ml.reclaim_expired() is 'Takes back jobs whose lease ran out. Returns how many.';
-- end file

-- file: sql/functions/ml/lanes.sql
-- Whose turn it is: owners with pending jobs, from the one whose turn is next, round to it. A loose index scan: one step an
-- owner, however many jobs each has; those that are shut are stepped over and not counted. p_floor spares the scan what is known
-- to be gone; see ml.take_pending.
create or replace function ml.lanes(
  p_attachment_id smallint,
  p_background boolean,
  p_next uuid,
  p_floor timestamptz,
  p_limit integer,
  p_shut uuid[]
)
returns uuid[]
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_first uuid;
  v_lanes uuid[];
begin
  -- Most often nobody or one alone waits, which two glances tell.
  v_first := (
    select j.owner_id from ml.jobs as j
    where j.attachment_id = p_attachment_id and j.is_background = p_background
      and (j.owner_id, j.enqueued_at) >= (p_next, p_floor) and j.enqueued_at >= p_floor
    order by j.owner_id, j.enqueued_at
    limit 1
  );
  if v_first is null then
    return '{}';
  end if;
  if p_shut is null and not exists (
    select from ml.jobs as j
    where j.attachment_id = p_attachment_id and j.is_background = p_background
      and j.owner_id > v_first and j.enqueued_at >= p_floor
  ) then
    return array[v_first];
  end if;

  with recursive ahead as (
    select v_first as owner_id, (p_shut is null or v_first <> all (p_shut))::integer as n
    union all
    select x.owner_id, a.n + (p_shut is null or x.owner_id <> all (p_shut))::integer
    from ahead as a
    cross join lateral (
      select (
        select j.owner_id from ml.jobs as j
        where j.attachment_id = p_attachment_id and j.is_background = p_background
          and j.owner_id > a.owner_id and j.enqueued_at >= p_floor
        order by j.owner_id, j.enqueued_at
        limit 1
      ) as owner_id
    ) as x
    where a.owner_id is not null and a.n < p_limit
  )
  select array_agg(a.owner_id order by a.n) into v_lanes
  from ahead as a
  where a.owner_id is not null and (p_shut is null or a.owner_id <> all (p_shut));
  return coalesce(v_lanes, '{}');
end
$$;

comment on function ml.lanes(smallint, boolean, uuid, timestamptz, integer, uuid[]) is
  'Owners with pending jobs of an attachment, at most p_limit, in the order of their turns from p_next on.';
-- end file

-- file: sql/functions/ml/take_pending.sql
-- Takes jobs out of ml.jobs: the same number from each owner in turn, the oldest of each. So an owner's import of a hundred
-- thousand rows delays another's single row by one batch.
-- What this session has learnt is kept in a setting of the session, as a hint that may be lost at any time: whose turn is next,
-- and a time before which nothing is pending. The second matters while an old snapshot keeps deleted jobs in the index, which
-- a claim would otherwise walk past again and again. A job of a long transaction may become visible behind that time; so
-- every quarter of a second the look is from the beginning.
create or replace function ml.take_pending(
  p_attachment_id smallint,
  p_background boolean,
  p_limit integer,
  p_shut uuid[] default null
)
returns ml.owed[]
language plpgsql
volatile
security invoker
set search_path = ''
set enable_seqscan = off
set enable_bitmapscan = off
as $$
declare
  v_setting constant text := format('rowcast.turn_%s_%s', p_attachment_id, p_background::integer);
  v_hint text[] := string_to_array(nullif(current_setting(v_setting, true), ''), '|');
  v_next uuid := coalesce(v_hint[1]::uuid, ml.nobody());
  v_floor timestamptz := coalesce(v_hint[2]::timestamptz, '-infinity');
  v_look_at timestamptz := coalesce(v_hint[3]::timestamptz, '-infinity');
  v_now timestamptz := clock_timestamp();
  v_lanes uuid[];
  v_wrapped boolean;
  v_quantum integer;
  v_left integer := p_limit;
  v_taken ml.owed[];
  v_jobs ml.owed[] := '{}';
  v_upto timestamptz;
  v_sure timestamptz;
begin
  if v_look_at <= v_now then
    v_floor := '-infinity';
  end if;
  loop
    v_lanes := ml.lanes(p_attachment_id, p_background, v_next, v_floor, v_left + 1, p_shut);
    -- From the end round to the beginning.
    v_wrapped := cardinality(v_lanes) <= v_left;
    if v_wrapped and v_next <> ml.nobody() then
      v_lanes := v_lanes || array(
        select o from unnest(
          ml.lanes(p_attachment_id, p_background, ml.nobody(), v_floor, v_left + 1 - cardinality(v_lanes), p_shut)
        ) as o
        where o < v_next
      );
      v_wrapped := cardinality(v_lanes) <= v_left;
    end if;
    v_next := case when v_wrapped then v_lanes[1] else v_lanes[v_left + 1] end;
    v_sure := null;

    while v_left > 0 and cardinality(v_lanes) > 0 loop
      v_quantum := greatest(1, v_left / cardinality(v_lanes));
      with gone as (
        delete from ml.jobs as j
        where j.ctid = any (array(
          select x.ctid
          from unnest(v_lanes) as lane (owner_id)
          cross join lateral (
            select y.ctid from ml.jobs as y
            where y.attachment_id = p_attachment_id and y.is_background = p_background
              and y.owner_id = lane.owner_id and y.enqueued_at >= v_floor
            order by y.enqueued_at
            limit v_quantum
            for update skip locked
          ) as x
          limit v_left
        ))
        returning j.*
      )
      select
        array_agg((g.row_key, g.owner_id, g.enqueued_at, g.is_new, g.is_background, 0, 0, 0, null)::ml.owed), max(g.enqueued_at)
      into v_taken, v_upto
      from gone as g;
      exit when v_taken is null;
      if v_sure is null and cardinality(v_lanes) > 1 then
        v_upto := (
          select min(l.upto) from (select max(t.enqueued_at) as upto from unnest(v_taken) as t group by t.owner_id) as l
        );
      end if;
      v_sure := coalesce(v_sure, v_upto);
      v_jobs := v_jobs || v_taken;
      v_left := v_left - cardinality(v_taken);
      exit when v_left = 0;
      -- Those that had their full share may have more.
      v_lanes := array(
        select t.owner_id from unnest(v_taken) as t group by t.owner_id having count(*) >= v_quantum
      );
    end loop;
    exit when v_left = 0 or v_floor = '-infinity';
    v_floor := '-infinity';
    v_next := coalesce(v_next, ml.nobody());
  end loop;

  -- Every lane was served, in a full batch: what is left in each lies behind what its first round took.
  if v_left = 0 and v_wrapped then
    v_floor := coalesce(v_sure, v_floor);
  elsif v_left > 0 then
    v_floor := '-infinity';
  end if;
  perform set_config(
    v_setting,
    concat_ws('|', coalesce(v_next, ml.nobody()), v_floor, case when v_look_at <= v_now then v_now + interval '250 ms' else v_look_at end),
    false
  );
  return v_jobs;
end
$$;

comment on function ml.take_pending(smallint, boolean, integer, uuid[]) is
  'Takes at most p_limit pending jobs of an attachment out of the queue, owner by owner.';
-- end file

-- file: sql/functions/ml/take_retries.sql
-- Retries travel apart from fresh jobs, so that a suspect endangers nobody new; and suspects in batches an eighth the size for
-- each lease that ran out with them, so that the one that kills workers is alone after three times.
-- One whose row has a pending job waits for that: its claim takes the retry along. One whose row is in a running batch waits for
-- the end of that: its answer may spare the call. Both are looked at in one statement, which sees a claim wholly or not at all; but for
-- the claim that asks, whose fresh jobs are neither pending any more nor in a batch yet: these rows are named in p_fresh.
create or replace function ml.take_retries(
  p_attachment_id smallint, p_limit integer, p_shut uuid[] default null, p_fresh text[] default '{}'
)
returns setof ml.owed
language plpgsql
volatile
security invoker
set search_path = ''
set enable_seqscan = off
as $$
begin
  if p_limit <= 0 or not exists (
    select from ml.retries as r where r.attachment_id = p_attachment_id and r.run_at <= clock_timestamp()
  ) then
    return;
  end if;
  -- The oldest that is ready says which suspicion travels.
  return query
  with running as materialized (
    select j.row_key
    from ml.leases as l
    cross join lateral unnest(l.jobs) as j
    where l.attachment_id = p_attachment_id
  ), ready as materialized (
    select r.row_key, r.suspicion, row_number() over (order by r.run_at) as n
    from ml.retries as r
    where r.attachment_id = p_attachment_id and r.run_at <= clock_timestamp()
      and (p_shut is null or r.owner_id <> all (p_shut))
      and r.row_key <> all (p_fresh)
      and not exists (
        select from ml.jobs as j where j.attachment_id = r.attachment_id and j.row_key = r.row_key
      )
      and not exists (select from running as x where x.row_key = r.row_key)
    order by r.run_at
    limit p_limit
  ), due as (
    select r.row_key
    from ml.retries as r
    join ready as x on x.row_key = r.row_key
    join ready as first on first.n = 1 and first.suspicion = x.suspicion
    where r.attachment_id = p_attachment_id
    order by x.n
    limit greatest(1, p_limit / (select (8 ^ least(first.suspicion, 6))::integer from ready as first where first.n = 1))
    for update of r skip locked
  )
  delete from ml.retries as r using due
  where r.attachment_id = p_attachment_id and r.row_key = due.row_key
  returning
    r.row_key, r.owner_id, r.enqueued_at, r.is_new, r.is_background, r.attempts, r.deferrals, r.suspicion, null::bytea;
end
$$;

comment on function ml.take_retries(smallint, integer, uuid[], text[]) is
  'Takes at most p_limit due retries of an attachment, all under the same suspicion, but for rows in p_fresh.';
-- end file

-- file: sql/functions/ml/count_ready_retries.sql
-- The conditions of ml.take_retries: one that it would pass over must keep no fresh job waiting, least of all the one that it
-- waits for itself.
create or replace function ml.count_ready_retries(p_attachment_id smallint, p_most integer, p_shut uuid[])
returns integer
language plpgsql
stable
security invoker
set search_path = ''
set enable_seqscan = off
as $$
begin
  return (
    with running as materialized (
      select j.row_key
      from ml.leases as l
      cross join lateral unnest(l.jobs) as j
      where l.attachment_id = p_attachment_id
    )
    select count(*)
    from (
      select from ml.retries as r
      where r.attachment_id = p_attachment_id and r.run_at <= clock_timestamp() and r.owner_id <> all (p_shut)
        and not exists (
          select from ml.jobs as j where j.attachment_id = r.attachment_id and j.row_key = r.row_key
        )
        and not exists (select from running as x where x.row_key = r.row_key)
      limit p_most
    ) as ready
  );
end
$$;

comment on function ml.count_ready_retries(smallint, integer, uuid[]) is
  'How many retries of an attachment a claim could take, but for those of these owners; counts to p_most.';
-- end file

-- file: sql/functions/ml/absorb_retries.sql
create or replace function ml.absorb_retries(p_attachment_id smallint, p_jobs ml.owed[])
returns ml.owed[]
language plpgsql
volatile
security invoker
set search_path = ''
set enable_seqscan = off
as $$
declare
  v_jobs ml.owed[];
begin
  with gone as (
    delete from ml.retries as r
    where r.ctid = any (array(
      select x.ctid from ml.retries as x
      where x.attachment_id = p_attachment_id
        and x.row_key = any (array(select j.row_key from unnest(p_jobs) as j))
      for update skip locked
    ))
    returning r.row_key, r.is_new
  )
  select array_agg(
    (j.row_key, j.owner_id, j.enqueued_at, j.is_new or coalesce(g.is_new, false), j.is_background,
      j.attempts, j.deferrals, j.suspicion, null)::ml.owed
  )
  into v_jobs
  from unnest(p_jobs) as j
  left join gone as g on g.row_key = j.row_key;
  return v_jobs;
end
$$;

comment on function ml.absorb_retries(smallint, ml.owed[]) is
  'Drops retries of rows that these fresh jobs answer; the jobs, which inherit that the row is new.';
-- end file

-- file: sql/functions/ml/take_fresh.sql
-- Live work first, with an eighth of the batch for backfills, so that neither starves. A share rather than an age that lifts
-- priority: an old backfill would otherwise catch up with live rows, all at once. Retries of the same rows come along: the model
-- sees the row as it is now, so that one call answers both.
create or replace function ml.take_fresh(p_attachment_id smallint, p_limit integer, p_shut uuid[] default null)
returns ml.owed[]
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_background boolean;
  v_share integer := 0;
  v_jobs ml.owed[];
begin
  if p_limit <= 0 then
    return '{}';
  end if;
  v_background := exists (select from ml.jobs as j where j.attachment_id = p_attachment_id and j.is_background);
  if v_background then
    -- Of a small batch, sometimes one.
    v_share := p_limit / 8 + (random() < p_limit % 8 / 8.0)::integer;
  end if;
  v_jobs := ml.take_pending(p_attachment_id, false, p_limit - v_share, p_shut);
  if v_background and cardinality(v_jobs) < p_limit then
    v_jobs := v_jobs || ml.take_pending(p_attachment_id, true, p_limit - cardinality(v_jobs), p_shut);
    -- What the backfill did not need.
    if cardinality(v_jobs) < p_limit and cardinality(v_jobs) >= p_limit - v_share then
      v_jobs := v_jobs || ml.take_pending(p_attachment_id, false, p_limit - cardinality(v_jobs), p_shut);
    end if;
  end if;
  if v_jobs <> '{}' and exists (select from ml.retries as r where r.attachment_id = p_attachment_id) then
    v_jobs := ml.absorb_retries(p_attachment_id, v_jobs);
  end if;
  return v_jobs;
end
$$;

comment on function ml.take_fresh(smallint, integer, uuid[]) is 'Takes at most p_limit pending jobs of an attachment: live ones, and the share of its backfill.';
-- end file

-- file: sql/functions/ml/allowance.sql
-- Locks the model's sum of the day, so that two claims cannot spend the same rest. Tokens are known only afterwards; a batch is
-- cut to what fits at the day's average, and one that overshoots is the day's last.
create or replace function ml.allowance(p_model text, p_limit integer, out calls integer, out each_owner bigint, out shut uuid[])
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_day constant date := (clock_timestamp() at time zone 'UTC')::date;
  v_sum ml.usage;
begin
  insert into ml.usage (model, day) values (p_model, v_day) on conflict do nothing;
  select u.* into v_sum from ml.usage as u
  where u.model = p_model and u.day = v_day and u.owner_id is null
  for update;

  select coalesce(min(
    case b.unit
      when 'calls' then b.per_day - v_sum.calls
      when 'tokens' then ceil((b.per_day - v_sum.tokens) / greatest(1, v_sum.tokens::numeric / greatest(1, v_sum.calls)))
    end
  ), p_limit)
  into calls
  from ml.budgets as b
  where b.model = p_model and b.scope = 'model';
  calls := greatest(0, least(calls, p_limit));

  select min(b.per_day) into each_owner from ml.budgets as b where b.model = p_model and b.scope = 'owner' and b.unit = 'calls';
  select coalesce(array_agg(distinct u.owner_id), '{}') into shut
  from ml.budgets as b
  join ml.usage as u on u.model = b.model and u.day = v_day and u.owner_id is not null
  where b.model = p_model and b.scope = 'owner'
    and case b.unit when 'calls' then u.calls else u.tokens end >= b.per_day;
end
$$;

comment on function ml.allowance(text, integer) is
  'How many calls of a model with a budget are still free today, at most p_limit, how many each owner has a day, and the owners whose own budget is spent.';
-- end file

-- file: sql/functions/ml/hold_back.sql
-- What a claim took beyond its owners' budgets goes back as it was. That waits for nobody: whoever writes such a job meanwhile waits
-- for the claim, which holds the one that it took.
create or replace function ml.hold_back(
  p_attachment_id smallint,
  p_model text,
  p_each bigint,
  inout retries ml.owed[],
  inout fresh ml.owed[]
)
language plpgsql
volatile
security invoker
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_taken constant ml.owed[] := retries || fresh;
  v_retries constant integer := cardinality(retries);
  v_over integer[];
begin
  select coalesce(array_agg(x.place), '{}') into v_over
  from (
    select j.ordinality as place, j.owner_id, row_number() over (partition by j.owner_id order by j.ordinality) as n
    from unnest(v_taken) with ordinality as j
    where j.owner_id <> ml.nobody()
  ) as x
  left join ml.usage as u
    on u.model = p_model and u.day = (clock_timestamp() at time zone 'UTC')::date and u.owner_id = x.owner_id
  where x.n + coalesce(u.calls, 0) > p_each;

  insert into ml.retries (
    attachment_id, row_key, owner_id, enqueued_at, run_at, is_new, is_background, attempts, deferrals, suspicion, reason
  )
  select
    p_attachment_id, j.row_key, j.owner_id, j.enqueued_at, clock_timestamp(), j.is_new, j.is_background, j.attempts, j.deferrals,
    j.suspicion, 'budget'
  from unnest(v_taken) with ordinality as j
  where j.ordinality <= v_retries and j.ordinality = any (v_over);
  insert into ml.jobs (attachment_id, row_key, owner_id, enqueued_at, is_new, is_background)
  select p_attachment_id, j.row_key, j.owner_id, j.enqueued_at, j.is_new, j.is_background
  from unnest(v_taken) with ordinality as j
  where j.ordinality > v_retries and j.ordinality = any (v_over);

  retries := array(select v_taken[n] from generate_series(1, v_retries) as n where n <> all (v_over) order by n);
  fresh := array(
    select v_taken[n] from generate_series(v_retries + 1, cardinality(v_taken)) as n where n <> all (v_over) order by n
  );
end
$$;

comment on function ml.hold_back(smallint, text, bigint, ml.owed[], ml.owed[]) is
  'Of the jobs that a claim took, those that are within their owners'' calls of the day, p_each for each; the others go back.';
-- end file

-- file: sql/functions/ml/spend.sql
create or replace function ml.spend(p_model text, p_jobs ml.owed[], p_calls integer, p_tokens bigint)
returns void
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_day constant date := (clock_timestamp() at time zone 'UTC')::date;
  v_size constant integer := cardinality(p_jobs);
begin
  if v_size = 0 or not exists (select from ml.budgets as b where b.model = p_model) then
    return;
  end if;
  -- Tokens come for the batch; each owner bears a part in proportion. What was booked yesterday is not taken back today.
  insert into ml.usage as u (model, day, owner_id, calls, tokens)
  select p_model, v_day, x.owner_id, x.calls, x.tokens
  from (
    select j.owner_id, count(*) * p_calls, count(*) * p_tokens / v_size
    from unnest(p_jobs) as j
    where j.row_key is not null and j.owner_id <> ml.nobody()
    group by j.owner_id
    union all
    select null, v_size * p_calls, p_tokens
  ) as x (owner_id, calls, tokens)
  where p_calls >= 0 or exists (
    select from ml.usage as b where b.model = p_model and b.day = v_day and b.owner_id is not distinct from x.owner_id
  )
  order by x.owner_id nulls first
  on conflict (model, day, owner_id) do update set
    calls = greatest(0, u.calls + excluded.calls), tokens = greatest(0, u.tokens + excluded.tokens);
end
$$;

comment on function ml.spend(text, ml.owed[], integer, bigint) is
  'Books calls (p_calls for each job; -1 takes them back) and tokens of a batch on a model with a budget.';
-- end file

-- file: sql/functions/ml/read_inputs.sql
-- An input that cannot be computed stands alone; the others of its batch are none the worse.
create or replace function ml.read_inputs(
  a ml.attachments,
  m ml.models,
  p_jobs ml.owed[],
  p_request_id text,
  out row_keys text[],
  out inputs text[],
  out hashes bytea[],
  out failed text[]
)
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_read constant text := format('select r.* from ml.%I($1, false) as r', a.name || '__read');
  v_keys text[] := array(select j.row_key from unnest(p_jobs) as j);
  v_one ml.owed;
  v_row record;
begin
  begin
    execute v_read into row_keys, inputs, hashes using v_keys;
    return;
  exception when others then
    row_keys := '{}';
    inputs := '{}';
    hashes := '{}';
  end;
  foreach v_one in array p_jobs loop
    begin
      execute v_read into v_row using array[v_one.row_key];
      row_keys := row_keys || v_row.row_keys;
      inputs := inputs || v_row.inputs;
      hashes := hashes || v_row.hashes;
    exception when others then
      failed := failed || v_one.row_key;
      perform ml.give_back(a, m, array[v_one], 'input_fault', sqlerrm, true, p_request_id => p_request_id);
    end;
  end loop;
end
$$;

comment on function ml.read_inputs(ml.attachments, ml.models, ml.owed[], text) is
  'What the model would be given for each of these rows that exists. Jobs whose input raises are given back, charged; `failed` names them.';
-- end file

-- file: sql/functions/ml/answered.sql
create or replace function ml.answered(
  a ml.attachments,
  p_jobs ml.owed[],
  p_row_keys text[],
  p_hashes bytea[],
  p_model_version text,
  p_since timestamptz default null
)
returns text[]
language plpgsql
volatile
security invoker
set search_path = ''
set enable_seqscan = off
as $$
declare
  v_answered text[];
begin
  select array_agg(j.row_key) into v_answered
  from unnest(p_jobs) as j
  join unnest(p_row_keys, p_hashes) as f (row_key, hash) on f.row_key = j.row_key
  cross join lateral (
    select p.status, p.input_hash, p.model, p.model_version, p.created_at
    from public.predictions as p
    where p.prediction = a.name and p.row_key = j.row_key and p.status <> 'superseded'
    order by p.created_at desc, p.id desc
    limit 1
  ) as last
  where (not j.is_new or last.created_at > coalesce(p_since, j.enqueued_at)) and last.status = 'done'
    and last.input_hash = f.hash and last.model = a.model and last.model_version = p_model_version and last.created_at > a.updated_at;
  return v_answered;
end
$$;

comment on function ml.answered(ml.attachments, ml.owed[], text[], bytea[], text, timestamptz) is
  'Keys of those jobs whose row''s last answer was to this very input, by this version of the model, under the attachment as it is. A row that is new counts only with an answer since p_since, or else since it was owed.';
-- end file

-- file: sql/functions/ml/let_overtake.sql
-- A retry does not keep a writer from owing its row anew, as a pending job does. If one did so before the input was read, that
-- input is the younger job's too, and both would answer it. Looked at after the reading, the younger one is there to be seen:
-- pending, or in a batch.
create or replace function ml.let_overtake(a ml.attachments, m ml.models, p_jobs ml.owed[])
returns ml.owed[]
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_overtaken text[];
begin
  with younger as (
    select j.row_key from ml.jobs as j
    where j.attachment_id = a.id and j.row_key = any (array(select x.row_key from unnest(p_jobs) as x))
    union all
    select j.row_key from ml.leases as l cross join lateral unnest(l.jobs) as j where l.attachment_id = a.id
  )
  select array_agg(j.row_key) into v_overtaken
  from unnest(p_jobs) as j
  where j.row_key in (select y.row_key from younger as y);
  if v_overtaken is null then
    return p_jobs;
  end if;
  perform ml.give_back(
    a, m, array(select j from unnest(p_jobs) as j where j.row_key = any (v_overtaken)), 'overtaken', null, false, '0'::interval
  );
  return array(select j from unnest(p_jobs) as j where j.row_key <> all (v_overtaken));
end
$$;

comment on function ml.let_overtake(ml.attachments, ml.models, ml.owed[]) is
  'These retries, but for those whose row has a younger job meanwhile, which are given back.';
-- end file

-- file: sql/functions/ml/lease.sql
-- The inputs are read first, since only that can fail for a row's sake. A job is dropped without a call when its row is gone or
-- has no input (superseded), or when the row's last answer was to the same input, by the same model in the same version, under
-- the same attachment.
create or replace function ml.lease(
  a ml.attachments,
  m ml.models,
  p_jobs ml.owed[],
  p_retries boolean,
  p_size integer,
  p_worker text,
  p_model_version text,
  p_request_id text
)
returns table (token uuid, size integer, inputs text)
language plpgsql
volatile
security invoker
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_found record;
  v_answered text[];
begin
  v_found := ml.read_inputs(a, m, p_jobs, p_request_id);
  if v_found.failed is not null then
    p_jobs := array(select j from unnest(p_jobs) as j where j.row_key <> all (v_found.failed));
  end if;
  if p_retries then
    p_jobs := ml.let_overtake(a, m, p_jobs);
  end if;
  -- What is new and has not been away cannot have been answered.
  if p_retries or exists (select from unnest(p_jobs) as j where not j.is_new) then
    v_answered := ml.answered(a, p_jobs, v_found.row_keys, v_found.hashes, p_model_version);
  end if;

  return query
  with read as (
    select j.*, f.input, f.hash, row_number() over (order by j.ordinality) as n
    from unnest(p_jobs) with ordinality as j
    join unnest(v_found.row_keys, v_found.inputs, v_found.hashes) as f (row_key, input, hash) on f.row_key = j.row_key
    where f.input is not null and (v_answered is null or j.row_key <> all (v_answered))
  ), batches as (
    select
      gen_random_uuid() as token, count(*)::integer as size, '[' || string_agg(r.input, ',') || ']' as inputs,
      array_agg(
        (r.row_key, r.owner_id, r.enqueued_at, r.is_new, r.is_background, r.attempts, r.deferrals, r.suspicion, r.hash)::ml.owed
      ) as jobs
    from read as r
    group by (r.n - 1) / p_size
  ), leased as (
    insert into ml.leases (token, attachment_id, worker, request_id, lease_until, jobs)
    select
      b.token, a.id, p_worker, p_request_id, clock_timestamp() + make_interval(secs => m.lease_seconds), b.jobs
    from batches as b
  )
  select b.token, b.size, b.inputs from batches as b;

  if exists (select from ml.budgets as b where b.model = m.name) then
    perform ml.spend(m.name, array(
      select j from unnest(p_jobs) as j
      join unnest(v_found.row_keys, v_found.inputs) as f (row_key, input) on f.row_key = j.row_key
      where f.input is not null and (v_answered is null or j.row_key <> all (v_answered))
    ), 1, 0);
  end if;
  -- Rows that are gone, or have no input.
  if p_retries or coalesce(cardinality(v_found.row_keys), 0) < cardinality(p_jobs)
    or array_position(v_found.inputs, null) is not null
  then
    insert into public.predictions (
      prediction, source_table, row_key, owner_id, model, status, latency_ms, attempts, error, request_id
    )
    select
      a.name, a.source_table::text, j.row_key, nullif(j.owner_id, ml.nobody()), a.model, 'superseded',
      greatest(0, extract(epoch from clock_timestamp() - j.enqueued_at) * 1000), j.attempts,
      case when f.row_key is null then 'ROW_GONE' else 'NO_INPUT' end, left(p_request_id, 200)
    from unnest(p_jobs) as j
    left join unnest(v_found.row_keys, v_found.inputs) as f (row_key, input) on f.row_key = j.row_key
    where f.input is null;
  end if;
end
$$;

comment on function ml.lease(ml.attachments, ml.models, ml.owed[], boolean, integer, text, text, text) is
  'Leases jobs of one attachment, p_size under a token, with their inputs as they are now: a JSON array in the order of the lease''s positions.';
-- end file

-- file: sql/functions/ml/claim.sql
-- One short transaction: take what is due, read the rows as they are now, lease. Definer: the service's role has no
-- right on any table. Locks are taken with SKIP LOCKED: a claim waits for nobody.
-- A claim that a crash forgets leaves its jobs pending, so it need not be durable: it is written to disk with the next commit
-- that is. Not so with a webhook's id, which must not be taken twice.
-- Generic plans: for a batch of one, planning anew would take longer than all the rest.
create or replace function ml.claim(
  p_worker text,
  p_models jsonb,
  p_limit integer default 64,
  p_batches jsonb default '{}',
  p_request_id text default null,
  p_webhook_id text default null,
  p_change jsonb default null
)
returns table (
  token uuid, prediction text, model text, size integer, inputs text, batch_size integer,
  timeout_ms integer, protocol text, url text, options jsonb, version text
)
language plpgsql
volatile
security definer
set search_path = ''
set plan_cache_mode = force_generic_plan
as $$
declare
  v_due record;
  v_size integer;
  v_limit integer;
  v_each bigint;
  v_shut uuid[];
  v_fresh ml.owed[];
  v_retries ml.owed[];
  v_version text;
begin
  if (p_limit between 1 and 10000) is not true then
    raise sqlstate 'PT422' using
      message = 'A claim takes 1 to 10000 jobs.', detail = 'LIMIT_OUT_OF_RANGE', hint = 'Lower p_limit.';
  end if;
  if p_webhook_id is null and p_change is null then
    perform set_config('synchronous_commit', 'off', true);
  else
    perform ml.accept_webhook(p_webhook_id, p_change);
  end if;

  for v_due in
    select a, m
    from ml.attachments as a
    join ml.models as m on m.name = a.model
    where a.paused_at is null and (m.breaker_until is null or m.breaker_until <= clock_timestamp())
      and coalesce((p_batches ->> m.name)::integer, 1) > 0
      and case when m.url is null then p_models ? m.name else p_models ? '*' end
    -- By model, so that two claims lock the days' sums of budgets in the same order.
    order by m.name, random()
  loop
    v_size := least(p_limit, (v_due.m).batch_size);
    v_limit := v_size * least(coalesce((p_batches ->> (v_due.m).name)::integer, 1), 16);
    v_each := null;
    v_shut := null;
    if exists (select from ml.budgets as b where b.model = (v_due.m).name) then
      select l.calls, l.each_owner, l.shut into v_limit, v_each, v_shut from ml.allowance((v_due.m).name, v_limit) as l;
    end if;
    v_version := coalesce((v_due.m).version, p_models ->> (v_due.m).name);

    -- Fresh jobs first: they take retries of their rows along, so that no row is in two batches of one claim. Where calls are
    -- limited, those of retries that are ready are kept for them.
    v_fresh := ml.take_fresh(
      (v_due.a).id,
      v_limit - case when v_shut is null then 0 else ml.count_ready_retries((v_due.a).id, least(v_limit, v_size), v_shut) end,
      v_shut
    );
    v_retries := array(
      select r
      from ml.take_retries(
        (v_due.a).id, least(v_size, case when v_shut is null then v_size else v_limit - cardinality(v_fresh) end), v_shut,
        array(select j.row_key from unnest(v_fresh) as j)
      ) as r
    );
    if v_each is not null then
      select h.retries, h.fresh into v_retries, v_fresh
      from ml.hold_back((v_due.a).id, (v_due.m).name, v_each, v_retries, v_fresh) as h;
    end if;
    if cardinality(v_fresh) > v_size then
      -- More than one batch: everybody's first before anybody's second.
      select array_agg(t.job order by t.turn) into v_fresh
      from (
        select j as job, row_number() over (partition by j.owner_id, j.is_background order by j.enqueued_at) as turn
        from unnest(v_fresh) as j
      ) as t;
    end if;

    return query
    select
      l.token, (v_due.a).name, (v_due.m).name, l.size, l.inputs, (v_due.m).batch_size, (v_due.m).timeout_ms,
      (v_due.m).protocol, (v_due.m).url, (v_due.m).options, (v_due.m).version
    from (values (v_retries, true), (v_fresh, false)) as batch (jobs, retries)
    cross join lateral ml.lease(v_due.a, v_due.m, batch.jobs, batch.retries, v_size, p_worker, v_version, p_request_id) as l
    where batch.jobs <> '{}';
  end loop;
end
$$;

comment on function ml.claim(text, jsonb, integer, jsonb, text, text, jsonb) is
  E'Lease due jobs with their inputs\n\np_models maps each model this worker runs to its version; the key "*" says that it calls remote ones too. p_batches says how many leases it wants of a model: 1 where it does not, 0 while it has no hands free, 16 at most. At most p_limit jobs to a lease. A webhook''s id and changed row come with the claim that they cause, so that both are committed together.';
grant execute on function ml.claim(text, jsonb, integer, jsonb, text, text, jsonb) to rowcast_service;
-- end file

-- file: sql/functions/ml/count_queue.sql
create or replace function ml.count_queue()
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
  select coalesce(jsonb_object_agg(c.attachment_id, to_jsonb(c) - 'attachment_id'), '{}')
  from (
    select
      x.attachment_id,
      coalesce(sum(x.jobs) filter (where x.state = 'pending'), 0) as pending,
      coalesce(sum(x.jobs) filter (where x.state = 'background'), 0) as background,
      coalesce(sum(x.jobs) filter (where x.state = 'waiting'), 0) as waiting,
      coalesce(sum(x.jobs) filter (where x.state = 'running'), 0) as running,
      min(x.oldest) as oldest_at
    from (
      select j.attachment_id, case when j.is_background then 'background' else 'pending' end as state, count(*) as jobs,
        min(j.enqueued_at) as oldest
      from ml.jobs as j
      group by j.attachment_id, j.is_background
      union all
      select r.attachment_id, 'waiting', count(*), min(r.enqueued_at) from ml.retries as r group by r.attachment_id
      union all
      select l.attachment_id, 'running', count(j.row_key), min(j.enqueued_at)
      from ml.leases as l cross join lateral unnest(l.jobs) as j
      where j.row_key is not null
      group by l.attachment_id
    ) as x
    group by x.attachment_id
  ) as c
$$;

comment on function ml.count_queue() is 'Jobs of each attachment by state, and when its oldest was enqueued. Reads the whole queue.';
-- end file

-- file: sql/functions/ml/note_queue_state.sql
create or replace function ml.note_queue_state()
returns void
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  -- Whoever comes first counts for all.
  if exists (select from ml.queue_state as s where s.taken_at > clock_timestamp() - interval '4 seconds')
    or not pg_try_advisory_xact_lock(20261120, 2)
  then
    return;
  end if;
  insert into ml.queue_state as s (taken_at, predictions) values (clock_timestamp(), ml.count_queue())
  on conflict (id) do update set taken_at = excluded.taken_at, predictions = excluded.predictions;
end
$$;

comment on function ml.note_queue_state() is 'Counts the queue for ml.queue_stats, at most every four seconds.';
-- end file

-- file: sql/functions/ml/heartbeat.sql
-- Leases that a commit or a fail has locked are passed over: they are about to end.
create or replace function ml.heartbeat(
  p_worker text,
  p_models jsonb,
  p_tokens uuid[] default '{}',
  p_activity jsonb default '{}'
)
returns setof uuid
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform set_config('synchronous_commit', 'off', true);
  insert into ml.workers as w (name, models, activity, last_done_at)
  select
    p_worker, p_models, p_activity,
    case when exists (
      select from jsonb_each(p_activity) as e where (e.value ->> 'per_second')::double precision > 0
    ) then now() end
  on conflict (name) do update set
    seen_at = now(), models = excluded.models, activity = excluded.activity,
    last_done_at = coalesce(excluded.last_done_at, w.last_done_at);

  with mine as (
    select l.token, m.lease_seconds
    from ml.leases as l
    join ml.attachments as a on a.id = l.attachment_id
    join ml.models as m on m.name = a.model
    where l.token = any (p_tokens)
    order by l.token
    for update of l skip locked
  )
  update ml.leases as l set lease_until = clock_timestamp() + make_interval(secs => mine.lease_seconds)
  from mine
  where l.token = mine.token;

  perform ml.reclaim_expired();
  perform ml.note_queue_state();
  return query select l.token from ml.leases as l where l.token = any (p_tokens);
end
$$;

comment on function ml.heartbeat(text, jsonb, uuid[], jsonb) is
  E'Say that a worker lives\n\nExtends the leases of the tokens it holds, and takes back those of workers that died. Returns the tokens that still hold jobs. p_activity: {prediction: {"per_second", "full_batches"}} since the last beat.';
grant execute on function ml.heartbeat(text, jsonb, uuid[], jsonb) to rowcast_service;
-- end file

-- file: sql/functions/ml/settle.sql
-- The one place where a lease ends or shrinks. Positions keep their numbers while anything is left.
create or replace function ml.settle(l ml.leases, p_positions integer[])
returns void
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_left ml.owed[];
begin
  if p_positions is not null then
    v_left := array(
      select case when u.n = any (p_positions) then null else l.jobs[u.n] end
      from generate_subscripts(l.jobs, 1) as u (n)
      order by u.n
    );
    if exists (select from unnest(v_left) as j where j.row_key is not null) then
      update ml.leases as x set jobs = v_left where x.token = l.token;
      return;
    end if;
  end if;
  delete from ml.leases as x where x.token = l.token;
end
$$;

comment on function ml.settle(ml.leases, integer[]) is 'Takes settled positions, or all of them, out of a lease; the empty lease goes.';
-- end file

-- file: sql/functions/ml/settle_unanswered.sql
-- What a commit could not write. A row that somebody has locked is asked again later, uncharged. A superseded row whose edit did
-- not enqueue (its input depends on more than the watched columns) is owed again, at the cost of an attempt, so that an
-- expression that never holds still ends among the dead letters rather than in a loop.
create or replace function ml.settle_unanswered(
  a ml.attachments,
  l ml.leases,
  p_jobs ml.owed[],
  p_locked_keys text[],
  p_hashes bytea[],
  p_model_version text
)
returns integer
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  m ml.models;
  v_present record;
  v_busy ml.owed[];
  v_settled text[];
  v_unstable ml.owed[];
begin
  select x.* into strict m from ml.models as x where x.name = a.model;
  execute format('select r.* from ml.%I($1, false) as r', a.name || '__read') into v_present
  using array(select j.row_key from unnest(p_jobs) as j where p_locked_keys is null or j.row_key <> all (p_locked_keys));
  v_busy := array(select j from unnest(p_jobs) as j where j.row_key = any (v_present.row_keys));
  perform ml.give_back(a, m, v_busy, 'row_busy', null, false, p_leased_at => l.leased_at, p_request_id => l.request_id);

  -- The row was there, with an input, and its last answer was not to what it holds now.
  v_settled := ml.answered(
    a, array(select j from unnest(p_jobs) as j where j.row_key is not null), p_locked_keys, p_hashes, p_model_version, l.leased_at
  );
  v_unstable := array(
    select j from unnest(p_jobs) as j
    join unnest(p_locked_keys, p_hashes) as f (row_key, hash) on f.row_key = j.row_key and f.hash is not null
    where v_settled is null or j.row_key <> all (v_settled)
  );
  perform ml.give_back(
    a, m, v_unstable, 'input_unstable', 'The input changes though no watched column does.', true,
    p_leased_at => l.leased_at, p_request_id => l.request_id
  );

  insert into public.predictions (
    prediction, source_table, row_key, owner_id, model, model_version, status, input_hash, latency_ms, attempts, request_id
  )
  select
    a.name, a.source_table::text, j.row_key, nullif(j.owner_id, ml.nobody()), a.model, p_model_version, 'superseded',
    j.input_hash, greatest(0, extract(epoch from clock_timestamp() - j.enqueued_at) * 1000), j.attempts,
    left(l.request_id, 200)
  from unnest(p_jobs) as j
  where j.row_key is not null and (v_present.row_keys is null or j.row_key <> all (v_present.row_keys));
  return cardinality(v_busy);
end
$$;

comment on function ml.settle_unanswered(ml.attachments, ml.leases, ml.owed[], text[], bytea[], text) is
  'Ends the jobs of a commit whose rows are gone, changed or locked. Returns how many were locked.';
-- end file

-- file: sql/functions/ml/commit.sql
-- The fence. The lease is locked by its token, then the rows; the input is derived again under that lock, and only rows whose
-- hash still matches are written. Everything else is superseded, but for rows that somebody else has locked: those are put
-- back for a while, uncharged. Definer, as in ml.claim.
create or replace function ml.commit(
  p_token uuid,
  p_outputs jsonb,
  p_model_version text,
  p_positions integer[] default null,
  p_lows double precision[] default null,
  p_highs double precision[] default null,
  p_tokens bigint default null,
  p_request_id text default null
)
returns table (outcome text, jobs integer)
language plpgsql
volatile
security definer
set search_path = ''
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  a ml.attachments;
  l ml.leases;
  v_jobs ml.owed[];
  v_outputs jsonb[];
  v_now record;
  v_fresh_keys text[];
  v_fresh_outputs jsonb[];
  v_done integer;
  v_busy integer := 0;
  v_source text;
begin
  v_outputs := array(select o.value from jsonb_array_elements(p_outputs) with ordinality as o (value, n) order by o.n);
  select x.* into l from ml.leases as x where x.token = p_token for update;
  if not found then
    -- What the token no longer holds belongs to a later claim, a cancellation or an earlier commit; nothing is written.
    return query select 'stale', cardinality(v_outputs);
    return;
  end if;
  v_jobs := case
    when p_positions is null then l.jobs
    else array(select l.jobs[u.n] from unnest(p_positions) with ordinality as u (n, place) order by u.place)
  end;
  if cardinality(v_outputs) <> cardinality(v_jobs)
    or (p_positions is not null and cardinality(p_positions) <> (select count(distinct n) from unnest(p_positions) as n))
  then
    raise sqlstate 'PT422' using
      message = 'There must be one output for each position.', detail = 'WRONG_LENGTH', hint = 'Commit as many as were leased.';
  end if;
  select x.* into strict a from ml.attachments as x where x.id = l.attachment_id;
  v_source := a.source_table::text;

  execute format('select r.* from ml.%I($1, true) as r', a.name || '__read') into v_now
  using array(select j.row_key from unnest(v_jobs) as j where j.row_key is not null);
  select array_agg(j.row_key), array_agg(j.output) into v_fresh_keys, v_fresh_outputs
  from unnest(v_jobs, v_outputs) as j (
    row_key, owner_id, enqueued_at, is_new, is_background, attempts, deferrals, suspicion, input_hash, output
  )
  join unnest(v_now.row_keys, v_now.hashes) as f (row_key, hash) on f.row_key = j.row_key and f.hash = j.input_hash;
  v_done := coalesce(cardinality(v_fresh_keys), 0);

  if v_done > 0 then
    execute format('select %s($1, $2, $3)', a.apply_function) using v_fresh_keys, v_fresh_outputs, p_model_version;
    insert into public.predictions (
      prediction, source_table, row_key, owner_id, model, model_version, status, input_hash, output, interval_low,
      interval_high, latency_ms, attempts, request_id
    )
    select
      a.name, v_source, j.row_key, nullif(j.owner_id, ml.nobody()), a.model, p_model_version, 'done', j.input_hash,
      j.output, j.low, j.high, greatest(0, extract(epoch from clock_timestamp() - j.enqueued_at) * 1000), j.attempts,
      left(coalesce(p_request_id, l.request_id), 200)
    from unnest(v_jobs, v_outputs, p_lows, p_highs) as j (
      row_key, owner_id, enqueued_at, is_new, is_background, attempts, deferrals, suspicion, input_hash, output, low, high
    )
    join unnest(v_fresh_keys) as f (row_key) on f.row_key = j.row_key;
  end if;

  if p_positions is null then
    delete from ml.leases as x where x.token = p_token;
  else
    perform ml.settle(l, p_positions);
  end if;
  -- Before anything is given back, as in a claim: the day's sum is locked first, retries after it.
  if p_tokens is not null then
    perform ml.spend(a.model, v_jobs, 0, p_tokens);
  end if;
  if v_done < cardinality(v_jobs) then
    v_busy := ml.settle_unanswered(
      a, l, array(select j from unnest(v_jobs) as j where v_done = 0 or j.row_key <> all (v_fresh_keys)), v_now.row_keys, v_now.hashes,
      p_model_version
    );
  end if;

  outcome := 'done';
  jobs := v_done;
  if v_done > 0 then
    return next;
  end if;
  if v_done < cardinality(v_jobs) then
    return query
    select c.outcome, c.jobs
    from (select count(j.row_key)::integer as held, count(*)::integer as asked from unnest(v_jobs) as j) as n
    cross join lateral (
      values ('busy', v_busy), ('superseded', n.held - v_done - v_busy), ('stale', n.asked - n.held)
    ) as c (outcome, jobs)
    where c.jobs > 0;
  end if;
end
$$;

comment on function ml.commit(uuid, jsonb, text, integer[], double precision[], double precision[], bigint, text) is
  E'Write a batch of results\n\np_outputs: a JSON array, one output for each position of the lease, or for each of p_positions. p_lows and p_highs alike, where the model has intervals; p_tokens as the provider counted. Returns how many were done, superseded, busy or stale. Rows, receipts and events are one transaction.';
grant execute on function ml.commit(uuid, jsonb, text, integer[], double precision[], double precision[], bigint, text) to rowcast_service;
-- end file

-- file: sql/functions/ml/fail.sql
-- Faults have classes (rule 6). item: charged, backs off, ends among the dead letters. batch: nobody is charged, all back
-- off; a job that was put off five times in such company is charged after all, or it would never end.
-- provider: nobody is charged, the whole model rests until the provider wants to be asked again. release: the worker
-- stops; its jobs are free at once. Definer, as in ml.claim.
create or replace function ml.fail(
  p_token uuid,
  p_class text,
  p_error text default null,
  p_positions integer[] default null,
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
  l ml.leases;
  v_of record;
  v_jobs ml.owed[];
  v_wait interval;
  v_request_id text;
begin
  if (p_class in ('item', 'batch', 'provider', 'release')) is not true then
    raise sqlstate 'PT422' using
      message = 'There is no such class of fault.', detail = 'UNKNOWN_FAULT_CLASS',
      hint = 'Use item, batch, provider or release.';
  end if;
  select x.* into l from ml.leases as x where x.token = p_token for update;
  if not found then
    return 0;
  end if;
  select a, m into strict v_of from ml.attachments as a join ml.models as m on m.name = a.model where a.id = l.attachment_id;
  v_request_id := coalesce(p_request_id, l.request_id);
  v_jobs := array(
    select l.jobs[u.n] from generate_subscripts(l.jobs, 1) as u (n)
    where (p_positions is null or u.n = any (p_positions)) and (l.jobs[u.n]).row_key is not null
  );
  perform ml.settle(l, p_positions);

  if p_class = 'item' then
    return ml.give_back(v_of.a, v_of.m, v_jobs, 'item_fault', p_error, true, null, l.leased_at, v_request_id);
  elsif p_class = 'batch' then
    return ml.give_back(
      v_of.a, v_of.m, array(select j from unnest(v_jobs) as j where j.deferrals >= 5), 'batch_fault', p_error, true, null,
      l.leased_at, v_request_id
    ) + ml.give_back(
      v_of.a, v_of.m, array(select j from unnest(v_jobs) as j where j.deferrals < 5), 'batch_fault', p_error, false, null,
      l.leased_at, v_request_id
    );
  end if;

  perform ml.spend((v_of.m).name, v_jobs, -1, 0);
  if p_class = 'release' then
    perform ml.hint();
    return ml.give_back(v_of.a, v_of.m, v_jobs, 'released', p_error, false, '0'::interval, l.leased_at, v_request_id);
  end if;

  -- A provider's own wish is kept, within a hundredth of a second and an hour.
  v_wait := make_interval(secs => greatest(0.01, least(3600, coalesce(p_retry_after, 30))));
  update ml.models as m set
    breaker_since = case
      when m.breaker_until > clock_timestamp() - interval '1 minute' then coalesce(m.breaker_since, clock_timestamp())
      else clock_timestamp()
    end,
    breaker_until = greatest(m.breaker_until, clock_timestamp() + v_wait), breaker_reason = left(p_error, 2000)
  where m.name = (v_of.m).name;
  return ml.give_back(v_of.a, v_of.m, v_jobs, 'provider_fault', p_error, false, v_wait, l.leased_at, v_request_id);
end
$$;

comment on function ml.fail(uuid, text, text, integer[], real, text) is
  E'Give up on jobs of a claim\n\np_class: item, batch, provider or release. p_positions: all that are left when NULL. p_retry_after in seconds, from the provider. Returns how many jobs the token still held.';
grant execute on function ml.fail(uuid, text, text, integer[], real, text) to rowcast_service;
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
  a ml.attachments;
  l ml.leases;
  v_position integer;
  v_jobs ml.owed[] := '{}';
begin
  select x.* into a from ml.attachments as x where x.name = p_name;
  -- A pending job is waited for: only a claim can hold it, and briefly.
  with gone as (
    delete from ml.jobs as j where j.attachment_id = a.id and j.row_key = p_row_key returning j.*
  ), gone_retries as (
    delete from ml.retries as r where r.attachment_id = a.id and r.row_key = p_row_key returning r.*
  )
  select coalesce(array_agg(x.job), '{}') into v_jobs
  from (
    select (g.row_key, g.owner_id, g.enqueued_at, g.is_new, g.is_background, 0, 0, 0, null)::ml.owed as job from gone as g
    union all
    select (g.row_key, g.owner_id, g.enqueued_at, g.is_new, g.is_background, g.attempts, 0, 0, null)::ml.owed from gone_retries as g
  ) as x;

  -- A running one is taken only if its batch is free, because that may be committing to the very row that the caller has locked;
  -- such a commit meets the fence.
  for l in
    select x.* from ml.leases as x
    where x.attachment_id = a.id and p_row_key = any (array(select j.row_key from unnest(x.jobs) as j))
    for update skip locked
  loop
    select u.n into v_position from generate_subscripts(l.jobs, 1) as u (n) where (l.jobs[u.n]).row_key = p_row_key;
    v_jobs := v_jobs || l.jobs[v_position];
    perform ml.settle(l, array[v_position]);
  end loop;

  insert into public.predictions (
    prediction, source_table, row_key, owner_id, model, status, latency_ms, attempts, error
  )
  select
    a.name, a.source_table::text, j.row_key, nullif(j.owner_id, ml.nobody()), a.model, 'cancelled',
    greatest(0, extract(epoch from clock_timestamp() - j.enqueued_at) * 1000), j.attempts, left(p_reason, 2000)
  from unnest(v_jobs) as j;
  return v_jobs <> '{}';
end
$$;

comment on function ml.cancel(text, text, text) is
  E'Call off what is owed to a row\n\nAlso while a worker has it: its commit then finds the place empty and changes nothing. False when nothing was owed.';
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
  v_risen record;
  v_count bigint := 0;
begin
  if p_name is not null and not exists (select from ml.attachments as a where a.name = p_name) then
    raise exception 'no prediction is attached under the name %', p_name using detail = 'PREDICTION_NOT_FOUND';
  end if;

  for v_risen in
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
      returning d.attachment_id, d.row_key
    )
    select r.attachment_id, array_agg(distinct r.row_key) as row_keys, count(*) as letters
    from risen as r group by r.attachment_id
  loop
    v_count := v_count + v_risen.letters;
    -- As new ones: whoever redrives wants the model asked.
    perform ml.enqueue(v_risen.attachment_id, v_risen.row_keys, p_is_new => true);
  end loop;
  return v_count;
end
$$;

comment on function ml.redrive(text, integer) is
  E'Put dead letters back into the queue\n\nAll of them or those of one prediction, oldest first, with their attempts forgotten. Rows that are gone stay gone. Returns how many left the dead letters.';
-- end file

-- file: sql/functions/ml/pause.sql
create or replace function ml.pause(p_name text)
returns boolean
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  update ml.attachments as a set paused_at = coalesce(a.paused_at, clock_timestamp()) where a.name = p_name;
  return found;
end
$$;

comment on function ml.pause(text) is
  E'Stop claiming for a prediction\n\nJobs are collected all the same; batches that run are finished. False when there is none of that name.';
-- end file

-- file: sql/functions/ml/resume.sql
create or replace function ml.resume(p_name text)
returns boolean
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  update ml.attachments as a set paused_at = null where a.name = p_name;
  if not found then
    return false;
  end if;
  perform ml.hint();
  return true;
end
$$;

comment on function ml.resume(text) is E'Go on claiming for a prediction\n\nFalse when there is none of that name.';
-- end file

-- file: sql/functions/ml/tg_predictions__broadcast.sql
-- Definer: whoever causes a receipt needs no right on Realtime. realtime.send turns its own faults into warnings.
-- A receipt of yesterday, as one restored from an export, is no news.
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
  where n.owner_id is not null and n.status in ('done', 'failed') and n.created_at > now() - interval '1 day';
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

  -- Of predictions that were detached while somebody held these.
  delete from ml.jobs as j where not exists (select from ml.attachments as a where a.id = j.attachment_id);
  delete from ml.retries as r where not exists (select from ml.attachments as a where a.id = r.attachment_id);
  delete from ml.webhook_deliveries where received_at < now() - interval '10 minutes';
  delete from ml.workers where seen_at < now() - interval '1 day';
  delete from ml.usage where day < current_date - 90;
end
$$;

comment on function ml.maintain(integer) is 'Makes the receipts'' next partitions, drops those past their keep, forgets old webhook ids and workers.';
-- end file

-- file: sql/functions/ml/send_wakeup.sql
-- For services that cannot LISTEN: behind a pooler, or scaled to zero. Standard Webhooks over pg_net, thin: names only.
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
  -- Names of predictions, and of nobody's rows.
  select jsonb_build_object('type', 'jobs.due', 'predictions', jsonb_agg(a.name order by a.name)) into v_body
  from ml.attachments as a
  join ml.models as m on m.name = a.model
  where a.paused_at is null and (m.breaker_until is null or m.breaker_until <= clock_timestamp())
    and (
      exists (
        select from ml.jobs as j where j.attachment_id = a.id and j.enqueued_at < clock_timestamp() - interval '3 seconds'
      )
      or exists (
        select from ml.retries as r where r.attachment_id = a.id and r.run_at < clock_timestamp() - interval '3 seconds'
      )
    )
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

comment on function ml.send_wakeup() is 'Posts a signed wake-up with the names of predictions that have jobs due to the service. Returns pg_net''s request id, or NULL when nothing was sent.';
-- end file

-- file: sql/functions/ml/queue_stats.sql
-- Depth and age come from the last heartbeat's count while a worker lives, because a long queue takes a tenth of a second to
-- count; else they are counted now. The last four columns are of the whole queue. Definer, as in ml.claim.
create or replace function ml.queue_stats()
returns table (
  prediction text, model text, pending bigint, background bigint, waiting bigint, running bigint, oldest_seconds double precision,
  per_second double precision, full_batches integer, dead_letters bigint, paused_at timestamptz, breaker_until timestamptz,
  breaker_reason text, calls_today bigint, tokens_today bigint, counted_at timestamptz, dead_tuples bigint,
  oldest_snapshot_seconds double precision, workers_alive bigint
)
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  s ml.queue_state;
begin
  select x.* into s from ml.queue_state as x where x.taken_at > clock_timestamp() - interval '10 seconds';
  if not found then
    s.taken_at := clock_timestamp();
    s.predictions := ml.count_queue();
  end if;

  return query
  with alive as (
    select w.activity from ml.workers as w where w.seen_at > now() - interval '15 seconds'
  ), activity as (
    select e.key, sum((e.value ->> 'per_second')::double precision) as per_second, max((e.value ->> 'full_batches')::integer) as full_batches
    from alive cross join lateral jsonb_each(alive.activity) as e
    group by e.key
  ), dead as (
    select d.attachment_id, count(*) as letters from ml.dead_letters as d group by d.attachment_id
  )
  select
    a.name, a.model, coalesce(c.pending, 0), coalesce(c.background, 0), coalesce(c.waiting, 0), coalesce(c.running, 0),
    coalesce(greatest(0, extract(epoch from clock_timestamp() - c.oldest_at)), 0)::double precision,
    coalesce(v.per_second, 0), coalesce(v.full_batches, 0), coalesce(d.letters, 0), a.paused_at,
    case when m.breaker_until > clock_timestamp() then m.breaker_until end,
    case when m.breaker_until > clock_timestamp() then m.breaker_reason end,
    coalesce(u.calls, 0), coalesce(u.tokens, 0), s.taken_at,
    (select sum(t.n_dead_tup)::bigint from pg_stat_user_tables as t where t.schemaname = 'ml' and t.relname in ('jobs', 'leases', 'retries')),
    (
      select coalesce(max(extract(epoch from clock_timestamp() - b.xact_start)), 0)::double precision
      from pg_stat_activity as b
      where b.backend_xmin is not null and b.pid <> pg_backend_pid() and b.datname = current_database()
    ),
    (select count(*) from alive)
  from ml.attachments as a
  join ml.models as m on m.name = a.model
  left join lateral jsonb_to_record(s.predictions -> a.id::text) as c (
    pending bigint, background bigint, waiting bigint, running bigint, oldest_at timestamptz
  ) on true
  left join activity as v on v.key = a.name
  left join dead as d on d.attachment_id = a.id
  left join ml.usage as u on u.model = a.model and u.day = (now() at time zone 'UTC')::date and u.owner_id is null
  order by a.name;
end
$$;

comment on function ml.queue_stats() is
  E'How the queue is\n\nFor each prediction: jobs by state, age of the oldest in seconds, jobs done a second and full batches in a row as the workers say, dead letters, breaker, what was spent today. For all: dead tuples of the queue''s tables, age of the oldest snapshot in seconds, workers heard in the last 15 s.';
grant execute on function ml.queue_stats() to rowcast_service;
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
  workers_alive bigint, last_heartbeat_at timestamptz, last_prediction_at timestamptz, checked_at timestamptz,
  pending bigint, background bigint, waiting bigint, running bigint, per_second double precision, dead_letters bigint,
  predictions jsonb
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
-- Definer: reads ml.*, which no API role may. Gives counts only, and nothing of anybody's rows.
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

  select
    coalesce(sum(q.pending + q.background + q.waiting + q.running), 0), coalesce(max(q.oldest_seconds), 0),
    coalesce(sum(q.pending), 0), coalesce(sum(q.background), 0), coalesce(sum(q.waiting), 0), coalesce(sum(q.running), 0),
    coalesce(sum(q.per_second), 0), coalesce(sum(q.dead_letters), 0),
    coalesce(
      jsonb_agg(
        jsonb_build_object(
          'prediction', q.prediction, 'pending', q.pending, 'background', q.background, 'waiting', q.waiting, 'running', q.running,
          'oldest_seconds', q.oldest_seconds, 'per_second', q.per_second, 'dead_letters', q.dead_letters,
          'paused', q.paused_at is not null, 'breaker_open', q.breaker_until is not null
        )
        order by q.prediction
      ),
      '[]'
    )
  into
    v_report.queue_depth, v_report.oldest_job_seconds, v_report.pending, v_report.background, v_report.waiting, v_report.running,
    v_report.per_second, v_report.dead_letters, v_report.predictions
  from ml.queue_stats() as q;

  -- A worker beats at least every five seconds; three missed beats and it counts as gone.
  select count(*) filter (where w.seen_at > now() - interval '15 seconds'), max(w.seen_at), max(w.last_done_at)
  into v_report.workers_alive, v_report.last_heartbeat_at, v_report.last_prediction_at
  from ml.workers as w;

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
  E'How the parts are\n\nDatabase, the queue in total and for each prediction, workers'' heartbeats, last prediction. `degraded` when no worker was heard for 15 s or a job waits for more than 60 s; requests are answered all the same.';
grant execute on function public.health_detailed() to authenticated, service_role;
-- end file

select ml.maintain();

-- Without pg_cron the operator runs ml.maintain() by other means, and no wake-ups are posted.
do $$
begin
  if to_regnamespace('cron') is not null then
    perform cron.schedule('rowcast-maintain', '7 * * * *', 'select ml.maintain()');
    perform cron.schedule('rowcast-wakeup', '10 seconds', 'select ml.send_wakeup()');
    perform cron.schedule('rowcast-backfill', '10 seconds', 'select ml.advance_backfills()');
  end if;
end
$$;
