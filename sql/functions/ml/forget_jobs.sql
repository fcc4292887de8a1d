-- What a claim or a commit holds just now is passed over, because that may be waiting for the very table that the caller is about
-- to change. It ends by itself: a lease runs out, and ml.maintain removes what belongs to no attachment.
create or replace function ml.forget_jobs(p_attachment_id smallint)
returns void
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  delete from ml.jobs as j where j.ctid = any (array(
    select x.ctid from ml.jobs as x where x.attachment_id = p_attachment_id for update skip locked
  ));
  delete from ml.retries as r where r.ctid = any (array(
    select x.ctid from ml.retries as x where x.attachment_id = p_attachment_id for update skip locked
  ));
  delete from ml.leases as l where l.ctid = any (array(
    select x.ctid from ml.leases as x where x.attachment_id = p_attachment_id for update skip locked
  ));
end
$$;

comment on function ml.forget_jobs(smallint) is 'Drops all that is owed to an attachment.';
