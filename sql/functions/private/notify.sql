-- Runs as its caller, which is one of our own definer functions or a trigger; no API role may call it.
create or replace function private.notify(
  p_user_id uuid, p_kind text, p_data jsonb default '{}', p_title text default null, p_body text default null, p_key text default null
)
returns bigint
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_id bigint;
begin
  select m.id into v_id from private.notify_many(array[p_user_id], p_kind, p_data, p_title, p_body, p_key) as m (id);
  if v_id is null and p_key is not null then
    select n.id into v_id from public.notifications as n where n.user_id = p_user_id and n.idempotency_key = p_key;
  end if;
  return v_id;
end
$$;

comment on function private.notify(uuid, text, jsonb, text, text, text) is
  E'Notifies one person\n\nGives the notification''s id, under a key seen before that of the first; NULL when the person muted the kind or is gone.';
