-- Takes jobs out of ml.jobs: the same number from each owner in turn, the oldest of each. So an owner's import of a hundred
-- thousand rows delays another's single row by one batch.
-- What this session has learnt is kept in a setting of the session, as a hint that may be lost at any time: whose turn is next,
-- and a time before which nothing is pending. The second matters while an old snapshot keeps deleted jobs in the index, which
-- a claim would otherwise walk past again and again. A job of a long transaction may become visible behind that time; so
-- every quarter of a second the look is from the beginning.
create or replace function ml.take_pending(
  p_attachment_id smallint,
  p_background boolean,
  p_limit integer,
  p_shut uuid[] default null
)
returns ml.owed[]
language plpgsql
volatile
security invoker
set search_path = ''
set enable_seqscan = off
set enable_bitmapscan = off
as $$
declare
  v_setting constant text := format('rowcast.turn_%s_%s', p_attachment_id, p_background::integer);
  v_hint text[] := string_to_array(nullif(current_setting(v_setting, true), ''), '|');
  v_next uuid := coalesce(v_hint[1]::uuid, ml.nobody());
  v_floor timestamptz := coalesce(v_hint[2]::timestamptz, '-infinity');
  v_look_at timestamptz := coalesce(v_hint[3]::timestamptz, '-infinity');
  v_now timestamptz := clock_timestamp();
  v_lanes uuid[];
  v_wrapped boolean;
  v_quantum integer;
  v_left integer := p_limit;
  v_taken ml.owed[];
  v_jobs ml.owed[] := '{}';
  v_upto timestamptz;
  v_sure timestamptz;
begin
  if v_look_at <= v_now then
    v_floor := '-infinity';
  end if;
  loop
    v_lanes := ml.lanes(p_attachment_id, p_background, v_next, v_floor, v_left + 1, p_shut);
    -- From the end round to the beginning.
    v_wrapped := cardinality(v_lanes) <= v_left;
    if v_wrapped and v_next <> ml.nobody() then
      v_lanes := v_lanes || array(
        select o from unnest(
          ml.lanes(p_attachment_id, p_background, ml.nobody(), v_floor, v_left + 1 - cardinality(v_lanes), p_shut)
        ) as o
        where o < v_next
      );
      v_wrapped := cardinality(v_lanes) <= v_left;
    end if;
    v_next := case when v_wrapped then v_lanes[1] else v_lanes[v_left + 1] end;
    v_sure := null;

    while v_left > 0 and cardinality(v_lanes) > 0 loop
      v_quantum := greatest(1, v_left / cardinality(v_lanes));
      with gone as (
        delete from ml.jobs as j
        where j.ctid = any (array(
          select x.ctid
          from unnest(v_lanes) as lane (owner_id)
          cross join lateral (
            select y.ctid from ml.jobs as y
            where y.attachment_id = p_attachment_id and y.is_background = p_background
              and y.owner_id = lane.owner_id and y.enqueued_at >= v_floor
            order by y.enqueued_at
            limit v_quantum
            for update skip locked
          ) as x
          limit v_left
        ))
        returning j.*
      )
      select
        array_agg((g.row_key, g.owner_id, g.enqueued_at, g.is_new, g.is_background, 0, 0, 0, null)::ml.owed), max(g.enqueued_at)
      into v_taken, v_upto
      from gone as g;
      exit when v_taken is null;
      if v_sure is null and cardinality(v_lanes) > 1 then
        v_upto := (
          select min(l.upto) from (select max(t.enqueued_at) as upto from unnest(v_taken) as t group by t.owner_id) as l
        );
      end if;
      v_sure := coalesce(v_sure, v_upto);
      v_jobs := v_jobs || v_taken;
      v_left := v_left - cardinality(v_taken);
      exit when v_left = 0;
      -- Those that had their full share may have more.
      v_lanes := array(
        select t.owner_id from unnest(v_taken) as t group by t.owner_id having count(*) >= v_quantum
      );
    end loop;
    exit when v_left = 0 or v_floor = '-infinity';
    v_floor := '-infinity';
    v_next := coalesce(v_next, ml.nobody());
  end loop;

  -- Every lane was served, in a full batch: what is left in each lies behind what its first round took.
  if v_left = 0 and v_wrapped then
    v_floor := coalesce(v_sure, v_floor);
  elsif v_left > 0 then
    v_floor := '-infinity';
  end if;
  perform set_config(
    v_setting,
    concat_ws('|', coalesce(v_next, ml.nobody()), v_floor, case when v_look_at <= v_now then v_now + interval '250 ms' else v_look_at end),
    false
  );
  return v_jobs;
end
$$;

comment on function ml.take_pending(smallint, boolean, integer, uuid[]) is
  'Takes at most p_limit pending jobs of an attachment out of the queue, owner by owner.';
