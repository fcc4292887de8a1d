create or replace function private.rows_of(p_declared private.personal_data)
returns text
language sql
immutable
security invoker
set search_path = ''
begin atomic
  select '(' || coalesce(p_declared.matches, format('t.%I = $1', p_declared.column_name)) || ')';
end;

comment on function private.rows_of(private.personal_data) is 'The condition over a row t that makes it the rows of person $1, who is named by the strings $2.';
