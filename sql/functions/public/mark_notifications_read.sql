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
