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
