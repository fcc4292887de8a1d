-- Whatever killed the worker may have been a job. A lone one is charged. Of several, all become suspects, who travel in smaller
-- batches from now on, and nobody is charged: the innocents would pay for their company. Part of the heartbeat, not of the claim:
-- whoever lives takes over.
create or replace function ml.reclaim_expired()
returns integer
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  l ml.leases;
  v_of record;
  v_count integer := 0;
begin
  for l in
    select x.* from ml.leases as x
    where x.lease_until < clock_timestamp()
    order by x.lease_until
    limit 100
    for update skip locked
  loop
    select a, m into v_of from ml.attachments as a join ml.models as m on m.name = a.model where a.id = l.attachment_id;
    if found then
      v_count := v_count + ml.give_back(
        v_of.a, v_of.m, l.jobs, 'lease_expired', 'The worker fell silent before it answered.',
        (select count(j.row_key) = 1 from unnest(l.jobs) as j),
        p_wait => '0'::interval, p_leased_at => l.leased_at, p_request_id => l.request_id
      );
    end if;
    delete from ml.leases as x where x.token = l.token;
  end loop;
  if v_count > 0 then
    perform ml.hint();
  end if;
  return v_count;
end
$$;

comment on function ml.reclaim_expired() is 'Takes back jobs whose lease ran out. Returns how many.';
