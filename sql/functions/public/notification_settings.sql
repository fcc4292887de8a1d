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
