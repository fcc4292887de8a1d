create or replace function ml.detach(p_name text)
returns boolean
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_id smallint;
begin
  select a.id into v_id from ml.attachments as a where a.name = p_name;
  if not found then
    return false;
  end if;
  perform ml.ungenerate(p_name);
  perform ml.forget_jobs(v_id);
  delete from ml.attachments where id = v_id;
  return true;
end
$$;

comment on function ml.detach(text) is
  E'Take a prediction off its table\n\nDrops triggers and waiting jobs; receipts and results stay. False when there was none of that name.';
