-- For rows that are there already. A row that somebody has locked may have a job in that transaction, on which an insert would
-- wait, and the writer perhaps on us: such rows go to ml.retries, which no writer touches.
create or replace function ml.enqueue(
  p_attachment_id smallint,
  p_row_keys text[],
  p_background boolean default false,
  p_is_new boolean default false
)
returns bigint
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  a ml.attachments;
  v_free text[];
  v_count bigint;
  v_patience constant text := current_setting('lock_timeout');
begin
  select * into strict a from ml.attachments where id = p_attachment_id;
  -- Keys come from outside (a webhook names them), so a key of the wrong type is no row rather than an error.
  p_row_keys := array(select k from unnest(p_row_keys) as k where pg_catalog.pg_input_is_valid(k, a.key_type::text));
  execute format(
    $q$
    with free as (
      select t.%1$I::text as row_key, coalesce(%2$s, ml.nobody()) as owner_id
      from %3$s as t where t.%1$I = any ($1::%4$s[])
      for share of t skip locked
    ), owed as (
      insert into ml.jobs as j (attachment_id, row_key, owner_id, is_background, is_new)
      select $2, f.row_key, f.owner_id, $3, $4 from free as f
      order by f.row_key collate "C"
      on conflict (attachment_id, row_key) do update set
        is_background = j.is_background and excluded.is_background, is_new = j.is_new or excluded.is_new
      where (j.is_background and not excluded.is_background) or (excluded.is_new and not j.is_new)
    )
    select array_agg(f.row_key) from free as f
    $q$,
    a.key_column, case when a.owner_column is null then 'null::uuid' else format('t.%I', a.owner_column) end,
    a.source_table, a.key_type
  ) into v_free using p_row_keys, a.id, p_background, p_is_new;
  v_count := coalesce(cardinality(v_free), 0);

  if v_count < cardinality(p_row_keys) then
    -- Whoever gives back several leases in one transaction, and this, could each hold a key that the other waits for. This one
    -- lets go of all of its own, and begins again.
    loop
      begin
        perform set_config('lock_timeout', '100ms', true);
        execute format(
          $q$
          insert into ml.retries as r (
            attachment_id, row_key, owner_id, enqueued_at, run_at, is_new, is_background, attempts, deferrals, suspicion, reason
          )
          select $2, t.%1$I::text, coalesce(%2$s, ml.nobody()), clock_timestamp(), clock_timestamp() + interval '1 second', $4, $3,
            0, 0, 0, 'row_busy'
          from %3$s as t
          where t.%1$I = any ($1::%4$s[]) and t.%1$I::text <> all ($5)
          order by t.%1$I::text collate "C"
          on conflict (attachment_id, row_key) do update set is_new = r.is_new or excluded.is_new
          $q$,
          a.key_column, case when a.owner_column is null then 'null::uuid' else format('t.%I', a.owner_column) end,
          a.source_table, a.key_type
        ) using p_row_keys, a.id, p_background, p_is_new, coalesce(v_free, '{}');
        get diagnostics v_count = row_count;
        perform set_config('lock_timeout', v_patience, true);
        exit;
      exception when lock_not_available then
        null;
      end;
    end loop;
    v_count := v_count + coalesce(cardinality(v_free), 0);
  end if;
  if v_count > 0 then
    perform ml.hint();
  end if;
  return v_count;
end
$$;

comment on function ml.enqueue(smallint, text[], boolean, boolean) is
  'Owes a prediction for each named row that exists; merges with what is pending. Returns how many.';
