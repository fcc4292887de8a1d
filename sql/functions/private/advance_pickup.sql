-- Definer: the table is written by functions alone. Operators' back ends call it with the secret key.
create or replace function private.advance_pickup(p_id uuid, p_status public.pickup_status)
returns public.pickup_requests
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_row public.pickup_requests;
begin
  update public.pickup_requests as r set status = p_status
  where r.id = p_id
  returning * into v_row;
  if not found then
    raise sqlstate 'PT404' using
      message = 'There is no such pickup.', detail = 'PICKUP_NOT_FOUND', hint = 'Check the id.';
  end if;

  -- The truth beside the prediction: eta quality is a query over outcomes.
  if p_status = 'completed' and v_row.picked_up_at is not null then
    insert into public.prediction_outcomes (prediction, row_key, owner_id, prediction_id, predicted, truth)
    select
      'pickup_eta', v_row.id::text, v_row.user_id, p.id, p.output,
      jsonb_build_object(
        'travel_seconds', round(extract(epoch from v_row.completed_at - v_row.picked_up_at)),
        'estimate_seconds', v_row.estimate_seconds
      )
    from (select) as always
    left join lateral (
      select x.id, x.output
      from public.predictions as x
      where x.prediction = 'pickup_eta' and x.row_key = v_row.id::text and x.status = 'done'
      order by x.created_at desc
      limit 1
    ) as p on true
    on conflict (prediction, row_key) do nothing;
  end if;
  return v_row;
end
$$;

comment on function private.advance_pickup(uuid, public.pickup_status) is
  'Moves a pickup along its transitions; completion writes the outcome.';
grant execute on function private.advance_pickup(uuid, public.pickup_status) to service_role;
