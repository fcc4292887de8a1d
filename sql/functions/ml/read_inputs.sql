-- The row as the model would see it, for claim and commit. Under p_lock the rows are locked, and a row that somebody else has locked is
-- left out rather than waited for: a writer who holds it may be waiting for our jobs. FOR NO KEY UPDATE, because foreign
-- keys to the row may hold it FOR KEY SHARE.
create or replace function ml.read_inputs(p_attachment ml.attachments, p_row_keys text[], p_lock boolean)
returns table (row_key text, input jsonb)
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  return query execute format(
    'select t.%1$I::text, ml.%2$I(t) from %3$s as t where t.%1$I = any ($1::%4$s[]) %5$s',
    p_attachment.key_column, p_attachment.name || '__input', p_attachment.source_table, p_attachment.key_type,
    case when p_lock then 'for no key update skip locked' end
  ) using p_row_keys;
end
$$;

comment on function ml.read_inputs(ml.attachments, text[], boolean) is
  'The rows of these keys that exist, and what the model would be given for each now.';
