create or replace function ml.resume(p_name text)
returns boolean
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  update ml.attachments as a set paused_at = null where a.name = p_name;
  if not found then
    return false;
  end if;
  perform ml.hint();
  return true;
end
$$;

comment on function ml.resume(text) is E'Go on claiming for a prediction\n\nFalse when there is none of that name.';
