-- Stand-in: the functions of pg_cron. The original is C code that writes cron.job for callers who may not.
-- Here an invoker wrapper hands its current_user to a definer function, which believes it only if the session
-- may become that role: a forged name gains nothing the caller did not have.
create or replace function cron._standin_check(p_caller text, p_schedule text) returns void
language plpgsql stable set search_path = '' as $$
begin
  if not pg_catalog.pg_has_role(session_user, p_caller, 'member')
     and p_caller is distinct from pg_catalog.current_setting('role') then
    raise exception 'cron: % is not the calling role', p_caller using errcode = '42501';
  end if;
  if p_schedule !~* '^\s*([1-9]|[1-5][0-9])\s+seconds?\s*$'
     and p_schedule !~* '^\s*@(yearly|annually|monthly|weekly|daily|midnight|hourly)\s*$'
     and p_schedule !~* '^\s*([0-9*,/a-z$-]+\s+){4}[0-9*,/a-z$-]+\s*$' then
    raise exception 'invalid schedule: %', p_schedule
      using errcode = '22023', hint = 'Use cron format (e.g. 5 4 * * *), or interval format ''[1-59] seconds''';
  end if;
end
$$;

create or replace function cron._standin_schedule(
  p_caller text, p_name text, p_schedule text, p_command text
)
returns bigint
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_jobid bigint;
begin
  perform cron._standin_check(p_caller, p_schedule);
  insert into cron.job (jobname, schedule, command, username)
  values (p_name, p_schedule, p_command, p_caller)
  on conflict (jobname, username) do update
    set schedule = excluded.schedule, command = excluded.command, active = true
  returning jobid into v_jobid;
  return v_jobid;
end
$$;

create or replace function cron._standin_unschedule(p_caller text, p_id bigint, p_name text)
returns boolean
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform cron._standin_check(p_caller, '* * * * *');
  delete from cron.job where username = p_caller and (jobid = p_id or jobname = p_name);
  if not found then
    raise exception 'could not find valid entry for job ''%''', coalesce(p_name, p_id::text);
  end if;
  return true;
end
$$;

create or replace function cron._standin_alter(
  p_caller text, p_id bigint, p_schedule text, p_command text, p_database text, p_username text,
  p_active boolean
)
returns void
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform cron._standin_check(p_caller, coalesce(p_schedule, '* * * * *'));
  if coalesce(p_username, p_caller) <> p_caller or coalesce(p_database, current_database()) <> current_database()
  then
    raise exception 'must be superuser to alter database or username' using errcode = '42501';
  end if;
  update cron.job
  set schedule = coalesce(p_schedule, schedule), command = coalesce(p_command, command),
      active = coalesce(p_active, active)
  where jobid = p_id and username = p_caller;
  if not found then
    raise exception 'Job % does not exist or you don''t own it', p_id;
  end if;
end
$$;

create or replace function cron.schedule(job_name text, schedule text, command text) returns bigint
language sql volatile strict set search_path = ''
begin atomic
  select cron._standin_schedule(current_user::text, job_name, schedule, command);
end;

create or replace function cron.schedule(schedule text, command text) returns bigint
language sql volatile strict set search_path = ''
begin atomic
  select cron._standin_schedule(current_user::text, null, schedule, command);
end;

create or replace function cron.unschedule(job_id bigint) returns boolean
language sql volatile strict set search_path = ''
begin atomic
  select cron._standin_unschedule(current_user::text, job_id, null);
end;

create or replace function cron.unschedule(job_name text) returns boolean
language sql volatile strict set search_path = ''
begin atomic
  select cron._standin_unschedule(current_user::text, null, job_name);
end;

create or replace function cron.alter_job(
  job_id bigint, schedule text default null, command text default null, database text default null,
  username text default null, active boolean default null
)
returns void
language sql volatile set search_path = ''
begin atomic
  select cron._standin_alter(current_user::text, job_id, schedule, command, database, username, active);
end;

revoke all on all functions in schema cron from public;
grant execute on all functions in schema cron to postgres with grant option;
