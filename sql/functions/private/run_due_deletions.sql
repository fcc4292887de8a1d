-- Run by pg_cron. Who owns no file is erased here; files go through Storage's API, so for the others the edge function is
-- called, once for all, with a secret and without a name: it asks for whom it is. Without the secrets they wait.
create or replace function private.run_due_deletions(p_limit integer default 20)
returns integer
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_due record;
  v_erased integer := 0;
  v_call boolean := false;
  v_url text;
  v_secret text;
begin
  for v_due in select d.user_id, d.has_files from private.due_deletions(p_limit) as d loop
    if v_due.has_files then
      v_call := true;
      continue;
    end if;
    -- Locked, so that it is not cancelled meanwhile; passed over if it just was, or if another run has it.
    perform from public.deletion_requests as d
    where d.user_id = v_due.user_id and d.state = 'pending' for update skip locked;
    if not found then
      continue;
    end if;
    begin
      perform private.erase_user(v_due.user_id, 'due');
      v_erased := v_erased + 1;
    exception when others then
      perform private.note_deletion_failure(v_due.user_id, sqlstate || ': ' || sqlerrm);
    end;
  end loop;

  if v_call then
    select s.decrypted_secret into v_url from vault.decrypted_secrets as s where s.name = 'rowcast_functions_url';
    select s.decrypted_secret into v_secret from vault.decrypted_secrets as s where s.name = 'rowcast_erasure_secret';
    if v_url is not null and v_secret is not null then
      perform net.http_post(
        url := v_url || '/admin-delete-user',
        body := jsonb_build_object('due', true),
        headers := jsonb_build_object('content-type', 'application/json', 'x-rowcast-erasure-secret', v_secret),
        timeout_milliseconds := 60000
      );
    end if;
  end if;
  return v_erased;
end
$$;

comment on function private.run_due_deletions(integer) is 'Erases the people whose grace period is over. Answers how many were erased here; those who own files are left to the edge function.';
