-- Definer: it deletes from every schema. One transaction: either nothing of the person is left, or nothing was touched. Run
-- again it finds nobody and answers NULL. Storage is emptied first, through its API: rows deleted here would leave the bytes.
create or replace function private.erase_user(p_user_id uuid, p_cause text default 'admin')
returns private.erasures
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_needles text[];
  v_declared private.personal_data;
  v_count bigint;
  v_counts jsonb := '{}';
  v_report private.erasures;
begin
  -- Before anything is touched, and not by the table's check, whose refusal would show the row.
  if (p_cause in ('due', 'admin')) is not true then
    raise sqlstate 'PT422' using
      message = 'That is no cause of an erasure.', detail = 'CAUSE_UNKNOWN', hint = 'Leave p_cause out.';
  end if;
  perform pg_advisory_xact_lock(hashtextextended('erase ' || p_user_id::text, 0));
  perform from auth.users as u where u.id = p_user_id for update;
  if not found and not exists (select from private.find_rows(p_user_id)) then
    return null;
  end if;
  if exists (select from private.owned_objects(p_user_id)) then
    raise sqlstate 'PT409' using
      message = 'This person still owns files.', detail = 'STORAGE_NOT_EMPTY',
      hint = 'Empty Storage first: the edge function admin-delete-user does both.';
  end if;

  v_needles := private.person_needles(p_user_id);
  for v_declared in
    select d.* from private.personal_data as d
    where d.on_erase in ('erase', 'anonymise')
      -- A function that stands for several columns is called once.
      and not exists (
        select from private.personal_data as e where e.by_function = d.by_function and e.erase_order < d.erase_order
      )
    order by d.erase_order, d.table_name, d.column_name
  loop
    v_count := private.erase_rows(v_declared, p_user_id, v_needles);
    if v_count > 0 then
      v_counts := v_counts || jsonb_build_object(
        v_declared.table_name, coalesce((v_counts ->> v_declared.table_name)::bigint, 0) + v_count
      );
    end if;
  end loop;

  insert into private.erasures (cause, counts, residue)
  select
    p_cause, v_counts,
    coalesce(jsonb_agg(jsonb_build_object('table', f.table_name, 'column', f.column_name, 'rows', f.traces)), '[]')
  from private.find_traces(v_needles) as f
  returning * into v_report;
  return v_report;
end
$$;

comment on function private.erase_user(uuid, text) is
  'Erases a person from every table as private.personal_data declares, then looks for what is left. Answers the report, or NULL if there is nobody.';
grant execute on function private.erase_user(uuid, text) to service_role;
