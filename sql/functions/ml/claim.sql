-- One short transaction: take what is due, read the rows as they are now, lease. Definer: the service's role has no
-- right on any table. Locks are taken with SKIP LOCKED: a claim waits for nobody.
-- A claim that a crash forgets leaves its jobs pending, so it need not be durable: it is written to disk with the next commit
-- that is. Not so with a webhook's id, which must not be taken twice.
-- Generic plans: for a batch of one, planning anew would take longer than all the rest.
create or replace function ml.claim(
  p_worker text,
  p_models jsonb,
  p_limit integer default 64,
  p_batches jsonb default '{}',
  p_request_id text default null,
  p_webhook_id text default null,
  p_change jsonb default null
)
returns table (
  token uuid, prediction text, model text, size integer, inputs text, batch_size integer,
  timeout_ms integer, protocol text, url text, options jsonb, version text
)
language plpgsql
volatile
security definer
set search_path = ''
set plan_cache_mode = force_generic_plan
as $$
declare
  v_due record;
  v_size integer;
  v_limit integer;
  v_each bigint;
  v_shut uuid[];
  v_fresh ml.owed[];
  v_retries ml.owed[];
  v_version text;
begin
  if (p_limit between 1 and 10000) is not true then
    raise sqlstate 'PT422' using
      message = 'A claim takes 1 to 10000 jobs.', detail = 'LIMIT_OUT_OF_RANGE', hint = 'Lower p_limit.';
  end if;
  if p_webhook_id is null and p_change is null then
    perform set_config('synchronous_commit', 'off', true);
  else
    perform ml.accept_webhook(p_webhook_id, p_change);
  end if;

  for v_due in
    select a, m
    from ml.attachments as a
    join ml.models as m on m.name = a.model
    where a.paused_at is null and (m.breaker_until is null or m.breaker_until <= clock_timestamp())
      and coalesce((p_batches ->> m.name)::integer, 1) > 0
      and case when m.url is null then p_models ? m.name else p_models ? '*' end
    -- By model, so that two claims lock the days' sums of budgets in the same order.
    order by m.name, random()
  loop
    v_size := least(p_limit, (v_due.m).batch_size);
    v_limit := v_size * least(coalesce((p_batches ->> (v_due.m).name)::integer, 1), 16);
    v_each := null;
    v_shut := null;
    if exists (select from ml.budgets as b where b.model = (v_due.m).name) then
      select l.calls, l.each_owner, l.shut into v_limit, v_each, v_shut from ml.allowance((v_due.m).name, v_limit) as l;
    end if;
    v_version := coalesce((v_due.m).version, p_models ->> (v_due.m).name);

    -- Fresh jobs first: they take retries of their rows along, so that no row is in two batches of one claim. Where calls are
    -- limited, those of retries that are ready are kept for them.
    v_fresh := ml.take_fresh(
      (v_due.a).id,
      v_limit - case when v_shut is null then 0 else ml.count_ready_retries((v_due.a).id, least(v_limit, v_size), v_shut) end,
      v_shut
    );
    v_retries := array(
      select r
      from ml.take_retries(
        (v_due.a).id, least(v_size, case when v_shut is null then v_size else v_limit - cardinality(v_fresh) end), v_shut,
        array(select j.row_key from unnest(v_fresh) as j)
      ) as r
    );
    if v_each is not null then
      select h.retries, h.fresh into v_retries, v_fresh
      from ml.hold_back((v_due.a).id, (v_due.m).name, v_each, v_retries, v_fresh) as h;
    end if;
    if cardinality(v_fresh) > v_size then
      -- More than one batch: everybody's first before anybody's second.
      select array_agg(t.job order by t.turn) into v_fresh
      from (
        select j as job, row_number() over (partition by j.owner_id, j.is_background order by j.enqueued_at) as turn
        from unnest(v_fresh) as j
      ) as t;
    end if;

    return query
    select
      l.token, (v_due.a).name, (v_due.m).name, l.size, l.inputs, (v_due.m).batch_size, (v_due.m).timeout_ms,
      (v_due.m).protocol, (v_due.m).url, (v_due.m).options, (v_due.m).version
    from (values (v_retries, true), (v_fresh, false)) as batch (jobs, retries)
    cross join lateral ml.lease(v_due.a, v_due.m, batch.jobs, batch.retries, v_size, p_worker, v_version, p_request_id) as l
    where batch.jobs <> '{}';
  end loop;
end
$$;

comment on function ml.claim(text, jsonb, integer, jsonb, text, text, jsonb) is
  E'Lease due jobs with their inputs\n\np_models maps each model this worker runs to its version; the key "*" says that it calls remote ones too. p_batches says how many leases it wants of a model: 1 where it does not, 0 while it has no hands free, 16 at most. At most p_limit jobs to a lease. A webhook''s id and changed row come with the claim that they cause, so that both are committed together.';
grant execute on function ml.claim(text, jsonb, integer, jsonb, text, text, jsonb) to rowcast_service;
