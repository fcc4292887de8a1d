-- Runs nightly. In portions, so that one night's delete holds neither locks nor a snapshot for long; the rest goes the next night.
create or replace function private.forget_notifications(p_limit integer default 100000)
returns bigint
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_forgotten bigint;
begin
  delete from public.notifications as n
  where n.id = any (array(
    select o.id from public.notifications as o
    where o.created_at < now() - interval '90 days'
      and (o.read_at < now() - interval '90 days' or o.created_at < now() - interval '400 days')
    limit p_limit
    for update skip locked
  ));
  get diagnostics v_forgotten = row_count;
  return v_forgotten;
end
$$;

comment on function private.forget_notifications(integer) is
  'Deletes notifications read more than 90 days ago, and all that are older than 400 days.';
