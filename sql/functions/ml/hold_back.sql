-- What a claim took beyond its owners' budgets goes back as it was. That waits for nobody: whoever writes such a job meanwhile waits
-- for the claim, which holds the one that it took.
create or replace function ml.hold_back(
  p_attachment_id smallint,
  p_model text,
  p_each bigint,
  inout retries ml.owed[],
  inout fresh ml.owed[]
)
language plpgsql
volatile
security invoker
set search_path = ''
as $$
#variable_conflict use_column
declare
  v_taken constant ml.owed[] := retries || fresh;
  v_retries constant integer := cardinality(retries);
  v_over integer[];
begin
  select coalesce(array_agg(x.place), '{}') into v_over
  from (
    select j.ordinality as place, j.owner_id, row_number() over (partition by j.owner_id order by j.ordinality) as n
    from unnest(v_taken) with ordinality as j
    where j.owner_id <> ml.nobody()
  ) as x
  left join ml.usage as u
    on u.model = p_model and u.day = (clock_timestamp() at time zone 'UTC')::date and u.owner_id = x.owner_id
  where x.n + coalesce(u.calls, 0) > p_each;

  insert into ml.retries (
    attachment_id, row_key, owner_id, enqueued_at, run_at, is_new, is_background, attempts, deferrals, suspicion, reason
  )
  select
    p_attachment_id, j.row_key, j.owner_id, j.enqueued_at, clock_timestamp(), j.is_new, j.is_background, j.attempts, j.deferrals,
    j.suspicion, 'budget'
  from unnest(v_taken) with ordinality as j
  where j.ordinality <= v_retries and j.ordinality = any (v_over);
  insert into ml.jobs (attachment_id, row_key, owner_id, enqueued_at, is_new, is_background)
  select p_attachment_id, j.row_key, j.owner_id, j.enqueued_at, j.is_new, j.is_background
  from unnest(v_taken) with ordinality as j
  where j.ordinality > v_retries and j.ordinality = any (v_over);

  retries := array(select v_taken[n] from generate_series(1, v_retries) as n where n <> all (v_over) order by n);
  fresh := array(
    select v_taken[n] from generate_series(v_retries + 1, cardinality(v_taken)) as n where n <> all (v_over) order by n
  );
end
$$;

comment on function ml.hold_back(smallint, text, bigint, ml.owed[], ml.owed[]) is
  'Of the jobs that a claim took, those that are within their owners'' calls of the day, p_each for each; the others go back.';
