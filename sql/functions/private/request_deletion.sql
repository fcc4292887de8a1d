-- Definer: people may not write the table. The account is the token's, the wait is ours. Asking again moves nothing.
create or replace function private.request_deletion(p_reason text)
returns public.deletion_requests
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_user uuid := private.require_session();
  v_row public.deletion_requests;
  v_is_new boolean;
begin
  if length(p_reason) > 500 then
    raise sqlstate 'PT422' using
      message = 'p_reason takes at most 500 characters.', detail = 'REASON_TOO_LONG', hint = 'Shorten it.';
  end if;
  -- Said now, and not in a month, when nobody looks.
  perform private.check_erasable(v_user);
  insert into public.deletion_requests as d (user_id, reason, due_at)
  select u.id, p_reason, now() + s.deletion_grace
  from auth.users as u
  cross join private.personal_data_settings as s
  where u.id = v_user
  on conflict (user_id) do update set
    state = 'pending', reason = excluded.reason, requested_at = now(), due_at = excluded.due_at, cancelled_at = null
  where d.state = 'cancelled';

  v_is_new := found;
  select d.* into v_row from public.deletion_requests as d where d.user_id = v_user;
  if not found then
    raise sqlstate 'PT404' using
      message = 'This account no longer exists.', detail = 'ACCOUNT_NOT_FOUND', hint = 'Sign in again.';
  end if;
  if v_is_new then
    -- Once for a day, however often it is taken back and asked for again.
    perform private.notify(
      v_user, 'account_deletion', jsonb_build_object('due_at', v_row.due_at),
      p_key => 'account_deletion:' || (v_row.due_at at time zone 'UTC')::date
    );
  end if;
  return v_row;
end
$$;

comment on function private.request_deletion(text) is 'Puts the caller''s account down for erasure after the grace period.';
grant execute on function private.request_deletion(text) to authenticated;
