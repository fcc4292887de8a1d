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
  v_token uuid;
  v_attachments smallint[];
  a record;
begin
  if (p_limit between 1 and 10000) is not true then
    raise sqlstate 'PT422' using
      message = 'A claim takes 1 to 10000 jobs.', detail = 'LIMIT_OUT_OF_RANGE', hint = 'Lower p_limit.';
  end if;
  perform ml.accept_webhook(p_webhook_id, p_change);
  perform ml.reclaim_expired(p_limit);

  select array_agg(x.id) into v_attachments
  from ml.attachments as x
  join ml.models as m on m.name = x.model
  where p_models ? x.model and (m.breaker_until is null or m.breaker_until <= clock_timestamp());

  for a in
    with due as (
      select j.id, j.attachment_id, j.row_key
      from ml.jobs as j
      where j.token is null and j.run_at <= clock_timestamp() and j.attachment_id = any (v_attachments)
      order by j.priority, j.run_at, j.id
      limit p_limit
      for update skip locked
    )
    select
      x.name, x.key_column, x.key_type, x.source_table, x.model, p_models ->> x.model as model_version,
      m.batch_size, m.timeout_ms, m.lease_seconds, d.job_ids, d.row_keys
    from (
      select due.attachment_id, array_agg(due.id) as job_ids, array_agg(due.row_key) as row_keys
      from due
      group by due.attachment_id
    ) as d
    join ml.attachments as x on x.id = d.attachment_id
    join ml.models as m on m.name = x.model
  loop
    -- A token for each model, because a batch is committed, extended and given up as one.
    v_token := gen_random_uuid();
    return query execute format(
      $q$
      with picked as (
        select * from unnest($1, $2) as p (id, row_key)
      ), loaded as (
        select p.id, p.row_key, case when t.%1$I is not null then ml.%2$I(t) end as input, t.%1$I is null as gone
        from picked as p
        left join %3$s as t on t.%1$I = p.row_key::%4$s
      ), hashed as (
        select l.*, sha256(convert_to(l.input::text, 'UTF8')) as hash from loaded as l
      ), judged as (
        select h.*, last_done.input_hash is not distinct from h.hash as unchanged
        from hashed as h
        left join lateral (
          select r.input_hash, r.model_version
          from public.predictions as r
          where r.prediction = $3 and r.row_key = h.row_key and r.status = 'done'
          order by r.created_at desc
          limit 1
        ) as last_done on last_done.model_version = $4
      ), leased as (
        update ml.jobs as j set token = $5, lease_until = clock_timestamp() + make_interval(secs => $6), input_hash = g.hash
        from judged as g
        where j.id = g.id and g.input is not null and not g.unchanged
        returning j.id, g.row_key, g.input, j.attempts
      ), dropped as (
        delete from ml.jobs as j using judged as g
        where j.id = g.id and (g.input is null or g.unchanged)
        returning j.row_key, j.owner_id, j.attempts, j.enqueued_at, g.gone, g.input
      ), receipts as (
        insert into public.predictions (
          prediction, source_table, row_key, owner_id, model, status, latency_ms, attempts, error, request_id
        )
        select
          $3, $7, d.row_key, d.owner_id, $8, 'superseded',
          greatest(0, extract(epoch from clock_timestamp() - d.enqueued_at) * 1000), d.attempts,
          case when d.gone then 'ROW_GONE' else 'NO_INPUT' end, $9
        from dropped as d
        where d.input is null
      )
      select l.id, $5, $3, $8, l.row_key, l.input, l.attempts, $10, $11, $6
      from leased as l
      $q$,
      a.key_column, a.name || '__input', a.source_table, a.key_type
    ) using
      a.job_ids, a.row_keys, a.name, a.model_version, v_token, a.lease_seconds, a.source_table::text, a.model,
      coalesce(p_request_id, p_worker), a.batch_size, a.timeout_ms;
  end loop;
end
$$;

comment on function ml.claim(text, jsonb, integer, text, text, jsonb) is
  E'Lease due jobs with their inputs\n\np_models maps each model this worker serves to its version. A webhook''s id and changed row come with the claim that they cause, so that both are committed together.';
grant execute on function ml.claim(text, jsonb, integer, text, text, jsonb) to rowcast_service;
