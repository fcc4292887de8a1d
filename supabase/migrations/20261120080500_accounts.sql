-- Purpose: read, change, list, find and ban accounts.
-- Locks and risks: SHARE ROW EXCLUSIVE on auth.users for a trigger. The words of the accounts that are there are written in one statement.
-- Undo: drop trigger _200_words on auth.users and on public.profiles; drop the table, types and functions below.

create extension if not exists pg_trgm with schema extensions;

create table private.account_words (
  user_id uuid constraint account_words_pkey primary key
    constraint account_words_user_id_fkey references public.profiles (id) on delete cascade,
  words text not null
);

comment on table private.account_words is
  'What list_users finds an account by. A copy, since auth.users belongs to the platform and cannot be indexed.';

create index account_words_words_idx on private.account_words using gin (words extensions.gin_trgm_ops);

alter table private.account_words enable row level security;

create type public.account as (
  id uuid, email text, phone text, display_name text, username text, avatar_url text, locale text, time_zone text, roles text [],
  permissions text [], confirmed boolean, last_sign_in_at timestamptz, banned_until timestamptz, created_at timestamptz,
  updated_at timestamptz
);
comment on type public.account is 'An account with its profile, roles and permissions.';

create type public.user_page as (total bigint, page integer, page_size integer, users public.account []);
comment on type public.user_page is 'A page of accounts; total counts those of all pages.';

-- file: sql/functions/private/accounts.sql
-- Definer: an account's e-mail and times are in auth.users, which no API role may read. Called by functions that have checked.
create or replace function private.accounts(p_user_ids uuid[])
returns setof public.account
language sql
stable
security definer
set search_path = ''
as $$
  select
    p.id, u.email::text, u.phone::text, p.display_name, p.username, p.avatar_url, p.locale, p.time_zone,
    private.roles_of(p.id) as roles,
    array(select x.permission from private.permissions_of(p.id) as x order by x.permission) as permissions,
    u.email_confirmed_at is not null or u.phone_confirmed_at is not null as confirmed,
    u.last_sign_in_at, u.banned_until, p.created_at, p.updated_at
  from unnest(p_user_ids) with ordinality as asked (id, n)
  join public.profiles as p on p.id = asked.id
  join auth.users as u on u.id = p.id
  order by asked.n;
$$;

comment on function private.accounts(uuid[]) is 'People''s accounts and profiles, with the roles and permissions held now, in the order asked for.';
-- end file

-- file: sql/functions/private/me.sql
-- Definer: reads auth.users. The caller's own account only.
create or replace function private.me()
returns public.account
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_account public.account;
begin
  select a.* into v_account from private.accounts(array[private.require_user()]) as a;
  if v_account.id is null then
    raise sqlstate 'PT404' using
      message = 'You have no profile yet.', detail = 'PROFILE_NOT_FOUND', hint = 'Call sync_profile() once.';
  end if;
  return v_account;
end
$$;

comment on function private.me() is 'The caller''s own account.';
grant execute on function private.me() to authenticated;
-- end file

-- file: sql/functions/public/me.sql
create or replace function public.me()
returns public.account
language sql
stable
security invoker
set search_path = ''
return private.me();

comment on function public.me() is
  E'My account\n\nThe signed-in person''s own account and profile, with the roles and permissions held now. For what to show; what one may do is decided anew by each request.';
grant execute on function public.me() to authenticated;
-- end file

-- file: sql/functions/private/sync_profile.sql
-- Definer: reads auth.users, which no API role may. Touches the caller's own row only.
create or replace function private.sync_profile()
returns public.account
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.require_user();
  insert into public.profiles as p (id, display_name)
  select u.id, nullif(left(btrim(u.raw_user_meta_data ->> 'display_name'), 80), '')
  from auth.users as u
  where u.id = auth.uid()
  on conflict (id) do update set display_name = excluded.display_name
  where p.display_name is null and excluded.display_name is not null;
  if not exists (select from public.profiles as p where p.id = auth.uid()) then
    raise sqlstate 'PT404' using
      message = 'This account no longer exists.', detail = 'ACCOUNT_NOT_FOUND', hint = 'Sign in again.';
  end if;
  return private.me();
