-- Stand-in: Auth's before-user-created hook. The platform's Auth asks the function before it makes an account; the embedded one
-- has no hooks, so a trigger asks it, as supabase_auth_admin, with what a sign-up shows of the event. The embedded Auth connects
-- as supabase_admin; an account that somebody else inserts is made by an administrator, whom the platform does not ask either.
-- Lacks: the address and id of the request. Lacks the custom-access-token hook: tokens here carry no claims of ours.
-- Not replaced: that would be checked under the role that the function sets.
drop function if exists auth._standin_ask_hook(jsonb);
create function auth._standin_ask_hook(p_user jsonb)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
set role = 'supabase_auth_admin'
as $$
declare
  v_answer jsonb;
begin
  execute 'select private.hook_before_user_created($1)' into v_answer using pg_catalog.jsonb_build_object(
    'metadata', pg_catalog.jsonb_build_object(
      'uuid', pg_catalog.gen_random_uuid(), 'time', pg_catalog.now(), 'name', 'before-user-created'
    ),
    'user', p_user
  );
  return v_answer;
end
$$;
revoke all on function auth._standin_ask_hook(jsonb) from public;

create or replace function auth._standin_before_user_created()
returns trigger
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_message text;
begin
  -- Not there before the first migrations.
  if to_regprocedure('private.hook_before_user_created(jsonb)') is null then
    return new;
  end if;
  v_message := auth._standin_ask_hook(pg_catalog.jsonb_build_object(
    'id', new.id, 'aud', new.aud, 'role', new.role, 'email', new.email, 'phone', new.phone,
    'app_metadata', new.raw_app_meta_data, 'user_metadata', new.raw_user_meta_data
  )) #>> '{error,message}';
  if v_message <> '' then
    raise exception '%', v_message;
  end if;
  return new;
end
$$;
revoke all on function auth._standin_before_user_created() from public;

create or replace trigger _010_standin_before_user_created before insert on auth.users
for each row when (current_user = 'supabase_admin') execute function auth._standin_before_user_created();

-- What the trigger said is lost in the embedded Auth, which answers every exception alike. The gateway asks again, for a sign-up
-- by email that failed: the hook's refusal, or null where there is none, or the account is there already.
create or replace function auth._standin_refusal(p_email text, p_user_metadata jsonb)
returns jsonb
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  if to_regprocedure('private.hook_before_user_created(jsonb)') is null
    or exists (select from auth.users as u where pg_catalog.lower(u.email) = pg_catalog.lower(p_email))
  then
    return null;
  end if;
  return auth._standin_ask_hook(pg_catalog.jsonb_build_object(
    'aud', 'authenticated', 'role', 'authenticated', 'email', p_email, 'user_metadata', p_user_metadata,
    'app_metadata', '{"provider": "email", "providers": ["email"]}'::jsonb
  )) -> 'error';
end
$$;
revoke all on function auth._standin_refusal(text, jsonb) from public;

-- The platform's Auth signs nobody in who is banned; the embedded one does not look, so a trigger does.
create or replace function auth._standin_refuse_banned()
returns trigger
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  if exists (select from auth.users as u where u.id = new.user_id and u.banned_until > pg_catalog.now()) then
    raise exception 'User is banned';
  end if;
  return new;
end
$$;
revoke all on function auth._standin_refuse_banned() from public;

create or replace trigger _010_standin_refuse_banned before insert on auth.sessions
for each row when (current_user = 'supabase_admin') execute function auth._standin_refuse_banned();

-- For the gateway, after a sign-in that failed.
create or replace function auth._standin_is_banned(p_email text)
returns boolean
language sql
stable
security invoker
set search_path = ''
as $$
  select exists (
    select from auth.users as u where pg_catalog.lower(u.email) = pg_catalog.lower(p_email) and u.banned_until > pg_catalog.now()
  );
$$;
revoke all on function auth._standin_is_banned(text) from public;
