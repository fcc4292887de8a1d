create or replace function ml.redrive(p_name text default null, p_limit integer default 1000)
returns bigint
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_count bigint;
begin
  if p_name is not null and not exists (select from ml.attachments as a where a.name = p_name) then
    raise exception 'no prediction is attached under the name %', p_name using detail = 'PREDICTION_NOT_FOUND';
  end if;

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
    returning d.attachment_id, d.row_key, d.owner_id
  ), back as (
    -- As new ones: whoever redrives wants the model asked.
    insert into ml.jobs (attachment_id, row_key, owner_id, is_new)
    select distinct on (r.attachment_id, r.row_key) r.attachment_id, r.row_key, r.owner_id, true
    from risen as r
    order by r.attachment_id, r.row_key
    on conflict (attachment_id, row_key) where token is null and not is_retry do update set
      is_new = true, enqueued_at = excluded.enqueued_at
  )
  select count(*) into v_count from risen;
  return v_count;
end
$$;

comment on function ml.redrive(text, integer) is
  E'Put dead letters back into the queue\n\nAll of them or those of one prediction, oldest first, with their attempts forgotten. Returns how many.';
