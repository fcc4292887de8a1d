create or replace function ml.busy_jobs(p_attachment ml.attachments, p_job_ids bigint[], p_locked_keys text[])
returns bigint[]
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_busy bigint[];
begin
  execute format(
    $q$
    select array_agg(j.id)
    from ml.jobs as j
    join %1$s as t on t.%2$I = j.row_key::%3$s
    where j.id = any ($1) and j.row_key <> all ($2)
    $q$,
    p_attachment.source_table, p_attachment.key_column, p_attachment.key_type
  ) into v_busy using p_job_ids, coalesce(p_locked_keys, '{}');
  return v_busy;
end
$$;

comment on function ml.busy_jobs(ml.attachments, bigint[], text[]) is
  'Of these jobs, those whose row is there but was not to be locked.';
