-- Every ten seconds, by pg_cron. The queue is topped up rather than flooded: a re-prediction of a million rows never has
-- more than a few steps of them waiting.
create or replace function ml.advance_backfills(p_step integer default 10000)
returns bigint
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_name text;
  v_waiting bigint;
  v_sum bigint := 0;
begin
  for v_name in
    select a.name from ml.backfills as b
    join ml.attachments as a on a.id = b.attachment_id
    where b.finished_at is null and a.paused_at is null
    order by b.started_at
  loop
    select count(*) into v_waiting
    from (
      select from ml.jobs as j join ml.attachments as a on a.id = j.attachment_id
      where a.name = v_name and j.is_background
      limit 2 * p_step
    ) as x;
    if v_waiting < 2 * p_step then
      v_sum := v_sum + (select s.enqueued from ml.backfill(v_name, p_step) as s);
    end if;
  end loop;
  return v_sum;
end
$$;

comment on function ml.advance_backfills(integer) is 'One more step of each backfill that is not finished, unless many of its jobs still wait. Returns how many were enqueued.';
