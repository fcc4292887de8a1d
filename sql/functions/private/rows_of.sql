create or replace function private.rows_of(p_declared private.personal_data)
returns text
language sql
stable
security invoker
set search_path = ''
as $$
  select '(' || coalesce(p_declared.matches, format('t.%I = $1', p_declared.column_name)) || ')';
$$;

comment on function private.rows_of(private.personal_data) is 'The condition over a row t that makes it the rows of person $1, who is named by the strings $2.';
