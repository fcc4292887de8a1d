-- Only columns that exist, that are given, and that may be written: the platform generates some which others store. In a
-- document JSON's null and SQL's look alike; where the column takes no NULL, it was JSON's.
create or replace function private.insert_row(p_table regclass, p_row jsonb)
returns bigint
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_columns text;
  v_values text;
  v_count bigint;
begin
  select
    string_agg(quote_ident(a.attname), ', ' order by a.attnum),
    string_agg(
      format(
        case when a.attnotnull and a.atttypid in ('json'::regtype, 'jsonb'::regtype) then 'coalesce(r.%I, ''null'')' else 'r.%I' end,
        a.attname
      ), ', ' order by a.attnum
    )
  into v_columns, v_values
  from pg_catalog.pg_attribute as a
  where a.attrelid = p_table and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and p_row ? a.attname;
  execute format(
    'insert into %1$s (%2$s) overriding system value select %3$s from jsonb_populate_record(null::%1$s, $1) as r on conflict do nothing',
    p_table, v_columns, v_values
  ) using p_row;
  get diagnostics v_count = row_count;
  return v_count;
end
$$;

comment on function private.insert_row(regclass, jsonb) is 'Inserts one row given as JSON, if it is not there yet. Answers how many rows that were.';
