-- Purpose: notifications: a table that its owner reads, functions that write it, and an event on the owner's channel for each.
-- Locks and risks: new objects only.
-- Undo: select cron.unschedule('rowcast-notifications'); drop the functions, types and tables below.

-- Kinds are data, brought by the migration of the feature that sends them.
create table private.notification_kinds (
  name text constraint notification_kinds_pkey primary key
    constraint notification_kinds_name_check check (name ~ '^[a-z][a-z0-9_]{0,39}$'),
  title text not null constraint notification_kinds_title_check check (length(title) between 1 and 200),
  description text not null constraint notification_kinds_description_check check (length(description) between 1 and 500),
  can_be_muted boolean not null default true
);

comment on table private.notification_kinds is
  'What people can be notified of: the title that stands where the sender gives none, and what the settings page says.';

alter table private.notification_kinds enable row level security;

insert into private.notification_kinds (name, title, description, can_be_muted)
values
('announcement', 'News', 'What is new, and what will change.', true),
('account', 'About your account', 'Sign-ins, changes of rights, exports and deletion.', false);

create table private.notification_mutes (
  user_id uuid not null constraint notification_mutes_user_id_fkey references auth.users (id) on delete cascade,
  kind text not null constraint notification_mutes_kind_fkey references private.notification_kinds (name) on delete cascade,
  created_at timestamptz not null default now(),
  constraint notification_mutes_pkey primary key (user_id, kind)
);

comment on table private.notification_mutes is 'Kinds that a person does not want to hear of.';

create index notification_mutes_kind_idx on private.notification_mutes (kind);

alter table private.notification_mutes enable row level security;

create table public.notifications (
  id bigint generated always as identity constraint notifications_pkey primary key,
  user_id uuid not null constraint notifications_user_id_fkey references auth.users (id) on delete cascade,
  kind text not null constraint notifications_kind_fkey references private.notification_kinds (name) on delete restrict,
  title text not null constraint notifications_title_check check (length(title) between 1 and 200),
  body text constraint notifications_body_check check (length(body) <= 2000),
  data jsonb not null default '{}'
    constraint notifications_data_check check (jsonb_typeof(data) = 'object' and octet_length(data::text) <= 8192),
  idempotency_key text constraint notifications_idempotency_key_check check (length(idempotency_key) between 1 and 200),
  created_at timestamptz not null default now(),
  read_at timestamptz,
  constraint notifications_user_id_idempotency_key_key unique (user_id, idempotency_key)
);

comment on table public.notifications is
  E'What people were told.\n\nWritten by functions only. Page with `order=created_at.desc,id.desc`; the reference says how. Kept 90 days after they were read, at most 400.';
comment on column public.notifications.id is 'The notification.';
comment on column public.notifications.user_id is 'Whom it is for.';
comment on column public.notifications.kind is 'What it is about, as in notification_settings().';
comment on column public.notifications.title is 'One line, 1 to 200 characters.';
comment on column public.notifications.body is 'More, where there is more; up to 2000 characters.';
comment on column public.notifications.data is 'For the front end: ids to link to, numbers to show. A JSON object up to 8192 bytes.';
comment on column public.notifications.idempotency_key is 'The sender''s key: the same person is notified once under it.';
comment on column public.notifications.created_at is 'When it was made.';
comment on column public.notifications.read_at is 'When its owner marked it read; NULL until then.';

-- One index for a page of the list, one for the unread alone. Ordered by time rather than by id alone: the planner would at times
-- walk the primary key backwards for that, past everybody else's rows. Retention passes by time, and rows lie in that order on disk.
create index notifications_user_id_created_at_id_idx on public.notifications (user_id, created_at desc, id desc);
create index notifications_unread_idx on public.notifications (user_id, created_at desc, id desc) where read_at is null;
create index notifications_created_at_idx on public.notifications using brin (created_at);
create index notifications_kind_idx on public.notifications (kind);

alter table public.notifications enable row level security;

-- file: sql/policies/notifications.sql
-- Written by private.notify and its kin, marked by mark_notifications_read; the owner reads.
revoke all on public.notifications from anon, authenticated, service_role;
grant select on public.notifications to authenticated, service_role;

