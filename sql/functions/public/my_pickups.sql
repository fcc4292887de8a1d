-- No SET here (the listed exception of the house style): PostgREST's filters are pushed into an inlined function.
create or replace function public.my_pickups()
returns setof public.pickup_requests
language sql
stable
security invoker
begin atomic
  select r.*
  from public.pickup_requests as r
  where r.user_id = (select auth.uid())
  order by r.requested_at desc, r.id;
end;

comment on function public.my_pickups() is
  E'My pickups, newest first\n\nTakes PostgREST''s filters, `limit` and `offset`.';
grant execute on function public.my_pickups() to authenticated;
