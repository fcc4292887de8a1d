-- Only columns that exist, that are given, and that may be written: the platform generates some which others store.
create or replace function private.insert_row(p_table regclass, p_row jsonb)
returns bigint
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_columns text;
  v_count bigint;
begin
  select string_agg(quote_ident(a.attname), ', ' order by a.attnum) into v_columns
  from pg_catalog.pg_attribute as a
  where a.attrelid = p_table and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and p_row ? a.attname;
  execute format(
    'insert into %1$s (%2$s) overriding system value select %2$s from jsonb_populate_record(null::%1$s, $1) on conflict do nothing',
    p_table, v_columns
  ) using p_row;
  get diagnostics v_count = row_count;
  return v_count;
end
$$;

comment on function private.insert_row(regclass, jsonb) is 'Inserts one row given as JSON, if it is not there yet. Answers how many rows that were.';
