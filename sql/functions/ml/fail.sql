-- Faults have classes (rule 6). item: charged, backs off, ends among the dead letters. batch: nobody is charged, all back
-- off; a job that was put off five times in such company is charged after all, or it would never end.
-- provider: nobody is charged, the whole model rests until the provider wants to be asked again. release: the worker
-- stops; its jobs are free at once. Definer, as in ml.claim.
create or replace function ml.fail(
  p_token uuid,
  p_class text,
  p_error text default null,
  p_positions integer[] default null,
  p_retry_after real default null,
  p_request_id text default null
)
returns integer
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  l ml.leases;
  v_of record;
  v_jobs ml.owed[];
  v_wait interval;
  v_request_id text;
begin
  if (p_class in ('item', 'batch', 'provider', 'release')) is not true then
    raise sqlstate 'PT422' using
      message = 'There is no such class of fault.', detail = 'UNKNOWN_FAULT_CLASS',
      hint = 'Use item, batch, provider or release.';
  end if;
  select x.* into l from ml.leases as x where x.token = p_token for update;
  if not found then
    return 0;
  end if;
  select a, m into strict v_of from ml.attachments as a join ml.models as m on m.name = a.model where a.id = l.attachment_id;
  v_request_id := coalesce(p_request_id, l.request_id);
  v_jobs := array(
    select l.jobs[u.n] from generate_subscripts(l.jobs, 1) as u (n)
    where (p_positions is null or u.n = any (p_positions)) and (l.jobs[u.n]).row_key is not null
  );
  perform ml.settle(l, p_positions);

  if p_class = 'item' then
    return ml.give_back(v_of.a, v_of.m, v_jobs, 'item_fault', p_error, true, null, l.leased_at, v_request_id);
  elsif p_class = 'batch' then
    return ml.give_back(
      v_of.a, v_of.m, array(select j from unnest(v_jobs) as j where j.deferrals >= 5), 'batch_fault', p_error, true, null,
      l.leased_at, v_request_id
    ) + ml.give_back(
      v_of.a, v_of.m, array(select j from unnest(v_jobs) as j where j.deferrals < 5), 'batch_fault', p_error, false, null,
      l.leased_at, v_request_id
    );
  end if;

  perform ml.spend((v_of.m).name, v_jobs, -1, 0);
  if p_class = 'release' then
    perform ml.hint();
    return ml.give_back(v_of.a, v_of.m, v_jobs, 'released', p_error, false, '0'::interval, l.leased_at, v_request_id);
  end if;

  -- A provider's own wish is kept, within a hundredth of a second and an hour.
  v_wait := make_interval(secs => greatest(0.01, least(3600, coalesce(p_retry_after, 30))));
  update ml.models as m set
    breaker_since = case
      when m.breaker_until > clock_timestamp() - interval '1 minute' then coalesce(m.breaker_since, clock_timestamp())
      else clock_timestamp()
    end,
    breaker_until = greatest(m.breaker_until, clock_timestamp() + v_wait), breaker_reason = left(p_error, 2000)
  where m.name = (v_of.m).name;
  return ml.give_back(v_of.a, v_of.m, v_jobs, 'provider_fault', p_error, false, v_wait, l.leased_at, v_request_id);
end
$$;

comment on function ml.fail(uuid, text, text, integer[], real, text) is
  E'Give up on jobs of a claim\n\np_class: item, batch, provider or release. p_positions: all that are left when NULL. p_retry_after in seconds, from the provider. Returns how many jobs the token still held.';
grant execute on function ml.fail(uuid, text, text, integer[], real, text) to rowcast_service;
