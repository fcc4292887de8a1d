-- Statement-level with send_batch: five times cheaper on a bulk insert than send() for each row, and no dearer on one.
create function public.tg_items__owe() returns trigger language plpgsql set search_path = '' as $$
begin
  perform pgmq.send_batch('scores', array_agg(jsonb_build_object('id', n.id, 'x', n.x))) from new_rows as n;
  return null;
end
$$;
create trigger owe after insert on public.items
  referencing new table as new_rows for each statement execute function public.tg_items__owe();
