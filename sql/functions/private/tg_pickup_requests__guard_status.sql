create or replace function private.tg_pickup_requests__guard_status()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  new.updated_at := now();
  if new.status is distinct from old.status then
    if not exists (
      select from private.pickup_transitions as t where t.from_status = old.status and t.to_status = new.status
    ) then
      raise sqlstate 'PT409' using
        message = format('A pickup that is %s cannot become %s.', old.status, new.status),
        detail = 'PICKUP_TRANSITION_REFUSED', hint = 'Read the pickup again: its status may have changed.';
    end if;
    case new.status
      when 'picked_up' then new.picked_up_at := now();
      when 'completed' then new.completed_at := now();
      when 'cancelled' then new.cancelled_at := now();
      else null;
    end case;
  end if;
  return new;
end
$$;

comment on function private.tg_pickup_requests__guard_status() is
  'Lets a status change only along private.pickup_transitions, and stamps it with the database''s clock.';
