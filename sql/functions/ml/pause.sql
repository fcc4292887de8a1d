create or replace function ml.pause(p_name text)
returns boolean
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  update ml.attachments as a set paused_at = coalesce(a.paused_at, clock_timestamp()) where a.name = p_name;
  return found;
end
$$;

comment on function ml.pause(text) is
  E'Stop claiming for a prediction\n\nJobs are collected all the same; batches that run are finished. False when there is none of that name.';
