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