end
$$;

comment on function private.sync_profile() is 'Makes or completes the caller''s profile from the account.';
grant execute on function private.sync_profile() to authenticated;
-- end file

-- file: sql/functions/public/sync_profile.sql
create or replace function public.sync_profile()
returns public.account
language sql
volatile
security invoker
set search_path = ''
return private.sync_profile();

comment on function public.sync_profile() is
  E'Make or complete my profile\n\nCreates the caller''s profile where the sign-up trigger could not, and fills an empty display name from the account.';
grant execute on function public.sync_profile() to authenticated;
-- end file

-- file: sql/functions/private/change_profile.sql
-- Definer, for its two callers, who have checked whose profile it is. Only what is named here can be changed; a key with null empties.
create or replace function private.change_profile(p_user_id uuid, p_changes jsonb)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_key text;
begin
  if jsonb_typeof(p_changes) is distinct from 'object' then
    raise sqlstate 'PT422' using
      message = 'p_changes is an object.', detail = 'INVALID_PAYLOAD', hint = 'Send {"p_changes": {"display_name": "Ann"}}.';
  end if;
  for v_key in
    select e.key from jsonb_each(p_changes) as e
    where e.key not in ('display_name', 'username', 'avatar_url', 'locale', 'time_zone')
      or jsonb_typeof(e.value) not in ('string', 'null')
  loop
    raise sqlstate 'PT422' using
      message = 'This cannot be changed, or is no text.', detail = 'FIELD_REFUSED',
      hint = format('%s: display_name, username, avatar_url, locale and time_zone can, by text or null.', left(v_key, 60));
  end loop;
  update public.profiles as p set
    display_name = case when p_changes ? 'display_name' then p_changes ->> 'display_name' else p.display_name end,
    username = case when p_changes ? 'username' then p_changes ->> 'username' else p.username end,
    avatar_url = case when p_changes ? 'avatar_url' then p_changes ->> 'avatar_url' else p.avatar_url end,
    locale = case when p_changes ? 'locale' then p_changes ->> 'locale' else p.locale end,
    time_zone = case when p_changes ? 'time_zone' then p_changes ->> 'time_zone' else p.time_zone end
  where p.id = p_user_id;
  if not found then
    raise sqlstate 'PT404' using
      message = 'There is no such profile.', detail = 'PROFILE_NOT_FOUND', hint = 'Call sync_profile() once.';
  end if;
exception
  when unique_violation then
    raise sqlstate 'PT409' using
      message = 'This user name is taken.', detail = 'USERNAME_TAKEN', hint = 'Choose another one.';
  when check_violation then
    raise sqlstate 'PT422' using
      message = 'A field is out of range.', detail = 'FIELD_OUT_OF_RANGE',
      hint = 'display_name: 1 to 80 characters; username: 3 to 30 of a-z, 0-9 and _; avatar_url: https, at most 500; locale: as in de-CH; time_zone: as in Europe/Zurich.';
end
$$;

comment on function private.change_profile(uuid, jsonb) is 'Changes the named fields of a profile.';
-- end file

-- file: sql/functions/private/update_me.sql
-- Definer, for private.change_profile. The caller's own profile only.
create or replace function private.update_me(p_changes jsonb)
returns public.account
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.change_profile(private.require_user(), p_changes);
  return private.me();
end
$$;

comment on function private.update_me(jsonb) is 'Changes the caller''s own profile.';
grant execute on function private.update_me(jsonb) to authenticated;
-- end file

-- file: sql/functions/public/update_me.sql
create or replace function public.update_me(p_changes jsonb)
returns public.account
language sql
volatile
security invoker
set search_path = ''
return private.update_me(p_changes);

comment on function public.update_me(jsonb) is
  E'Change my profile\n\np_changes: any of display_name, username, avatar_url, locale and time_zone; null empties. Anything else is refused.';
grant execute on function public.update_me(jsonb) to authenticated;
-- end file

