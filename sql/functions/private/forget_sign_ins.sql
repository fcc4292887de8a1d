-- In portions, so that no run holds its locks for long; cron calls it every hour.
create or replace function private.forget_sign_ins()
returns bigint
language sql
volatile
security invoker
set search_path = ''
as $$
  with gone as (
    delete from public.login_events as e
    where e.id in (
      select x.id from public.login_events as x
      where x.at < now() - make_interval(days => (select p.keep_days from private.sign_in_policy as p))
      order by x.at
      limit 20000
    )
    returning 1
  )
  select count(*) from gone;
$$;

comment on function private.forget_sign_ins() is 'Deletes sign-ins that are past their keep; returns how many.';
