-- Definer: people may not write the table. Touches the caller's own row only. Once it is due it
-- is carried out: files may be gone already, and half an account is no use to anybody.
create or replace function private.cancel_deletion()
returns public.deletion_requests
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_user uuid := private.require_session();
  v_row public.deletion_requests;
begin
  update public.deletion_requests as d set state = 'cancelled', cancelled_at = now()
  where d.user_id = v_user and d.state = 'pending' and d.due_at > now()
  returning * into v_row;
  if not found then
    raise sqlstate 'PT404' using
      message = 'There is no deletion that can be taken back.', detail = 'DELETION_NOT_REQUESTED',
      hint = 'my_deletion_request() says how it stands.';
  end if;
  return v_row;
end
$$;

comment on function private.cancel_deletion() is 'Takes back the caller''s request to be deleted.';
grant execute on function private.cancel_deletion() to authenticated;
