create or replace function public.export_page(p_export_id uuid, p_table text, p_after jsonb)
returns jsonb
language sql
stable
security invoker
set search_path = ''
return private.export_page(p_export_id, p_table, p_after);

comment on function public.export_page(uuid, text, jsonb) is
  E'More rows of my export\n\nThe rows of p_table behind the row p_after, the last one I have; an empty list is the end. Refusals: EXPORT_NOT_FOUND, EXPORT_PAGE_UNKNOWN, SESSION_REQUIRED, NOT_SIGNED_IN.';
grant execute on function public.export_page(uuid, text, jsonb) to authenticated;
