-- Faults have classes (rule 6). item: charged, backs off, ends among the dead letters. batch: nobody is charged, all back
-- off; a job that was put off five times in such company is charged after all, or it would never end.
-- provider: nobody is charged, the whole model rests until the provider wants to be asked again. release: the worker
-- stops; its jobs are free at once. Definer, as in ml.claim.
create or replace function ml.fail(
  p_token uuid,
  p_job_ids bigint[],
  p_class text,
  p_error text default null,
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
  v_ids bigint[];
  v_worn bigint[];
  v_wait interval;
begin
  if (p_class in ('item', 'batch', 'provider', 'release')) is not true then
    raise sqlstate 'PT422' using
      message = 'There is no such class of fault.', detail = 'UNKNOWN_FAULT_CLASS',
      hint = 'Use item, batch, provider or release.';
  end if;
  perform set_config('rowcast.request_id', coalesce(p_request_id, p_token::text), true);

  with mine as (
    select j.id, j.deferrals from ml.jobs as j
    where j.token = p_token and j.id = any (p_job_ids)
    order by j.id
    for update
  )
  select array_agg(m.id) filter (where m.deferrals < 5 or p_class <> 'batch'),
    array_agg(m.id) filter (where m.deferrals >= 5 and p_class = 'batch')
  into v_ids, v_worn
  from mine as m;

  if p_class = 'item' then
    return ml.give_back(v_ids, 'item_fault', p_error, true);
  elsif p_class = 'batch' then
    return ml.give_back(v_worn, 'batch_fault', p_error, true) + ml.give_back(v_ids, 'batch_fault', p_error, false);
  elsif p_class = 'release' then
    perform ml.hint();
    return ml.give_back(v_ids, 'released', p_error, false, '0'::interval);
  end if;

  -- A provider's own wish is kept, within a second and an hour.
  v_wait := make_interval(secs => greatest(1, least(3600, coalesce(p_retry_after, 30))));
  update ml.models as m set breaker_until = clock_timestamp() + v_wait, breaker_reason = left(p_error, 2000)
  where m.name in (
    select a.model from ml.jobs as j join ml.attachments as a on a.id = j.attachment_id where j.id = any (v_ids)
  );
  return ml.give_back(v_ids, 'provider_fault', p_error, false, v_wait);
end
$$;

comment on function ml.fail(uuid, bigint[], text, text, real, text) is
  E'Give up on jobs of a claim\n\np_class: item, batch, provider or release. p_retry_after in seconds, from the provider. Returns how many jobs the token still held.';
grant execute on function ml.fail(uuid, bigint[], text, text, real, text) to rowcast_service;
