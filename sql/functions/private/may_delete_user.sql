-- Definer: reads who holds which permission. Noted here, since what comes next is done by the service: who it was that erased. Not whom,
-- which the erasure would blank, and the actor with it.
create or replace function private.may_delete_user(p_user_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform private.require_user();
  perform private.require_permission('users.delete');
  perform private.require_not_above(p_user_id);
  perform private.check_erasable(p_user_id);
  if not exists (select from auth.users as u where u.id = p_user_id) then
    raise sqlstate 'PT404' using
      message = 'There is no such account.', detail = 'ACCOUNT_NOT_FOUND', hint = 'Check the id.';
  end if;
  perform private.note_event('account.erasure');
end
$$;

comment on function private.may_delete_user(uuid) is 'Refuses a caller who may not delete this account.';
grant execute on function private.may_delete_user(uuid) to authenticated;
