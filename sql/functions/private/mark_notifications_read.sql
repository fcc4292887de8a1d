-- Definer: nobody has a right to write the table itself. Touches the caller's own rows only.
-- Rows are locked in order of id, so that two tabs that mark the same ones do not dead-lock.
create or replace function private.mark_notifications_read(p_ids bigint[] default null)
returns bigint
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_user_id uuid := private.require_user();
  v_marked bigint;
begin
  if cardinality(p_ids) > 1000 then
    raise sqlstate 'PT422' using
      message = 'Too many ids at once.', detail = 'TOO_MANY_IDS', hint = 'Send at most 1000, or none to mark all.';
  end if;
  with unread as (
    select n.id from public.notifications as n
    where n.user_id = v_user_id and n.read_at is null and (p_ids is null or n.id = any (p_ids))
    order by n.id
    for no key update
  )
  update public.notifications as n set read_at = now()
  from unread
  where n.id = unread.id;
  get diagnostics v_marked = row_count;
  return v_marked;
end
$$;

comment on function private.mark_notifications_read(bigint[]) is 'Marks the caller''s notifications read: those named, or all.';
grant execute on function private.mark_notifications_read(bigint[]) to authenticated;
