create or replace function public.audit_trail(
  p_user_id uuid default null,
  p_table text default null,
  p_action text default null,
  p_before timestamptz default null,
  p_before_id bigint default null,
  p_limit integer default 50
)
returns setof public.audit_entry
language sql
stable
security invoker
set search_path = ''
begin atomic
  select * from private.audit_trail(p_user_id, p_table, p_action, p_before, p_before_id, p_limit);
end;

comment on function public.audit_trail(uuid, text, text, timestamptz, bigint, integer) is
  E'What was done, and by whom\n\nNewest first: entries about me and by me; for holders of audit.read those of p_user_id, or of everybody. Others who acted are shown by their role. p_table is a name with its schema, p_action insert, update, delete or an event. The next page: p_before and p_before_id are created_at and id of the last entry. Refusals: NOT_SIGNED_IN, PERMISSION_DENIED, LIMIT_OUT_OF_RANGE.';
grant execute on function public.audit_trail(uuid, text, text, timestamptz, bigint, integer) to authenticated, service_role;