drop policy if exists "people read their own notifications" on public.notifications;
create policy "people read their own notifications" on public.notifications
for select to authenticated
using (user_id = (select auth.uid()));
-- end file

create type public.notification_setting as (kind text, title text, description text, can_be_muted boolean, muted boolean);
comment on type public.notification_setting is 'A row of notification_settings().';

-- file: sql/functions/private/notify_many.sql
-- Definer: whoever causes a notification needs no right on the table. Not for users: the wrapper is granted to the secret key only.
-- One statement for all, so a fan-out is one insert and one trigger. In the order of the accounts, so that two fan-outs under one
-- key wait for each other instead of dead-locking. Accounts that are gone, and people who muted the kind, are passed over.
create or replace function private.notify_many(
  p_user_ids uuid[], p_kind text, p_data jsonb default '{}', p_title text default null, p_body text default null,
  p_key text default null
)
returns setof bigint
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_kind private.notification_kinds;
begin
  select k.* into v_kind from private.notification_kinds as k where k.name = p_kind;
  if not found then
    raise sqlstate 'PT422' using
      message = 'There is no such kind of notification.', detail = 'NOTIFICATION_KIND_UNKNOWN',
      hint = 'Kinds are made by a migration.';
  end if;
  if cardinality(p_user_ids) > 10000 then
    raise sqlstate 'PT422' using
      message = 'Too many people at once.', detail = 'TOO_MANY_RECIPIENTS', hint = 'Send to at most 10000 people in one call.';
  end if;
  if jsonb_typeof(p_data) is distinct from 'object' or octet_length(p_data::text) > 8192
    or length(coalesce(p_title, v_kind.title)) not between 1 and 200 or length(p_body) > 2000
    or length(p_key) not between 1 and 200
  then
    raise sqlstate 'PT422' using
      message = 'The notification is too large or of another shape.', detail = 'NOTIFICATION_OUT_OF_RANGE',
      hint = 'data: a JSON object up to 8192 bytes; title: 1 to 200 characters; body: up to 2000; key: 1 to 200.';
  end if;

  return query
  insert into public.notifications (user_id, kind, title, body, data, idempotency_key)
  select u.id, v_kind.name, coalesce(p_title, v_kind.title), p_body, p_data, p_key
  from auth.users as u
  where u.id = any (p_user_ids)
    and not (v_kind.can_be_muted and exists (
      select from private.notification_mutes as m where m.user_id = u.id and m.kind = v_kind.name
    ))
  order by u.id
  on conflict (user_id, idempotency_key) do nothing
  returning id;
end
$$;

comment on function private.notify_many(uuid[], text, jsonb, text, text, text) is
  'Notifies many people in one statement; gives the ids of what was made.';
grant execute on function private.notify_many(uuid[], text, jsonb, text, text, text) to service_role;
-- end file

-- file: sql/functions/public/notify_many.sql
create or replace function public.notify_many(
  p_user_ids uuid[], p_kind text, p_data jsonb default '{}', p_title text default null, p_body text default null,
  p_key text default null
)
returns bigint
language sql
volatile
security invoker
set search_path = ''
return (select count(*) from private.notify_many(p_user_ids, p_kind, p_data, p_title, p_body, p_key));

comment on function public.notify_many(uuid[], text, jsonb, text, text, text) is
  E'Notify people\n\nUp to 10000 at once; answers how many notifications were made. Under the same p_key a person is notified once. For back ends with the secret key.';
grant execute on function public.notify_many(uuid[], text, jsonb, text, text, text) to service_role;
-- end file

-- file: sql/functions/private/notify.sql
-- Runs as its caller, which is one of our own definer functions or a trigger; no API role may call it.
create or replace function private.notify(
  p_user_id uuid, p_kind text, p_data jsonb default '{}', p_title text default null, p_body text default null, p_key text default null
)
returns bigint
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_id bigint;
begin
  select m.id into v_id from private.notify_many(array[p_user_id], p_kind, p_data, p_title, p_body, p_key) as m (id);
  if v_id is null and p_key is not null then
    select n.id into v_id from public.notifications as n where n.user_id = p_user_id and n.idempotency_key = p_key;
  end if;
  return v_id;
end
$$;

