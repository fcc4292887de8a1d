-- The conditions of ml.take_retries: one that it would pass over must keep no fresh job waiting, least of all the one that it
-- waits for itself.
create or replace function ml.count_ready_retries(p_attachment_id smallint, p_most integer, p_shut uuid[])
returns integer
language plpgsql
stable
security invoker
set search_path = ''
set enable_seqscan = off
as $$
begin
  return (
    with running as materialized (
      select j.row_key
      from ml.leases as l
      cross join lateral unnest(l.jobs) as j
      where l.attachment_id = p_attachment_id
    )
    select count(*)
    from (
      select from ml.retries as r
      where r.attachment_id = p_attachment_id and r.run_at <= clock_timestamp() and r.owner_id <> all (p_shut)
        and not exists (
          select from ml.jobs as j where j.attachment_id = r.attachment_id and j.row_key = r.row_key
        )
        and not exists (select from running as x where x.row_key = r.row_key)
      limit p_most
    ) as ready
  );
end
$$;

comment on function ml.count_ready_retries(smallint, integer, uuid[]) is
  'How many retries of an attachment a claim could take, but for those of these owners; counts to p_most.';
