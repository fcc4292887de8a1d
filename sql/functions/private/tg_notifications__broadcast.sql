-- Definer: whoever causes a notification needs no right on Realtime. realtime.send turns its own faults into warnings.
create or replace function private.tg_notifications__broadcast()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform realtime.send(
    jsonb_build_object(
      'id', n.id, 'kind', n.kind, 'title', n.title, 'body', n.body, 'data', n.data, 'created_at', n.created_at
    ),
    'notification', 'user:' || n.user_id::text, true
  )
  from new_rows as n;
  return null;
end
$$;

comment on function private.tg_notifications__broadcast() is 'Tells each owner''s private channel about their new notifications.';
