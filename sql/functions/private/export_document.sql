-- Definer: the account itself is Auth's. It writes nothing and asks nobody: request_export decides whose document it is.
create or replace function private.export_document(p_user_id uuid, p_page_rows integer)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_declared private.personal_data;
  v_rows jsonb;
  v_total bigint;
  v_tables jsonb := '[]';
  v_data jsonb := '{}';
  v_complete boolean := true;
begin
  for v_declared in
    select d.* from private.personal_data as d
    where d.is_exported and to_regclass(d.table_name) is not null
    order by d.table_name, d.column_name
  loop
    v_rows := private.export_rows(v_declared, p_user_id, null, p_page_rows);
    v_total := jsonb_array_length(v_rows);
    if v_total = p_page_rows then
      execute format('select count(*) from %s as t where %s', to_regclass(v_declared.table_name), private.rows_of(v_declared))
      into v_total using p_user_id, null::text[];
      v_complete := v_complete and v_total = p_page_rows;
    end if;
    v_tables := v_tables || jsonb_build_object(
      'table', v_declared.table_name, 'rows', v_total, 'complete', v_total = jsonb_array_length(v_rows),
      'restored', v_declared.is_restored, 'why', v_declared.reason
    );
    v_data := v_data || jsonb_build_object(v_declared.table_name, v_rows);
  end loop;

  return jsonb_build_object(
    'format', 'rowcast.personal-data', 'version', 1, 'exported_at', now(), 'user_id', p_user_id,
    'complete', v_complete, 'tables', v_tables, 'data', v_data,
    'files', (
      select coalesce(jsonb_agg(jsonb_build_object('bucket', o.bucket_id, 'name', o.name, 'metadata', o.metadata)), '[]')
      from private.owned_objects(p_user_id) as o
    ),
    'left_out', (
      select coalesce(jsonb_agg(jsonb_build_object('table', l.table_name, 'column', l.name, 'why', l.why) order by l.table_name, l.name), '[]')
      from (
        select d.table_name, c.key as name, c.value as why
        from private.personal_data as d
        cross join lateral jsonb_each_text(d.left_out) as c
        where d.is_exported
        union all
        select d.table_name, nullif(d.column_name, ''), d.reason
        from private.personal_data as d
        where not d.is_exported and d.on_erase <> 'none' and to_regclass(d.table_name) is not null
      ) as l
    )
  );
end
$$;

comment on function private.export_document(uuid, integer) is 'Everything declared that is held of a person, as one document; of each table at most that many rows.';
