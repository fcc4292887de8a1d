create or replace function public.get_pickup(p_id uuid)
returns public.pickup_requests
language plpgsql
stable
security invoker
set search_path = ''
as $$
declare
  v_row public.pickup_requests;
begin
  select r.* into v_row from public.pickup_requests as r where r.id = p_id and r.user_id = (select auth.uid());
  if not found then
    raise sqlstate 'PT404' using
      message = 'You have no such pickup.', detail = 'PICKUP_NOT_FOUND', hint = 'my_pickups() lists yours.';
  end if;
  return v_row;
end
$$;

comment on function public.get_pickup(uuid) is E'One of my pickups\n\nRefusal: PICKUP_NOT_FOUND, also for other people''s.';
grant execute on function public.get_pickup(uuid) to authenticated;
