create or replace function public.unread_count()
returns bigint
language sql
stable
security invoker
set search_path = ''
return (select count(*) from public.notifications as n where n.user_id = (select auth.uid()) and n.read_at is null);

comment on function public.unread_count() is E'How many notifications are unread\n\nOf the signed-in person.';
grant execute on function public.unread_count() to authenticated;
