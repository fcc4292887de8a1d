create or replace function ml.redrive(p_name text default null, p_limit integer default 1000)
returns bigint
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_risen record;
  v_count bigint := 0;
begin
  if p_name is not null and not exists (select from ml.attachments as a where a.name = p_name) then
    raise exception 'no prediction is attached under the name %', p_name using detail = 'PREDICTION_NOT_FOUND';
  end if;

  for v_risen in
    with risen as (
      delete from ml.dead_letters as d
      where d.id = any (array(
        select x.id from ml.dead_letters as x
        join ml.attachments as a on a.id = x.attachment_id
        where p_name is null or a.name = p_name
        order by x.id
        limit p_limit
        for update of x skip locked
      ))
      returning d.attachment_id, d.row_key
    )
    select r.attachment_id, array_agg(distinct r.row_key) as row_keys, count(*) as letters
    from risen as r group by r.attachment_id
  loop
    v_count := v_count + v_risen.letters;
    -- As new ones: whoever redrives wants the model asked.
    perform ml.enqueue(v_risen.attachment_id, v_risen.row_keys, p_is_new => true);
  end loop;
  return v_count;
end
$$;

comment on function ml.redrive(text, integer) is
  E'Put dead letters back into the queue\n\nAll of them or those of one prediction, oldest first, with their attempts forgotten. Rows that are gone stay gone. Returns how many left the dead letters.';
