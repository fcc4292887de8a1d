create or replace function ml.backfill(p_name text, p_limit integer default 10000, p_restart boolean default false)
returns table (enqueued bigint, total bigint, finished boolean)
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  a ml.attachments;
  b ml.backfills;
  v_keys text[];
begin
  select x.* into a from ml.attachments as x where x.name = p_name;
  if not found then
    raise exception 'no prediction is attached under the name %', p_name using detail = 'PREDICTION_NOT_FOUND';
  end if;
  if (p_limit between 1 and 100000) is not true then
    raise exception 'a step of a backfill takes 1 to 100000 rows' using detail = 'LIMIT_OUT_OF_RANGE';
  end if;
  insert into ml.backfills (attachment_id, total)
  select a.id, greatest(0, c.reltuples) from pg_class as c where c.oid = a.source_table
  on conflict (attachment_id) do nothing;
  -- The row lock makes two callers take turns, so that no chunk is walked twice.
  select x.* into b from ml.backfills as x where x.attachment_id = a.id for update;
  if p_restart then
    update ml.backfills as x set
      last_key = null, enqueued = 0, started_at = now(), finished_at = null,
      total = (select greatest(0, c.reltuples) from pg_class as c where c.oid = a.source_table)
    where x.attachment_id = a.id
    returning x.* into b;
  end if;

  if b.finished_at is null then
    execute format(
      'select array(select t.%1$I::text from %2$s as t where $1 is null or t.%1$I > $1::%3$s order by t.%1$I limit $2)',
      a.key_column, a.source_table, a.key_type
    ) into v_keys using b.last_key, p_limit;
    enqueued := ml.enqueue(a.id, v_keys, p_background => true);
    update ml.backfills as x set
      last_key = coalesce(v_keys[cardinality(v_keys)], x.last_key),
      enqueued = x.enqueued + backfill.enqueued,
      moved_at = clock_timestamp(),
      finished_at = case when cardinality(v_keys) < p_limit then now() end
    where x.attachment_id = a.id
    returning x.enqueued, x.finished_at is not null into total, finished;
  else
    enqueued := 0;
    total := b.enqueued;
    finished := true;
  end if;
  return next;
end
$$;

comment on function ml.backfill(text, integer, boolean) is
  E'Owe a prediction for rows that are already there\n\nOne step of at most p_limit rows in key order, at low priority; call it until `finished`. It goes on where it stopped; p_restart begins again. Rows whose input was already answered by the same model version cost no call.';
