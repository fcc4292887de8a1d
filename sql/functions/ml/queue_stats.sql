-- Depth and age come from the last heartbeat's count while a worker lives, because a long queue takes a tenth of a second to
-- count; else they are counted now. The last four columns are of the whole queue. Definer, as in ml.claim.
create or replace function ml.queue_stats()
returns table (
  prediction text, model text, pending bigint, background bigint, waiting bigint, running bigint, oldest_seconds double precision,
  per_second double precision, full_batches integer, dead_letters bigint, paused_at timestamptz, breaker_until timestamptz,
  breaker_reason text, calls_today bigint, tokens_today bigint, counted_at timestamptz, dead_tuples bigint,
  oldest_snapshot_seconds double precision, workers_alive bigint
)
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  s ml.queue_state;
begin
  select x.* into s from ml.queue_state as x where x.taken_at > clock_timestamp() - interval '10 seconds';
  if not found then
    s.taken_at := clock_timestamp();
    s.predictions := ml.count_queue();
  end if;

  return query
  with alive as (
    select w.activity from ml.workers as w where w.seen_at > now() - interval '15 seconds'
  ), activity as (
    select e.key, sum((e.value ->> 'per_second')::double precision) as per_second, max((e.value ->> 'full_batches')::integer) as full_batches
    from alive cross join lateral jsonb_each(alive.activity) as e
    group by e.key
  ), dead as (
    select d.attachment_id, count(*) as letters from ml.dead_letters as d group by d.attachment_id
  )
  select
    a.name, a.model, coalesce(c.pending, 0), coalesce(c.background, 0), coalesce(c.waiting, 0), coalesce(c.running, 0),
    coalesce(greatest(0, extract(epoch from clock_timestamp() - c.oldest_at)), 0)::double precision,
    coalesce(v.per_second, 0), coalesce(v.full_batches, 0), coalesce(d.letters, 0), a.paused_at,
    case when m.breaker_until > clock_timestamp() then m.breaker_until end,
    case when m.breaker_until > clock_timestamp() then m.breaker_reason end,
    coalesce(u.calls, 0), coalesce(u.tokens, 0), s.taken_at,
    (select sum(t.n_dead_tup)::bigint from pg_stat_user_tables as t where t.schemaname = 'ml' and t.relname in ('jobs', 'leases', 'retries')),
    (
      select coalesce(max(extract(epoch from clock_timestamp() - b.xact_start)), 0)::double precision
      from pg_stat_activity as b
      where b.backend_xmin is not null and b.pid <> pg_backend_pid() and b.datname = current_database()
    ),
    (select count(*) from alive)
  from ml.attachments as a
  join ml.models as m on m.name = a.model
  left join lateral jsonb_to_record(s.predictions -> a.id::text) as c (
    pending bigint, background bigint, waiting bigint, running bigint, oldest_at timestamptz
  ) on true
  left join activity as v on v.key = a.name
  left join dead as d on d.attachment_id = a.id
  left join ml.usage as u on u.model = a.model and u.day = (now() at time zone 'UTC')::date and u.owner_id is null
  order by a.name;
end
$$;

comment on function ml.queue_stats() is
  E'How the queue is\n\nFor each prediction: jobs by state, age of the oldest in seconds, jobs done a second and full batches in a row as the workers say, dead letters, breaker, what was spent today. For all: dead tuples of the queue''s tables, age of the oldest snapshot in seconds, workers heard in the last 15 s.';
grant execute on function ml.queue_stats() to rowcast_service;
