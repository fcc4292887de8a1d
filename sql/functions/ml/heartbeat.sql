-- Leases that a commit or a fail has locked are passed over: they are about to end.
create or replace function ml.heartbeat(
  p_worker text,
  p_models jsonb,
  p_tokens uuid[] default '{}',
  p_activity jsonb default '{}'
)
returns setof uuid
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  perform set_config('synchronous_commit', 'off', true);
  insert into ml.workers as w (name, models, activity, last_done_at)
  select
    p_worker, p_models, p_activity,
    case when exists (
      select from jsonb_each(p_activity) as e where (e.value ->> 'per_second')::double precision > 0
    ) then now() end
  on conflict (name) do update set
    seen_at = now(), models = excluded.models, activity = excluded.activity,
    last_done_at = coalesce(excluded.last_done_at, w.last_done_at);

  with mine as (
    select l.token, m.lease_seconds
    from ml.leases as l
    join ml.attachments as a on a.id = l.attachment_id
    join ml.models as m on m.name = a.model
    where l.token = any (p_tokens)
    order by l.token
    for update of l skip locked
  )
  update ml.leases as l set lease_until = clock_timestamp() + make_interval(secs => mine.lease_seconds)
  from mine
  where l.token = mine.token;

  perform ml.reclaim_expired();
  perform ml.note_queue_state();
  return query select l.token from ml.leases as l where l.token = any (p_tokens);
end
$$;

comment on function ml.heartbeat(text, jsonb, uuid[], jsonb) is
  E'Say that a worker lives\n\nExtends the leases of the tokens it holds, and takes back those of workers that died. Returns the tokens that still hold jobs. p_activity: {prediction: {"per_second", "full_batches"}} since the last beat.';
grant execute on function ml.heartbeat(text, jsonb, uuid[], jsonb) to rowcast_service;
