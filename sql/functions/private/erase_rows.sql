-- One declaration, one statement. `matches` and `blank` are SQL of the migrations, never of a client; $1 is the person, $2
-- the strings that name them. A platform table that is absent here, or that this role may not write, is passed over with
-- NULL; the sweep says whether anything stayed in it.
create or replace function private.erase_rows(p_declared private.personal_data, p_user_id uuid, p_needles text[])
returns bigint
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_table regclass := to_regclass(p_declared.table_name);
  v_count bigint;
begin
  if p_declared.by_function is not null then
    execute format('select %s($1, $2)', p_declared.by_function) into v_count using p_user_id, p_needles;
    return v_count;
  end if;
  if v_table is null
    or not has_table_privilege(v_table, case p_declared.on_erase when 'erase' then 'delete' else 'update' end)
  then
    return null;
  end if;

  if p_declared.on_erase = 'erase' then
    execute format('delete from %s as t where %s', v_table, private.rows_of(p_declared)) using p_user_id, p_needles;
  else
    execute format(
      'update %s as t set %s where %s', v_table,
      (select string_agg(format('%I = %s', b.key, b.value), ', ') from jsonb_each_text(p_declared.blank) as b),
      private.rows_of(p_declared)
    ) using p_user_id, p_needles;
  end if;
  get diagnostics v_count = row_count;
  return v_count;
end
$$;

comment on function private.erase_rows(private.personal_data, uuid, text[]) is 'Erases or anonymises one table''s rows of a person, as declared.';
