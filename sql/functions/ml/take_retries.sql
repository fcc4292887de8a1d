-- Retries travel apart from fresh jobs, so that a suspect endangers nobody new; and suspects in batches an eighth the size for
-- each lease that ran out with them, so that the one that kills workers is alone after three times.
-- One whose row has a pending job waits for that: its claim takes the retry along. One whose row is in a running batch waits for
-- the end of that: its answer may spare the call. Both are looked at in one statement, which sees a claim wholly or not at all; but for
-- the claim that asks, whose fresh jobs are neither pending any more nor in a batch yet: these rows are named in p_fresh.
create or replace function ml.take_retries(
  p_attachment_id smallint, p_limit integer, p_shut uuid[] default null, p_fresh text[] default '{}'
)
returns setof ml.owed
language plpgsql
volatile
security invoker
set search_path = ''
set enable_seqscan = off
as $$
begin
  if p_limit <= 0 or not exists (
    select from ml.retries as r where r.attachment_id = p_attachment_id and r.run_at <= clock_timestamp()
  ) then
    return;
  end if;
  -- The oldest that is ready says which suspicion travels.
  return query
  with running as materialized (
    select j.row_key
    from ml.leases as l
    cross join lateral unnest(l.jobs) as j
    where l.attachment_id = p_attachment_id
  ), ready as materialized (
    select r.row_key, r.suspicion, row_number() over (order by r.run_at) as n
    from ml.retries as r
    where r.attachment_id = p_attachment_id and r.run_at <= clock_timestamp()
      and (p_shut is null or r.owner_id <> all (p_shut))
      and r.row_key <> all (p_fresh)
      and not exists (
        select from ml.jobs as j where j.attachment_id = r.attachment_id and j.row_key = r.row_key
      )
      and not exists (select from running as x where x.row_key = r.row_key)
    order by r.run_at
    limit p_limit
  ), due as (
    select r.row_key
    from ml.retries as r
    join ready as x on x.row_key = r.row_key
    join ready as first on first.n = 1 and first.suspicion = x.suspicion
    where r.attachment_id = p_attachment_id
    order by x.n
    limit greatest(1, p_limit / (select (8 ^ least(first.suspicion, 6))::integer from ready as first where first.n = 1))
    for update of r skip locked
  )
  delete from ml.retries as r using due
  where r.attachment_id = p_attachment_id and r.row_key = due.row_key
  returning
    r.row_key, r.owner_id, r.enqueued_at, r.is_new, r.is_background, r.attempts, r.deferrals, r.suspicion, null::bytea;
end
$$;

comment on function ml.take_retries(smallint, integer, uuid[], text[]) is
  'Takes at most p_limit due retries of an attachment, all under the same suspicion, but for rows in p_fresh.';
