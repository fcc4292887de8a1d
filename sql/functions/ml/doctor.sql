create or replace function ml.doctor(p_held_for interval default '10 minutes')
returns setof ml.finding
language sql
stable
security invoker
set search_path = ''
as $$
  select f.*
  from (
    select * from ml.doctor_attachments()
    union all
    select * from ml.doctor_work()
    union all
    select * from ml.doctor_storage(p_held_for)
    union all
    select * from ml.doctor_cron()
  ) as f
  order by f.severity, f.finding, f.object
$$;

comment on function ml.doctor(interval) is
  E'What is wrong, and what to do\n\nOne row for each finding: errors stop predictions, warnings will. p_held_for: how long a transaction may hold a snapshot. Changes nothing.';
