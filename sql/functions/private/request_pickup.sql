-- Definer: riders may not write the table. The rider is the token's, the estimate is ours; the caller sends places, a kind
-- and a key.
create or replace function private.request_pickup(
  p_origin_lat double precision, p_origin_lng double precision, p_dest_lat double precision, p_dest_lng double precision,
  p_kind public.pickup_kind, p_client_key text
)
returns public.pickup_requests
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_user uuid := auth.uid();
  v_row public.pickup_requests;
  v_estimate integer;
begin
  if v_user is null then
    raise sqlstate 'PT401' using
      message = 'Sign in first.', detail = 'NOT_SIGNED_IN', hint = 'Send the user''s access token as bearer token.';
  end if;
  perform private.check_coordinates(p_origin_lat, p_origin_lng, p_dest_lat, p_dest_lng);
  if (length(p_client_key) between 1 and 100) is not true then
    raise sqlstate 'PT422' using
      message = 'p_client_key takes 1 to 100 characters.', detail = 'CLIENT_KEY_OUT_OF_RANGE',
      hint = 'Use a random UUID for each pickup, and the same one when you try again.';
  end if;

  v_estimate := round(private.eta_closed_form(
    private.haversine_metres(p_origin_lat, p_origin_lng, p_dest_lat, p_dest_lng)
  ));
  -- The same limit as the column's: a week.
  if v_estimate > 604800 then
    raise sqlstate 'PT422' using
      message = 'That is too far for a pickup.', detail = 'TRIP_TOO_LONG', hint = 'It would take more than a week.';
  end if;
  insert into public.pickup_requests (
    user_id, client_key, kind, origin_lat, origin_lng, dest_lat, dest_lng, estimate_seconds, eta_seconds
  )
  select
    u.id, p_client_key, coalesce(p_kind, 'ride'), p_origin_lat, p_origin_lng, p_dest_lat, p_dest_lng, v_estimate,
    v_estimate
  from auth.users as u
  where u.id = v_user
  on conflict (user_id, client_key) do nothing
  returning * into v_row;

  if v_row.id is null then
    select r.* into v_row
    from public.pickup_requests as r
    where r.user_id = v_user and r.client_key = p_client_key;
    if not found then
      raise sqlstate 'PT404' using
        message = 'This account no longer exists.', detail = 'ACCOUNT_NOT_FOUND', hint = 'Sign in again.';
    end if;
    if (v_row.origin_lat, v_row.origin_lng, v_row.dest_lat, v_row.dest_lng, v_row.kind)
      is distinct from (p_origin_lat, p_origin_lng, p_dest_lat, p_dest_lng, coalesce(p_kind, 'ride'))
    then
      raise sqlstate 'PT409' using
        message = 'This client key belongs to another pickup of yours.', detail = 'CLIENT_KEY_REUSED',
        hint = 'Use a new key for a new pickup.';
    end if;
  end if;
  return v_row;
end
$$;

comment on function private.request_pickup(
  double precision, double precision, double precision, double precision, public.pickup_kind, text
) is 'Books a pickup for the caller, once for each client key.';
grant execute on function private.request_pickup(
  double precision, double precision, double precision, double precision, public.pickup_kind, text
) to authenticated;
