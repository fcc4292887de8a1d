-- The function that the library's own batch_defer calls, once a statement.
create function public.tg_items__owe() returns trigger language plpgsql as $$
begin
  perform procrastinate_defer_jobs_v1(array_agg(
    ('scores', 'score', 0, null, null, jsonb_build_object('id', n.id, 'x', n.x), null)::procrastinate_job_to_defer_v1
  )) from new_rows as n;
  return null;
end
$$;
create trigger owe after insert on public.items
  referencing new table as new_rows for each statement execute function public.tg_items__owe();
