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
