-- Definer: riders may not write the table. Touches the caller's own row only.
create or replace function private.cancel_pickup(p_id uuid, p_reason text)
returns public.pickup_requests
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_row public.pickup_requests;
begin
  select r.* into v_row from public.pickup_requests as r where r.id = p_id and r.user_id = auth.uid() for update;
  if not found then
    raise sqlstate 'PT404' using
      message = 'You have no such pickup.', detail = 'PICKUP_NOT_FOUND', hint = 'my_pickups() lists yours.';
  end if;
  if v_row.status = 'cancelled' then
    return v_row;
  end if;
  if length(p_reason) > 500 then
    raise sqlstate 'PT422' using
      message = 'p_reason takes at most 500 characters.', detail = 'REASON_TOO_LONG', hint = 'Shorten it.';
  end if;

  update public.pickup_requests as r set status = 'cancelled', cancel_reason = p_reason
  where r.id = p_id
  returning * into v_row;
  perform ml.cancel('pickup_eta', p_id::text, 'pickup cancelled');
  return v_row;
end
$$;

comment on function private.cancel_pickup(uuid, text) is 'Calls off one of the caller''s pickups and the prediction it is owed.';
grant execute on function private.cancel_pickup(uuid, text) to authenticated;
