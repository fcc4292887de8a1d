-- Static code for each attachment, so that the write path pays for no dynamic SQL. Statement-level triggers with
-- transition tables: a bulk write costs one insert, in key order, so that two writers cannot deadlock. A column list is not
-- allowed beside transition tables, so the update trigger compares the watched columns itself. Definer: writers have no right
-- on the queue.
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
        owner_id = excluded.owner_id, is_new = j.is_new or excluded.is_new, attempts = 0, deferrals = 0;
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
  -- Only what is pending is called off: a running job's commit finds the row gone. Touching it here could deadlock.
  execute format(
    $q$
    create function ml.%1$I() returns trigger
    language plpgsql volatile security definer set search_path = '' as $f$
    begin
      -- Once for each partial index.
      delete from ml.jobs as j using old_rows as o
      where j.attachment_id = %2$s and j.row_key = o.%3$I::text and j.token is null and not j.is_retry;
      delete from ml.jobs as j using old_rows as o
      where j.attachment_id = %2$s and j.row_key = o.%3$I::text and j.token is null and j.is_retry;
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