comment on function private.notify(uuid, text, jsonb, text, text, text) is
  E'Notifies one person\n\nGives the notification''s id, under a key seen before that of the first; NULL when the person muted the kind or is gone.';
-- end file

-- file: sql/functions/private/mark_notifications_read.sql
-- Definer: nobody has a right to write the table itself. Touches the caller's own rows only.
-- Rows are locked in order of id, so that two tabs that mark the same ones do not dead-lock.
create or replace function private.mark_notifications_read(p_ids bigint[] default null)
returns bigint
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_user_id uuid := private.require_user();
  v_marked bigint;
begin
  if cardinality(p_ids) > 1000 then
    raise sqlstate 'PT422' using
      message = 'Too many ids at once.', detail = 'TOO_MANY_IDS', hint = 'Send at most 1000, or none to mark all.';
  end if;
  with unread as (
    select n.id from public.notifications as n
    where n.user_id = v_user_id and n.read_at is null and (p_ids is null or n.id = any (p_ids))
    order by n.id
    for no key update
  )
  update public.notifications as n set read_at = now()
  from unread
  where n.id = unread.id;
  get diagnostics v_marked = row_count;
  return v_marked;
end
$$;

comment on function private.mark_notifications_read(bigint[]) is 'Marks the caller''s notifications read: those named, or all.';
grant execute on function private.mark_notifications_read(bigint[]) to authenticated;
-- end file

-- file: sql/functions/public/mark_notifications_read.sql
create or replace function public.mark_notifications_read(p_ids bigint[] default null)
returns bigint
language sql
volatile
security invoker
set search_path = ''
return private.mark_notifications_read(p_ids);

comment on function public.mark_notifications_read(bigint[]) is
  E'Mark notifications read\n\nThose named by p_ids, or all without it; answers how many were unread. Ids of other people are passed over.';
grant execute on function public.mark_notifications_read(bigint[]) to authenticated;
-- end file

-- file: sql/functions/public/unread_count.sql
create or replace function public.unread_count()
returns bigint
language sql
stable
security invoker
set search_path = ''
return (select count(*) from public.notifications as n where n.user_id = (select auth.uid()) and n.read_at is null);

comment on function public.unread_count() is E'How many notifications are unread\n\nOf the signed-in person.';
grant execute on function public.unread_count() to authenticated;
-- end file

-- file: sql/functions/private/notification_settings.sql
-- Definer: neither kinds nor mutes have a reader among the API roles. Shows the caller's own mutes only.
create or replace function private.notification_settings()
returns setof public.notification_setting
language sql
stable
security definer
set search_path = ''
begin atomic
select k.name, k.title, k.description, k.can_be_muted, (k.can_be_muted and m.user_id is not null)
from private.notification_kinds as k
left join private.notification_mutes as m on m.kind = k.name and m.user_id = (select auth.uid())
order by k.name;
end;

comment on function private.notification_settings() is 'Every kind of notification, and whether the caller muted it.';
grant execute on function private.notification_settings() to authenticated;
-- end file

-- file: sql/functions/public/notification_settings.sql
create or replace function public.notification_settings()
returns setof public.notification_setting
language sql
stable
security invoker
set search_path = ''
begin atomic
select s.* from private.notification_settings() as s;
end;

comment on function public.notification_settings() is E'My notification settings\n\nEvery kind of notification, and whether the caller muted it.';
grant execute on function public.notification_settings() to authenticated;
-- end file

-- file: sql/functions/private/mute_notifications.sql
-- Definer: nobody has a right to write the table itself. Touches the caller's own rows only.
create or replace function private.mute_notifications(p_kind text, p_muted boolean default true)
returns public.notification_setting
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_user_id uuid := private.require_user();
  v_kind private.notification_kinds;
