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
