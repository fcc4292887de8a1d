create or replace function ml.note_queue_state()
returns void
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  -- Whoever comes first counts for all.
  if exists (select from ml.queue_state as s where s.taken_at > clock_timestamp() - interval '4 seconds')
    or not pg_try_advisory_xact_lock(20261120, 2)
  then
    return;
  end if;
  insert into ml.queue_state as s (taken_at, predictions) values (clock_timestamp(), ml.count_queue())
  on conflict (id) do update set taken_at = excluded.taken_at, predictions = excluded.predictions;
end
$$;

comment on function ml.note_queue_state() is 'Counts the queue for ml.queue_stats, at most every four seconds.';
