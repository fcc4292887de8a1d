-- One short transaction: take what is due, read the rows as they are now, lease. Definer: the service's role has no
-- right on any table. Locks are taken with SKIP LOCKED, in the order of the due index.
create or replace function ml.claim(
  p_worker text,
  p_models jsonb,
  p_limit integer default 64,
  p_request_id text default null,
  p_webhook_id text default null,
  p_change jsonb default null
)
returns table (
  job_id bigint, token uuid, prediction text, model text, row_key text, input jsonb,
  attempts smallint, batch_size integer, timeout_ms integer, lease_seconds real
)
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_attachments smallint[];
  v_due record;
  v_one record;
begin
  if (p_limit between 1 and 10000) is not true then
    raise sqlstate 'PT422' using
      message = 'A claim takes 1 to 10000 jobs.', detail = 'LIMIT_OUT_OF_RANGE', hint = 'Lower p_limit.';
  end if;
  perform set_config('rowcast.request_id', coalesce(p_request_id, p_worker), true);
  perform ml.accept_webhook(p_webhook_id, p_change);
  perform ml.reclaim_expired(p_limit);

  select array_agg(x.id) into v_attachments
  from ml.attachments as x
  join ml.models as m on m.name = x.model
  where p_models ? x.model and (m.breaker_until is null or m.breaker_until <= clock_timestamp());

  for v_due in
    with due as (
      select j.id, j.attachment_id, j.row_key
      from ml.jobs as j
      where j.token is null and j.run_at <= clock_timestamp() and j.attachment_id = any (v_attachments)
      order by j.priority, j.run_at, j.id
      limit p_limit
      for update skip locked
    )
    select due.attachment_id, array_agg(due.id) as job_ids, array_agg(due.row_key) as row_keys
    from due
    group by due.attachment_id
  loop
    begin
      return query select * from ml.lease(v_due.attachment_id, v_due.job_ids, v_due.row_keys, p_models);
    exception when others then
      -- An input that cannot be computed stands alone; the others of its batch are none the worse.
      for v_one in select * from unnest(v_due.job_ids, v_due.row_keys) as u (id, row_key) loop
        begin
          return query select * from ml.lease(v_due.attachment_id, array[v_one.id], array[v_one.row_key], p_models);
        exception when others then
          perform ml.give_back(array[v_one.id], 'input_fault', sqlerrm, true);
        end;
      end loop;
    end;
  end loop;
end
$$;

comment on function ml.claim(text, jsonb, integer, text, text, jsonb) is
  E'Lease due jobs with their inputs\n\np_models maps each model this worker serves to its version. A webhook''s id and changed row come with the claim that they cause, so that both are committed together.';
grant execute on function ml.claim(text, jsonb, integer, text, text, jsonb) to rowcast_service;
