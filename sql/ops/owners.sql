-- Whose jobs are pending, most first: who fills the queue. Claims go round the owners, so nobody else waits for them.
select
  a.name as prediction,
  nullif(j.owner_id, ml.nobody()) as owner_id,
  j.is_background,
  count(*) as jobs,
  now() - min(j.enqueued_at) as oldest
from ml.jobs as j
join ml.attachments as a on a.id = j.attachment_id
group by a.name, j.owner_id, j.is_background
order by jobs desc
limit 20;
