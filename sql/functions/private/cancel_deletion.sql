-- Definer: people may not write the table. Touches the caller's own row only; the lock waits for an erasure that has begun.
create or replace function private.cancel_deletion()
returns public.deletion_requests
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_user uuid := private.require_user();
  v_row public.deletion_requests;
begin
  update public.deletion_requests as d set state = 'cancelled', cancelled_at = now()
  where d.user_id = v_user and d.state = 'pending'
  returning * into v_row;
  if not found then
    raise sqlstate 'PT404' using
      message = 'Your account is not going to be deleted.', detail = 'DELETION_NOT_REQUESTED',
      hint = 'my_deletion_request() says how it stands.';
  end if;
  return v_row;
end
$$;

comment on function private.cancel_deletion() is 'Takes back the caller''s request to be deleted.';
grant execute on function private.cancel_deletion() to authenticated;
