-- The catalogue may change under an attachment, which no foreign key forbids.
create or replace function ml.doctor_attachments()
returns setof ml.finding
language sql
stable
security invoker
set search_path = ''
as $$
  with looked_at as (
    select
      a.name, a.source_table, a.key_column, a.key_type, a.apply_function,
      exists (select from pg_class as c where c.oid = a.source_table) as has_table,
      exists (
        select from pg_index as i
        join pg_attribute as k on k.attrelid = i.indrelid and k.attnum = i.indkey[0]
        where i.indrelid = a.source_table and i.indisprimary and i.indnkeyatts = 1
          and k.attname = a.key_column and k.atttypid = a.key_type
      ) as has_key,
      (
        select string_agg(w.name, ', ') from unnest(a.watched_columns || array[a.owner_column]) as w (name)
        where w.name is not null and not exists (
          select from pg_attribute as x
          where x.attrelid = a.source_table and x.attname = w.name and x.attnum > 0 and not x.attisdropped
        )
      ) as lost_columns,
      (
        select string_agg(format('ml.%I', g.object_name), ', ') from ml.generate(a) as g
        where not starts_with(g.object_name, '_800_')
          and not exists (select from pg_proc as p where p.pronamespace = 'ml'::regnamespace and p.proname = g.object_name)
      ) as lost_functions,
      (
        select string_agg(g.object_name, ', ') from ml.generate(a) as g
        where starts_with(g.object_name, '_800_')
          and not exists (select from pg_trigger as t where t.tgrelid = a.source_table and t.tgname = g.object_name)
      ) as lost_triggers,
      (
        select string_agg(t.tgname, ', ') from pg_trigger as t
        where t.tgrelid = a.source_table and starts_with(t.tgname, '_800_predict_' || a.name || '_') and t.tgenabled in ('D', 'R')
      ) as disabled_triggers,
      a.generated_hash is distinct from ml.generated_hash(a) as has_drifted,
      to_regprocedure(format('%s(text[], jsonb[], text)', a.apply_function)) is null as lost_apply,
      ml.input_error(a) as input_error,
      format(
        'select ml.attach(%L, %L, %L, %L, %L, %L, %L)',
        a.name, a.source_table, a.model, a.input_expression, a.watched_columns, a.apply_function, a.owner_column
      ) as attach_again
    from ml.attachments as a
  )
  select 'error', f.finding, l.name, f.detail, f.fix
  from looked_at as l
  cross join lateral (
    values
      (not l.has_table, 'SOURCE_GONE', 'its table was dropped', format('select ml.detach(%L)', l.name)),
      (
        l.has_table and not l.has_key, 'KEY_CHANGED',
        format('%s %s is no longer the primary key of %s', l.key_column, l.key_type, l.source_table),
        'call ml.attach again in a migration'
      ),
      (
        l.has_table and l.lost_columns is not null, 'COLUMN_GONE', format('%s has no column %s', l.source_table, l.lost_columns),
        'call ml.attach again in a migration, with columns that are there'
      ),
      (
        l.has_table and l.has_key and l.lost_columns is null and l.input_error is not null, 'INPUT_BROKEN', l.input_error,
        'call ml.attach again in a migration, with an input that the table has'
      ),
      (
        l.lost_apply, 'APPLY_GONE', format('there is no function %s(text[], jsonb[], text)', l.apply_function),
        'create it, or call ml.attach with another'
      ),
      (l.has_table and l.lost_functions is not null, 'FUNCTION_MISSING', l.lost_functions, l.attach_again),
      (l.has_table and l.lost_triggers is not null, 'TRIGGER_MISSING', l.lost_triggers, l.attach_again),
      (l.disabled_triggers is not null, 'TRIGGER_DISABLED', l.disabled_triggers, l.attach_again),
      (
        l.has_table and l.has_drifted and coalesce(l.lost_functions, l.lost_triggers, l.disabled_triggers) is null, 'GENERATED_CHANGED',
        'its functions or triggers are not what ml.attach made', l.attach_again
      )
  ) as f (found, finding, detail, fix)
  where f.found
$$;

comment on function ml.doctor_attachments() is 'What is wrong with attachments: tables, columns, functions and triggers that are not as ml.attach left them.';
