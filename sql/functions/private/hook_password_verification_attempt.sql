-- Auth calls this under its own role at each password, right or wrong, within two seconds, and refuses the sign-in when it raises;
-- so it never does. Right ones are noted by their session. Strangers can call it as often as Auth lets them guess: from the
-- sixtieth failure within an hour on, an account's are no longer written down. Definer: Auth's role may not write here.
create or replace function private.hook_password_verification_attempt(event jsonb)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '500ms'
as $$
declare
  v_user_id uuid;
  v_ip inet;
begin
  if (event ->> 'valid') is distinct from 'false' then
    return '{"decision": "continue"}';
  end if;
  v_user_id := (event ->> 'user_id')::uuid;
  if (
    select count(*) from (
      select from public.login_events as e
      where e.user_id = v_user_id and not e.succeeded and e.at > now() - interval '1 hour'
      limit 60
    ) as recent
  ) < 60 then
    -- A cast inside one statement with its check would be computed before the check.
    if pg_input_is_valid(event #>> '{metadata,ip_address}', 'inet') then
      v_ip := event #>> '{metadata,ip_address}';
    end if;
    perform private.record_sign_in(v_user_id, null, false, v_ip, null);
  end if;
  return '{"decision": "continue"}';
exception when others then
  raise warning 'a failed password is not noted: %', sqlerrm;
  return '{"decision": "continue"}';
end
$$;

comment on function private.hook_password_verification_attempt(jsonb) is
  'Auth''s password verification hook: notes failures, and always lets Auth go on.';
grant execute on function private.hook_password_verification_attempt(jsonb) to supabase_auth_admin;
