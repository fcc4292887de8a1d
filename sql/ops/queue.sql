-- What waits, by prediction: pending and due, put off, leased, and the age of the oldest.
select
  a.name as prediction,
  count(*) filter (where j.token is null and j.run_at <= now()) as due,
  count(*) filter (where j.token is null and j.run_at > now()) as put_off,
  count(*) filter (where j.token is not null) as leased,
  now() - min(j.enqueued_at) as oldest,
  m.breaker_until
from ml.jobs as j
join ml.attachments as a on a.id = j.attachment_id
join ml.models as m on m.name = a.model
group by a.name, m.breaker_until
order by due desc;