begin
  select k.* into v_kind from private.notification_kinds as k where k.name = p_kind;
  if not found then
    raise sqlstate 'PT404' using
      message = 'There is no such kind of notification.', detail = 'NOTIFICATION_KIND_NOT_FOUND',
      hint = 'notification_settings() lists them.';
  end if;
  if p_muted is not false and not v_kind.can_be_muted then
    raise sqlstate 'PT422' using
      message = 'Notifications of this kind cannot be muted.', detail = 'NOTIFICATION_KIND_NOT_MUTABLE',
      hint = 'They tell about the account''s safety.';
  end if;

  if p_muted is not false then
    insert into private.notification_mutes (user_id, kind) values (v_user_id, p_kind) on conflict do nothing;
  else
    delete from private.notification_mutes as m where m.user_id = v_user_id and m.kind = p_kind;
  end if;
  return row(v_kind.name, v_kind.title, v_kind.description, v_kind.can_be_muted, p_muted is not false)::public.notification_setting;
end
$$;

comment on function private.mute_notifications(text, boolean) is 'Mutes a kind of notification for the caller, or takes that back.';
grant execute on function private.mute_notifications(text, boolean) to authenticated;
-- end file

-- file: sql/functions/public/mute_notifications.sql
create or replace function public.mute_notifications(p_kind text, p_muted boolean default true)
returns public.notification_setting
language sql
volatile
security invoker
set search_path = ''
return private.mute_notifications(p_kind, p_muted);

comment on function public.mute_notifications(text, boolean) is
  E'Mute a kind of notification\n\nWhat comes while it is muted is not made at all. `{"p_muted": false}` takes it back.';
grant execute on function public.mute_notifications(text, boolean) to authenticated;
-- end file

-- file: sql/functions/private/forget_notifications.sql
-- Runs nightly. In portions, so that one night's delete holds neither locks nor a snapshot for long; the rest goes the next night.
create or replace function private.forget_notifications(p_limit integer default 100000)
returns bigint
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_forgotten bigint;
begin
  delete from public.notifications as n
  where n.id = any (array(
    select o.id from public.notifications as o
    where o.created_at < now() - interval '90 days'
      and (o.read_at < now() - interval '90 days' or o.created_at < now() - interval '400 days')
    limit p_limit
    for update skip locked
  ));
  get diagnostics v_forgotten = row_count;
  return v_forgotten;
end
$$;

comment on function private.forget_notifications(integer) is
  'Deletes notifications read more than 90 days ago, and all that are older than 400 days.';
-- end file

-- file: sql/functions/private/tg_notifications__broadcast.sql
-- Definer: whoever causes a notification needs no right on Realtime. realtime.send turns its own faults into warnings.
create or replace function private.tg_notifications__broadcast()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform realtime.send(
    jsonb_build_object(
      'id', n.id, 'kind', n.kind, 'title', n.title, 'body', n.body, 'data', n.data, 'created_at', n.created_at
    ),
    'notification', 'user:' || n.user_id::text, true
  )
  from new_rows as n;
  return null;
end
$$;

comment on function private.tg_notifications__broadcast() is 'Tells each owner''s private channel about their new notifications.';
-- end file

-- file: sql/functions/private/tg_notifications__broadcast_read.sql
-- Definer: as its sibling. One event for a person, not for a row: it is for the same person's other tabs. Beyond 1000 ids a tab
-- that is told to read anew is better off than one that gets them all.
create or replace function private.tg_notifications__broadcast_read()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform realtime.send(
    jsonb_build_object('ids', case when r.marked <= 1000 then r.ids end, 'count', r.marked, 'read_at', r.read_at),
    'notifications_read', 'user:' || r.user_id::text, true
  )
  from (
    select n.user_id, count(*) as marked, max(n.read_at) as read_at, jsonb_agg(n.id order by n.id) as ids
    from new_rows as n
    join old_rows as o on o.id = n.id
    where n.read_at is not null and o.read_at is null
    group by n.user_id
  ) as r;
  return null;
end
$$;

comment on function private.tg_notifications__broadcast_read() is 'Tells each owner''s private channel what was marked read.';
-- end file

create trigger _100_broadcast after insert on public.notifications
referencing new table as new_rows
for each statement execute function private.tg_notifications__broadcast();

create trigger _200_broadcast_read after update on public.notifications
referencing old table as old_rows new table as new_rows
for each statement execute function private.tg_notifications__broadcast_read();

-- Without pg_cron the operator runs private.forget_notifications() by other means.
do $$
begin
  if to_regnamespace('cron') is not null then
    perform cron.schedule('rowcast-notifications', '23 3 * * *', 'select private.forget_notifications()');
  end if;
end
$$;
