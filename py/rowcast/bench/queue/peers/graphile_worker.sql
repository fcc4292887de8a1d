-- add_jobs once a statement: add_job for each row would notify for each row.
create function public.tg_items__owe() returns trigger language plpgsql set search_path = '' as $$
begin
  perform graphile_worker.add_jobs(array_agg(
    ('score', json_build_object('id', n.id, 'x', n.x), null, null, null, null, null, null)::graphile_worker.job_spec
  )) from new_rows as n;
  return null;
end
$$;
create trigger owe after insert on public.items
  referencing new table as new_rows for each statement execute function public.tg_items__owe();
