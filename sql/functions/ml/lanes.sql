-- Whose turn it is: owners with pending jobs, from the one whose turn is next, round to it. A loose index scan: one step an
-- owner, however many jobs each has; those that are shut are stepped over and not counted. p_floor spares the scan what is known
-- to be gone; see ml.take_pending.
create or replace function ml.lanes(
  p_attachment_id smallint,
  p_background boolean,
  p_next uuid,
  p_floor timestamptz,
  p_limit integer,
  p_shut uuid[]
)
returns uuid[]
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_first uuid;
  v_lanes uuid[];
begin
  -- Most often nobody or one alone waits, which two glances tell.
  v_first := (
    select j.owner_id from ml.jobs as j
    where j.attachment_id = p_attachment_id and j.is_background = p_background
      and (j.owner_id, j.enqueued_at) >= (p_next, p_floor) and j.enqueued_at >= p_floor
    order by j.owner_id, j.enqueued_at
    limit 1
  );
  if v_first is null then
    return '{}';
  end if;
  if p_shut is null and not exists (
    select from ml.jobs as j
    where j.attachment_id = p_attachment_id and j.is_background = p_background
      and j.owner_id > v_first and j.enqueued_at >= p_floor
  ) then
    return array[v_first];
  end if;

  with recursive ahead as (
    select v_first as owner_id, (p_shut is null or v_first <> all (p_shut))::integer as n
    union all
    select x.owner_id, a.n + (p_shut is null or x.owner_id <> all (p_shut))::integer
    from ahead as a
    cross join lateral (
      select (
        select j.owner_id from ml.jobs as j
        where j.attachment_id = p_attachment_id and j.is_background = p_background
          and j.owner_id > a.owner_id and j.enqueued_at >= p_floor
        order by j.owner_id, j.enqueued_at
        limit 1
      ) as owner_id
    ) as x
    where a.owner_id is not null and a.n < p_limit
  )
  select array_agg(a.owner_id order by a.n) into v_lanes
  from ahead as a
  where a.owner_id is not null and (p_shut is null or a.owner_id <> all (p_shut));
  return coalesce(v_lanes, '{}');
end
$$;

comment on function ml.lanes(smallint, boolean, uuid, timestamptz, integer, uuid[]) is
  'Owners with pending jobs of an attachment, at most p_limit, in the order of their turns from p_next on.';
