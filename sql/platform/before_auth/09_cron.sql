-- Stand-in: pg_cron. Same functions and tables; a task of the gateway runs the jobs. Narrower than the original:
-- PUBLIC, which may select from both tables there, gets nothing; the platform's grants to `postgres` are the same.
-- Lacks: schedule_in_database(), the settings cron.*, and any run while the gateway is down. The original's
-- row policies are left out, since `supabase db reset` drops every policy as `postgres`: row security without
-- a policy shows nothing to roles that do not bypass it. A reset keeps the jobs; on the platform it drops them.
create sequence if not exists cron.jobid_seq;
create sequence if not exists cron.runid_seq;
create table if not exists cron.job (
  jobid bigint primary key default nextval('cron.jobid_seq'),
  schedule text not null,
  command text not null,
  nodename text not null default 'localhost',
  nodeport integer not null default coalesce(inet_server_port(), 5432),
  database text not null default current_database(),
  username text not null default current_user,
  active boolean not null default true,
  jobname text
);
create unique index if not exists jobname_username_uniq on cron.job (jobname, username);
create table if not exists cron.job_run_details (
  jobid bigint,
  runid bigint primary key default nextval('cron.runid_seq'),
  job_pid integer,
  database text,
  username text,
  command text,
  status text,
  return_message text,
  start_time timestamptz,
  end_time timestamptz
);

alter table cron.job enable row level security;
alter table cron.job_run_details enable row level security;

grant usage on schema cron to postgres with grant option;
revoke all on cron.job, cron.job_run_details from public;
grant select on cron.job to postgres with grant option;
grant all on cron.job_run_details to postgres with grant option;
revoke trigger on cron.job_run_details from postgres;
grant all on sequence cron.jobid_seq, cron.runid_seq to postgres with grant option;

create or replace function cron._standin_wake() returns trigger
language plpgsql set search_path = '' as $$
begin
  notify rowcast_cron;
  return null;
end
$$;
drop trigger if exists _standin_wake on cron.job;
create trigger _standin_wake after insert or update or delete or truncate on cron.job
  for each statement execute function cron._standin_wake();
