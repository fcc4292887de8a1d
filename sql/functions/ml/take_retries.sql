-- Retries travel apart from fresh jobs, so that a suspect endangers nobody new; and suspects in batches an eighth the size for
-- each lease that ran out with them, so that the one that kills workers is alone after three times.
-- One whose row has a pending job waits for that: its claim takes the retry along.
create or replace function ml.take_retries(p_attachment_id smallint, p_limit integer, p_shut uuid[] default null)
returns setof ml.owed
language plpgsql
volatile
security invoker
set search_path = ''
set enable_seqscan = off
as $$
declare
  v_suspicion smallint;
begin
  if p_limit <= 0 then
    return;
  end if;
  select r.suspicion into v_suspicion
  from ml.retries as r
  where r.attachment_id = p_attachment_id and r.run_at <= clock_timestamp()
    and (p_shut is null or r.owner_id <> all (p_shut))
    and not exists (
      select from ml.jobs as j where j.attachment_id = r.attachment_id and j.row_key = r.row_key
    )
  order by r.run_at
  limit 1;
  if not found then
    return;
  end if;

  return query
  with due as (
    select r.row_key
    from ml.retries as r
    where r.attachment_id = p_attachment_id and r.run_at <= clock_timestamp() and r.suspicion = v_suspicion
      and (p_shut is null or r.owner_id <> all (p_shut))
      and not exists (
        select from ml.jobs as j where j.attachment_id = r.attachment_id and j.row_key = r.row_key
      )
    order by r.run_at
    limit greatest(1, p_limit / (8 ^ least(v_suspicion, 6))::integer)
    for update of r skip locked
  )
  delete from ml.retries as r using due
  where r.attachment_id = p_attachment_id and r.row_key = due.row_key
  returning
    r.row_key, r.owner_id, r.enqueued_at, r.is_new, r.is_background, r.attempts, r.deferrals, r.suspicion, null::bytea;
end
$$;

comment on function ml.take_retries(smallint, integer, uuid[]) is 'Takes at most p_limit due retries of an attachment, all under the same suspicion.';
