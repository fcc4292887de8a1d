-- Every statement the service sends. `-- name: x` begins a block.

-- name: claim
select * from ml.claim(
  %(worker)s, %(models)s, %(limit)s, %(batches)s, %(request_id)s, %(webhook_id)s, %(change)s
);

-- name: heartbeat
select h as token from ml.heartbeat(%(worker)s, %(models)s, %(tokens)s, %(activity)s) as h;

-- name: commit
select * from ml.commit(
  %(token)s, %(outputs)s::jsonb, %(version)s, %(positions)s::integer[], %(lows)s::double precision[],
  %(highs)s::double precision[], %(tokens)s, %(request_id)s
);

-- name: fail
select ml.fail(
  %(token)s, %(fault)s, %(error)s, %(positions)s::integer[], %(retry_after)s::real, %(request_id)s
) as held;

-- name: queue_stats
select * from ml.queue_stats();

-- name: ping
select 1;

-- name: listen
listen rowcast_jobs;

-- name: limit_waits
select set_config('lock_timeout', %(lock)s, false), set_config('idle_session_timeout', %(idle)s, false);

-- name: begin_sleep
select pg_advisory_lock(20261120, 1);

-- name: end_sleep
select pg_advisory_unlock(20261120, 1);
