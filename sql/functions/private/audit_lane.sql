-- A commit holds its lane until it is on disk, and lanes let commits go to disk together. The lowest free one is taken, so that a quiet
-- month is one chain. Only who holds none waits; who holds one finds it free, as it is his own. So there is no deadlock.
create or replace function private.audit_lane()
returns smallint
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_lane integer;
begin
  -- The first number has no meaning but its own: the audit log's.
  for v_lane in 0 .. 7 loop
    if pg_try_advisory_xact_lock(1096107092, v_lane) then
      return v_lane;
    end if;
  end loop;
  v_lane := pg_backend_pid() % 8;
  perform pg_advisory_xact_lock(1096107092, v_lane);
  return v_lane;
end
$$;

comment on function private.audit_lane() is 'Takes one of the audit log''s eight lanes until the transaction ends.';
