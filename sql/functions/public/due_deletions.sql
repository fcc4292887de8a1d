create or replace function public.due_deletions(p_limit integer default 20)
returns table (user_id uuid, has_files boolean)
language sql
stable
security invoker
set search_path = ''
begin atomic
  select * from private.due_deletions(p_limit);
end;

comment on function public.due_deletions(integer) is E'Whose grace period is over (secret key)\n\nAt most 100; those that failed lately wait.';
grant execute on function public.due_deletions(integer) to service_role;
