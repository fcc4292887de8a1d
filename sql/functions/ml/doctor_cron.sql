create or replace function ml.doctor_cron()
returns setof ml.finding
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  if to_regclass('cron.job') is null then
    return;
  end if;
  -- Dynamic: the table is there only with the extension.
  return query execute $q$
    select
      'warning', 'CRON_JOB_MISSING', w.name, 'it is not scheduled, or switched off',
      format('select cron.schedule(%L, %L, %L)', w.name, w.schedule, w.command)
    from (
      values ('rowcast-maintain', '7 * * * *', 'select ml.maintain()'), ('rowcast-wakeup', '10 seconds', 'select ml.send_wakeup()'),
        ('rowcast-backfill', '10 seconds', 'select ml.advance_backfills()'),
        ('rowcast-notifications', '23 3 * * *', 'select private.forget_notifications()'),
        ('rowcast-audit', '17 * * * *', 'select private.maintain_audit()'),
        ('rowcast-forget-sign-ins', '37 * * * *', 'select private.forget_sign_ins()'),
        ('rowcast-rate-buckets', '*/10 * * * *', 'select private.forget_rate_buckets()'),
        ('rowcast-deletions', '*/5 * * * *', 'select private.run_due_deletions()')
    ) as w (name, schedule, command)
    where not exists (select from cron.job as j where j.jobname = w.name and j.active)
  $q$;
end
$$;

comment on function ml.doctor_cron() is 'Scheduled jobs that are missing, where pg_cron is there at all.';
