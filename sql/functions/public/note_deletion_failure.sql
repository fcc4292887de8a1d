create or replace function public.note_deletion_failure(p_user_id uuid, p_error text)
returns void
language sql
volatile
security invoker
set search_path = ''
return private.note_deletion_failure(p_user_id, p_error);

comment on function public.note_deletion_failure(uuid, text) is
  E'Note that a due deletion failed (secret key)\n\nIt is tried again, ever later; the error is the operator''s to read.';
grant execute on function public.note_deletion_failure(uuid, text) to service_role;
