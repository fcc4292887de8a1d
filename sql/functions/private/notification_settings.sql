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
