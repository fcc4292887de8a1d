-- Why jobs died, most common first.
select
  a.name as prediction,
  d.reason,
  left(d.error, 100) as error,
  count(*) as jobs,
  max(d.died_at) as last_died_at
from ml.dead_letters as d
join ml.attachments as a on a.id = d.attachment_id
group by a.name, d.reason, left(d.error, 100)
order by jobs desc;
