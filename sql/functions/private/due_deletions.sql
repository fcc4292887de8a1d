-- Definer: the API's roles see nobody's request but their own. Those that failed wait longer each time, at most a day.
create or replace function private.due_deletions(p_limit integer)
returns table (user_id uuid, has_files boolean)
language sql
stable
security definer
set search_path = ''
as $$
  select d.user_id, exists (select from private.owned_objects(d.user_id)) as has_files
  from public.deletion_requests as d
  left join private.deletion_failures as f on f.user_id = d.user_id
  where d.state = 'pending' and d.due_at <= now()
    and (f.user_id is null or f.failed_at < now() - least(interval '1 day', interval '5 minutes' * power(2, least(f.failures, 10))))
  order by d.due_at
  limit least(greatest(p_limit, 0), 100);
$$;

comment on function private.due_deletions(integer) is 'Whose grace period is over, and whether their files have to go first.';
grant execute on function private.due_deletions(integer) to service_role;
