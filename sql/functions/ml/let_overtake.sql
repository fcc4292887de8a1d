-- A retry does not keep a writer from owing its row anew, as a pending job does. If one did so before the input was read, that
-- input is the younger job's too, and both would answer it. Looked at after the reading, the younger one is there to be seen:
-- pending, or in a batch.
create or replace function ml.let_overtake(a ml.attachments, m ml.models, p_jobs ml.owed[])
returns ml.owed[]
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_overtaken text[];
begin
  with younger as (
    select j.row_key from ml.jobs as j
    where j.attachment_id = a.id and j.row_key = any (array(select x.row_key from unnest(p_jobs) as x))
    union all
    select j.row_key from ml.leases as l cross join lateral unnest(l.jobs) as j where l.attachment_id = a.id
  )
  select array_agg(j.row_key) into v_overtaken
  from unnest(p_jobs) as j
  where j.row_key in (select y.row_key from younger as y);
  if v_overtaken is null then
    return p_jobs;
  end if;
  perform ml.give_back(
    a, m, array(select j from unnest(p_jobs) as j where j.row_key = any (v_overtaken)), 'overtaken', null, false, '0'::interval
  );
  return array(select j from unnest(p_jobs) as j where j.row_key <> all (v_overtaken));
end
$$;

comment on function ml.let_overtake(ml.attachments, ml.models, ml.owed[]) is
  'These retries, but for those whose row has a younger job meanwhile, which are given back.';
