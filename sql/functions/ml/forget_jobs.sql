create or replace function ml.forget_jobs(p_attachment_id smallint)
returns void
language sql
volatile
security invoker
set search_path = ''
begin atomic
  delete from ml.jobs as j where j.attachment_id = p_attachment_id;
  delete from ml.retries as r where r.attachment_id = p_attachment_id;
  delete from ml.leases as l where l.attachment_id = p_attachment_id;
end;

comment on function ml.forget_jobs(smallint) is 'Drops all that is owed to an attachment.';
