create or replace function ml.count_due_retries(p_attachment_id smallint, p_most integer)
returns integer
language plpgsql
stable
security invoker
set search_path = ''
as $$
begin
  return (
    select count(*)
    from (
      select from ml.retries as r
      where r.attachment_id = p_attachment_id and r.run_at <= clock_timestamp()
      limit p_most
    ) as due
  );
end
$$;

comment on function ml.count_due_retries(smallint, integer) is 'How many retries of an attachment are due; counts to p_most.';