-- file: sql/functions/private/get_user.sql
-- Definer: reads auth.users. One's own account, or anybody's with the permission; who may not ask learns nothing, not even whether
-- the account exists.
create or replace function private.get_user(p_user_id uuid)
returns public.account
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_account public.account;
begin
  if p_user_id is distinct from auth.uid() then
    perform private.require_permission('users.read');
  end if;
  select a.* into v_account from private.accounts(array[p_user_id]) as a;
  if v_account.id is null then
    raise sqlstate 'PT404' using
      message = 'There is no such account.', detail = 'ACCOUNT_NOT_FOUND', hint = 'list_users finds accounts.';
  end if;
  return v_account;
end
$$;

comment on function private.get_user(uuid) is 'One account, for its person or holders of users.read.';
grant execute on function private.get_user(uuid) to authenticated, service_role;
-- end file

-- file: sql/functions/public/get_user.sql
create or replace function public.get_user(p_user_id uuid)
returns public.account
language sql
stable
security invoker
set search_path = ''
return private.get_user(p_user_id);

comment on function public.get_user(uuid) is E'One account\n\nOne''s own, or anybody''s for holders of users.read.';
grant execute on function public.get_user(uuid) to authenticated, service_role;
-- end file

-- file: sql/functions/private/list_users.sql
-- Definer: reads auth.users. The words are matched as they are: % and _ mean themselves.
create or replace function private.list_users(p_search text, p_page integer, p_page_size integer)
returns public.user_page
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_search constant text := lower(btrim(p_search));
  v_pattern constant text := '%' || replace(replace(replace(v_search, '\', '\\'), '%', '\%'), '_', '\_') || '%';
  v_page public.user_page;
  v_ids uuid[];
begin
  perform private.require_permission('users.read');
  if (p_page between 1 and 100000 and p_page_size between 1 and 100) is not true or length(p_search) > 100 then
    raise sqlstate 'PT422' using
      message = 'The page is out of range.', detail = 'PAGE_OUT_OF_RANGE',
      hint = 'p_page: 1 to 100000; p_page_size: 1 to 100; p_search: at most 100 characters.';
  end if;
  v_page.page := p_page;
  v_page.page_size := p_page_size;
  if coalesce(v_search, '') = '' then
    select count(*) into v_page.total from public.profiles as p;
    v_ids := array(
      select p.id from public.profiles as p order by p.created_at desc, p.id limit p_page_size offset (p_page - 1) * p_page_size
    );
  else
    select count(*) into v_page.total from private.account_words as w where w.words like v_pattern;
    v_ids := array(
      select w.user_id from private.account_words as w
      join public.profiles as p on p.id = w.user_id
      where w.words like v_pattern
      order by p.created_at desc, p.id
      limit p_page_size offset (p_page - 1) * p_page_size
    );
  end if;
  v_page.users := array(select a from private.accounts(v_ids) as a);
  return v_page;
end
$$;

comment on function private.list_users(text, integer, integer) is 'A page of the accounts, youngest first, with the number of all.';
grant execute on function private.list_users(text, integer, integer) to authenticated, service_role;
-- end file

-- file: sql/functions/public/list_users.sql
create or replace function public.list_users(p_search text default null, p_page integer default 1, p_page_size integer default 20)
returns public.user_page
language sql
stable
security invoker
set search_path = ''
return private.list_users(p_search, p_page, p_page_size);

comment on function public.list_users(text, integer, integer) is
  E'List or find accounts\n\nFor holders of users.read. p_search is looked for within e-mail addresses, phone numbers, names and user names. Youngest first, with the total.';
grant execute on function public.list_users(text, integer, integer) to authenticated, service_role;
-- end file

-- file: sql/functions/private/admin_update_user.sql
-- Definer: writes other people's profiles, and bans in auth.users. A ban ends the sessions too.
create or replace function private.admin_update_user(p_user_id uuid, p_changes jsonb)
returns public.account
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_until timestamptz;
begin
  perform private.require_permission('users.write');
  perform private.get_user(p_user_id);
  perform private.require_not_above(p_user_id);
  if p_changes ? 'banned_until' then
    if p_user_id = auth.uid() then
      raise sqlstate 'PT409' using
        message = 'Nobody bans himself.', detail = 'SELF_BAN', hint = 'request_deletion() closes one''s own account.';
    end if;
    if jsonb_typeof(p_changes -> 'banned_until') <> 'null' then
      if pg_input_is_valid(p_changes ->> 'banned_until', 'timestamptz') then
        v_until := (p_changes ->> 'banned_until')::timestamptz;
      end if;
      if (v_until > now() and v_until < '2200-01-01') is not true then
        raise sqlstate 'PT422' using
          message = 'A ban ends in the future.', detail = 'EXPIRY_OUT_OF_RANGE',
          hint = 'banned_until: a time before 2200, as in 2027-01-01T00:00:00Z, or null to lift the ban.';
      end if;
    end if;
    update auth.users as u set banned_until = v_until where u.id = p_user_id and u.banned_until is distinct from v_until;
    if found then
      perform private.note_event('account.banned', p_user_id, jsonb_build_object('banned_until', v_until));
    end if;
    if v_until is not null then
      delete from auth.sessions as s where s.user_id = p_user_id;
      if exists (select from public.user_roles as ur where ur.user_id = p_user_id and ur.role = 'admin') then
        perform private.require_an_admin();
      end if;
    end if;
  end if;
  if p_changes - 'banned_until' <> '{}' then
    perform private.change_profile(p_user_id, p_changes - 'banned_until');
  end if;
  return private.get_user(p_user_id);
end
$$;

comment on function private.admin_update_user(uuid, jsonb) is 'Changes another person''s profile, bans and lifts bans.';
grant execute on function private.admin_update_user(uuid, jsonb) to authenticated, service_role;
-- end file

-- file: sql/functions/public/admin_update_user.sql
create or replace function public.admin_update_user(p_user_id uuid, p_changes jsonb)
returns public.account
language sql
volatile
security invoker
set search_path = ''
return private.admin_update_user(p_user_id, p_changes);

comment on function public.admin_update_user(uuid, jsonb) is
  E'Change or ban an account\n\nFor holders of users.write, on people who may do no more than the caller. p_changes as in update_me, and banned_until: a time, or null to lift the ban. A ban ends all sessions.';
grant execute on function public.admin_update_user(uuid, jsonb) to authenticated, service_role;
-- end file

-- file: sql/functions/private/note_words.sql
create or replace function private.note_words(p_user_id uuid)
returns void
language sql
volatile
security invoker
set search_path = ''
as $$
  insert into private.account_words (user_id, words)
  select p.id, lower(concat_ws(' ', u.email, u.phone, p.display_name, p.username))
  from public.profiles as p
  join auth.users as u on u.id = p.id
  where p.id = p_user_id
  on conflict (user_id) do update set words = excluded.words;
$$;

comment on function private.note_words(uuid) is 'Writes what an account is found by: its address, number and names.';
-- end file

-- file: sql/functions/private/tg_users__words.sql
-- Definer: the Auth server's role may not write here. As the trigger that makes the profile, it never refuses an account.
create or replace function private.tg_users__words()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.note_words(new.id);
  return null;
exception when others then
  raise warning 'account % is not found by its words: %', new.id, sqlerrm;
  return null;
end
$$;

comment on function private.tg_users__words() is 'Keeps what an account is found by, when its address changes.';
-- end file

-- file: sql/functions/private/tg_profiles__words.sql
create or replace function private.tg_profiles__words()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.note_words(new.id);
  return null;
end
$$;

comment on function private.tg_profiles__words() is 'Keeps what an account is found by. Definer: no API role may write that.';
-- end file

create trigger _200_words after insert or update of display_name, username on public.profiles
for each row execute function private.tg_profiles__words();

create trigger _200_words after update of email, phone on auth.users
for each row execute function private.tg_users__words();

insert into private.account_words (user_id, words)
select p.id, lower(concat_ws(' ', u.email, u.phone, p.display_name, p.username))
from public.profiles as p
join auth.users as u on u.id = p.id;
