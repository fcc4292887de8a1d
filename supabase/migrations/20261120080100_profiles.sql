-- Purpose: one profile for each account, made by a trigger that can never block a sign-up.
-- Locks and risks: a short SHARE ROW EXCLUSIVE lock on auth.users while the trigger is created.
-- Undo: drop trigger _100_create_profile on auth.users; drop table public.profiles.

-- file: sql/functions/private/is_time_zone.sql
create or replace function private.is_time_zone(p_name text)
returns boolean
language plpgsql
immutable
security invoker
set search_path = ''
as $$
begin
  perform timestamp '2000-01-01' at time zone p_name;
  return true;
exception when invalid_parameter_value then
  return false;
end
$$;

comment on function private.is_time_zone(text) is 'Whether Postgres knows a time zone by this name.';
grant execute on function private.is_time_zone(text) to authenticated, service_role;
-- end file

create table public.profiles (
  id uuid constraint profiles_pkey primary key
    constraint profiles_id_fkey references auth.users (id) on delete cascade,
  display_name text constraint profiles_display_name_check check (length(display_name) between 1 and 80),
  username text constraint profiles_username_check check (username ~ '^[a-z0-9_]{3,30}$'),
  avatar_url text constraint profiles_avatar_url_check
    check (length(avatar_url) <= 500 and avatar_url ~ '^https://[^[:space:][:cntrl:]"''<>]+$'),
  locale text constraint profiles_locale_check check (locale ~ '^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$'),
  time_zone text constraint profiles_time_zone_check
    check (time_zone ~ '^[A-Za-z][A-Za-z0-9_+/-]{1,63}$' and private.is_time_zone(time_zone)),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

comment on table public.profiles is
  E'A person as other people may come to see them.\n\nHolds no role, tier, balance or verdict: those are never a client''s to write.';
comment on column public.profiles.id is 'The account, as in auth.users.';
comment on column public.profiles.display_name is 'Name to show, 1 to 80 characters.';
comment on column public.profiles.username is 'Unique name, 3 to 30 of a-z, 0-9 and _.';
comment on column public.profiles.avatar_url is 'Picture, an https address of at most 500 characters.';
comment on column public.profiles.locale is 'Language and region, as in de-CH.';
comment on column public.profiles.time_zone is 'Time zone by its IANA name, as in Europe/Zurich.';
comment on column public.profiles.created_at is 'When the profile was made.';
comment on column public.profiles.updated_at is 'When the profile last changed.';

create unique index profiles_username_key on public.profiles (username);
create index profiles_created_at_idx on public.profiles (created_at desc, id);

alter table public.profiles enable row level security;

-- file: sql/policies/profiles.sql
-- Everybody signed in reads and changes their own profile; rows are made by the sign-up trigger only. Holders of users.read ask
-- list_users and get_user: with "or has a permission" here, one's own profile would be looked for in all of them.
revoke all on public.profiles from anon, authenticated, service_role;
grant select on public.profiles to authenticated, service_role;
grant update (display_name, username, avatar_url, locale, time_zone) on public.profiles to authenticated, service_role;

drop policy if exists "people read their own profile" on public.profiles;
create policy "people read their own profile" on public.profiles
for select to authenticated
using (id = (select auth.uid()));

drop policy if exists "people change their own profile" on public.profiles;
create policy "people change their own profile" on public.profiles
for update to authenticated
using (id = (select auth.uid()))
with check (id = (select auth.uid()));
-- end file

-- file: sql/functions/private/tg_profiles__touch.sql
create or replace function private.tg_profiles__touch()
returns trigger
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  new.updated_at := pg_catalog.now();
  return new;
end
$$;

comment on function private.tg_profiles__touch() is 'Keeps updated_at true.';
-- end file

-- file: sql/functions/private/tg_users__create_profile.sql
-- Definer: the Auth server's role may not write profiles. Called by its trigger only.
-- A profile is a convenience and an account is not: whatever goes wrong here becomes a warning, and sync_profile() mends it.
create or replace function private.tg_users__create_profile()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  insert into public.profiles (id, display_name)
  values (new.id, nullif(left(btrim(new.raw_user_meta_data ->> 'display_name'), 80), ''))
  on conflict (id) do nothing;
  return null;
exception when others then
  raise warning 'no profile for account %: %', new.id, sqlerrm;
  return null;
end
$$;

comment on function private.tg_users__create_profile() is 'Makes the profile of a new account; never refuses the account.';

-- The Auth server fires the trigger under its own role; a trigger's function is not checked for EXECUTE when it fires.
-- end file

-- file: sql/functions/public/hello.sql
create or replace function public.hello()
returns table (message text)
language sql
immutable
security invoker
set search_path = ''
as $$ select 'Hello from Rowcast' $$;

comment on function public.hello() is E'Say hello\n\nAnswers anybody who has a key; good for a first call.';
grant execute on function public.hello() to anon, authenticated, service_role;
-- end file

create trigger _100_touch before update on public.profiles
for each row execute function private.tg_profiles__touch();

create trigger _100_create_profile after insert on auth.users
for each row execute function private.tg_users__create_profile();

-- Accounts that were there before this migration.
insert into public.profiles (id, display_name)
select u.id, nullif(left(btrim(u.raw_user_meta_data ->> 'display_name'), 80), '')
from auth.users as u
on conflict (id) do nothing;
