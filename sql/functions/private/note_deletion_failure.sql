-- Definer: an operator's table.
create or replace function private.note_deletion_failure(p_user_id uuid, p_error text)
returns void
language sql
volatile
security definer
set search_path = ''
as $$
  insert into private.deletion_failures as f (user_id, error)
  select d.user_id, left(p_error, 500)
  from public.deletion_requests as d
  where d.user_id = p_user_id
  on conflict (user_id) do update set failures = f.failures + 1, failed_at = now(), error = excluded.error;
$$;

comment on function private.note_deletion_failure(uuid, text) is 'Remembers that a due deletion did not succeed, so that others get their turn and an operator sees it.';
grant execute on function private.note_deletion_failure(uuid, text) to service_role;
