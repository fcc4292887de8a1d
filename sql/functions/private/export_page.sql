-- Definer: as request_export, and as that not for API keys. The export must be the caller's own and of this day, the table an exported one.
create or replace function private.export_page(p_export_id uuid, p_table text, p_after jsonb)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
declare
  v_user uuid := private.require_session();
  v_declared private.personal_data;
begin
  if not exists (
    select from public.export_requests as e
    where e.id = p_export_id and e.user_id = v_user and e.requested_at > now() - interval '1 day'
  ) then
    raise sqlstate 'PT404' using
      message = 'You have no such export.', detail = 'EXPORT_NOT_FOUND', hint = 'request_export() begins one; its pages are given for a day.';
  end if;
  select d.* into v_declared from private.personal_data as d
  where d.table_name = p_table and d.is_exported and to_regclass(d.table_name) is not null
  limit 1;
  if not found or jsonb_typeof(p_after) is distinct from 'object' then
    raise sqlstate 'PT422' using
      message = 'There is no such page.', detail = 'EXPORT_PAGE_UNKNOWN',
      hint = 'p_table is a table of the document, p_after the last row you have of it.';
  end if;
  return private.export_rows(
    v_declared, v_user, p_after, (select s.export_page_rows from private.personal_data_settings as s)
  );
end
$$;

comment on function private.export_page(uuid, text, jsonb) is 'The next rows of one table of the caller''s export.';
grant execute on function private.export_page(uuid, text, jsonb) to authenticated;
