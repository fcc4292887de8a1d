-- One table's rows of a person in the order of its key, from behind the row p_after on. The caller decides whose.
create or replace function private.export_rows(p_declared private.personal_data, p_user_id uuid, p_after jsonb, p_limit integer)
returns jsonb
language plpgsql
stable
security invoker
set search_path = ''
as $$
declare
  v_table regclass := to_regclass(p_declared.table_name);
  v_key text[];
  v_behind text := 'true';
  v_rows jsonb;
begin
  if v_table is null then
    return '[]';
  end if;
  select array_agg(a.attname::text order by k.place) into v_key
  from pg_catalog.pg_index as i
  cross join lateral unnest(i.indkey::smallint[]) with ordinality as k (number, place)
  join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum = k.number
  where i.indrelid = v_table and i.indisprimary;
  if p_after is not null then
    -- Without a key all rows were in the first answer.
    v_behind := coalesce(
      (
        select format('(%s) > (%s)', string_agg(format('t.%I', k), ', '), string_agg(format('($3).%I', k), ', '))
        from unnest(v_key) as k
      ), 'false'
    );
    v_behind := replace(v_behind, '($3)', format('(jsonb_populate_record(null::%s, $3))', v_table));
  end if;

  execute format(
    $sql$
      select coalesce(jsonb_agg(x.exported order by x.place), '[]')
      from (
        select %1$s as exported, row_number() over (order by %2$s) as place
        from %3$s as t
        where %4$s and %5$s
        order by %2$s
        limit $4
      ) as x
    $sql$,
    case
      when p_declared.only_columns is null then 'to_jsonb(t) - $5'
      else '(select jsonb_object_agg(c.key, c.value) from jsonb_each(to_jsonb(t)) as c where c.key = any ($6))'
    end,
    coalesce((select string_agg(format('t.%I', k), ', ') from unnest(v_key) as k), 't::text'),
    v_table, private.rows_of(p_declared), v_behind
  ) into v_rows using
    p_user_id, null::text[], p_after, case when v_key is not null then p_limit end,
    array(select jsonb_object_keys(p_declared.left_out)), p_declared.only_columns;
  return v_rows;
end
$$;

comment on function private.export_rows(private.personal_data, uuid, jsonb, integer) is 'A page of what one declared table holds of a person.';
