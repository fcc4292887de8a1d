-- The sleeper's protocol. A worker that finds nothing takes the exclusive advisory lock, looks once more, and only
-- then waits. A writer takes the shared lock after its insert and keeps it to the end of its transaction:
--   got it      → nobody sleeps; whoever wants to sleep must first wait for this transaction and will then see its jobs;
--   did not get → somebody sleeps (or is about to): notify.
-- So no wake-up is lost, and NOTIFY, whose commits are serialised, is paid only when it is needed. The triggers of
-- ml.generate hold the same two lines, since a call is dear in the write path.
create or replace function ml.hint()
returns void
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  if not pg_try_advisory_xact_lock_shared(20261120, 1) then
    perform pg_notify('rowcast_jobs', '');
  end if;
end
$$;

comment on function ml.hint() is 'Wakes a sleeping worker, if there is one. A hint only: polling is the truth.';
