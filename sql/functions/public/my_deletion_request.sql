create or replace function public.my_deletion_request()
returns setof public.deletion_requests
language sql
stable
security invoker
set search_path = ''
begin atomic
  select d.* from public.deletion_requests as d where d.user_id = (select auth.uid());
end;

comment on function public.my_deletion_request() is E'How my deletion stands\n\nNo row when it was never asked for.';
grant execute on function public.my_deletion_request() to authenticated;
