-- What is owed, by prediction: pending, of a backfill, put off, with a worker, and the age of the oldest. Counted now, not at the
-- last heartbeat as by ml.queue_stats().
select
  q.prediction,
  count(*) filter (where q.state = 'pending' and not q.is_background) as pending,
  count(*) filter (where q.state = 'pending' and q.is_background) as background,
  count(*) filter (where q.state = 'waiting') as waiting,
  count(*) filter (where q.state = 'running') as running,
  now() - min(q.enqueued_at) as oldest
from ml.queue as q
group by q.prediction
order by pending desc;
