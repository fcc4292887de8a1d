-- Of every declared table: an account deleted elsewhere may have left rows that no foreign key reached.
create or replace function private.find_rows(p_user_id uuid)
returns table (table_name text, column_name text, held bigint)
language plpgsql
stable
security invoker
set search_path = ''
as $$
declare
  v_declared private.personal_data;
begin
  for v_declared in
    select d.* from private.personal_data as d
    where d.on_erase in ('erase', 'anonymise') and d.by_function is null and to_regclass(d.table_name) is not null
      and has_table_privilege(to_regclass(d.table_name), 'select')
    order by d.table_name, d.column_name
  loop
    table_name := v_declared.table_name;
    column_name := v_declared.column_name;
    execute format('select count(*) from %s as t where %s', to_regclass(table_name), private.rows_of(v_declared))
    into held using p_user_id, private.person_needles(p_user_id);
    if held > 0 then
      return next;
    end if;
  end loop;
end
$$;

comment on function private.find_rows(uuid) is 'How many rows each declared table holds of a person; tables that hold none are left out.';
