-- Which batches run, the oldest first, and what is left of each.
select
  l.worker,
  a.name as prediction,
  now() - l.leased_at as running_for,
  l.lease_until - now() as lease_left,
  (select count(*) from unnest(l.jobs) as j where j.row_key is not null) as jobs,
  l.request_id
from ml.leases as l
join ml.attachments as a on a.id = l.attachment_id
order by l.leased_at;
