create or replace function ml.input_error(a ml.attachments)
returns text
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  execute format('select (%s)::jsonb from %s as t limit 0', a.input_expression, a.source_table);
  return null;
exception when others then
  return sqlerrm;
end
$$;

comment on function ml.input_error(ml.attachments) is 'Why an attachment''s input expression no longer fits its table, or NULL.';
