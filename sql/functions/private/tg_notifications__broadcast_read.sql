-- Definer: as its sibling. One event for a person, not for a row: it is for the same person's other tabs. Beyond 1000 ids a tab
-- that is told to read anew is better off than one that gets them all.
create or replace function private.tg_notifications__broadcast_read()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform realtime.send(
    jsonb_build_object('ids', case when r.marked <= 1000 then r.ids end, 'count', r.marked, 'read_at', r.read_at),
    'notifications_read', 'user:' || r.user_id::text, true
  )
  from (
    select n.user_id, count(*) as marked, max(n.read_at) as read_at, jsonb_agg(n.id order by n.id) as ids
    from new_rows as n
    join old_rows as o on o.id = n.id
    where n.read_at is not null and o.read_at is null
    group by n.user_id
  ) as r;
  return null;
end
$$;

comment on function private.tg_notifications__broadcast_read() is 'Tells each owner''s private channel what was marked read.';
