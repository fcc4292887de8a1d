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
