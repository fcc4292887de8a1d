create or replace function ml.enqueue(p_attachment_id smallint, p_row_keys text[], p_priority smallint default 100)
returns bigint
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  a ml.attachments;
  v_count bigint;
begin
  select * into strict a from ml.attachments where id = p_attachment_id;
  -- Keys come from outside (a webhook names them), so a key of the wrong type is no row rather than an error.
  execute format(
    $q$
    insert into ml.jobs as j (attachment_id, row_key, owner_id, priority)
    select $1, t.%1$I::text, %2$s, $3
    from %3$s as t
    where t.%1$I = any (array(
      select k::%4$s from unnest($2) as k where pg_catalog.pg_input_is_valid(k, %5$L)
    ))
    order by t.%1$I::text collate "C"
    on conflict (attachment_id, row_key) where token is null and not is_retry do update set
      run_at = least(j.run_at, excluded.run_at), priority = least(j.priority, excluded.priority)
    $q$,
    a.key_column, case when a.owner_column is null then 'null::uuid' else format('t.%I', a.owner_column) end, a.source_table, a.key_type,
    a.key_type::text
  ) using p_attachment_id, p_row_keys, p_priority;
  get diagnostics v_count = row_count;
  if v_count > 0 then
    perform ml.hint();
  end if;
  return v_count;
end
$$;

comment on function ml.enqueue(smallint, text[], smallint) is
  'Owes a prediction for each named row that exists; merges with what is pending. Returns how many.';
