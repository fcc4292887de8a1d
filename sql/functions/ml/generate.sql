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
