-- Definer: nobody but the owner reads the log. Holders of audit.read see all of it; anybody else what is about themselves or by
-- themselves: of the first, who did it by role only, and of the second, no more than that they did it, since what they once might
-- see of others they may have lost the right to.
-- Three branches, so that each walks its own index from the end; custom plans, because the arguments decide which.
create or replace function private.audit_trail(
  p_user_id uuid, p_table text, p_action text, p_before timestamptz, p_before_id bigint, p_limit integer
)
returns setof public.audit_entry
language plpgsql
stable
security definer
set search_path = ''
set plan_cache_mode = force_custom_plan
as $$
declare
  v_all constant boolean := private.is_service() or private.has_permission('audit.read');
  v_me constant uuid := case when not private.is_service() then private.require_user() end;
  v_user constant uuid := coalesce(p_user_id, case when not v_all then v_me end);
  v_before constant timestamptz := coalesce(p_before, 'infinity');
  v_before_id constant bigint := coalesce(p_before_id, 0);
begin
  if v_all is not true and v_user <> v_me then
    perform private.require_permission('audit.read');
  end if;
  if (p_limit between 1 and 200) is not true then
    raise sqlstate 'PT422' using
      message = 'A page holds 1 to 200 entries.', detail = 'LIMIT_OUT_OF_RANGE', hint = 'Ask for the next with p_before and p_before_id.';
  end if;

  return query
  with found as (
    (
      select a.*
      from private.audit_log as a
      where v_user is null
        and (p_table is null or a.table_name = p_table) and (p_action is null or a.action = p_action)
        and a.created_at <= v_before and (a.created_at, a.id) < (v_before, v_before_id)
      order by a.created_at desc, a.id desc
      limit p_limit
    )
    union all
    (
      select a.*
      from private.audit_log as a
      where a.subject_id = v_user
        and (p_table is null or a.table_name = p_table) and (p_action is null or a.action = p_action)
        and a.created_at <= v_before and (a.created_at, a.id) < (v_before, v_before_id)
      order by a.created_at desc, a.id desc
      limit p_limit
    )
    union all
    (
      select a.*
      from private.audit_log as a
      where a.actor_id = v_user and a.subject_id is distinct from v_user
        and (p_table is null or a.table_name = p_table) and (p_action is null or a.action = p_action)
        and a.created_at <= v_before and (a.created_at, a.id) < (v_before, v_before_id)
      order by a.created_at desc, a.id desc
      limit p_limit
    )
  )
  select
    f.id, f.created_at, f.action, f.table_name,
    case when v_all or f.subject_id = v_me then f.row_key end,
    case when v_all or f.subject_id = v_me then f.subject_id end,
    case when v_all or f.actor_id = v_me then f.actor_id end,
    f.actor_role,
    case when v_all then f.old_values when f.subject_id = v_me then private.mask_accounts(f.old_values, v_me) end,
    case when v_all then f.new_values when f.subject_id = v_me then private.mask_accounts(f.new_values, v_me) end,
    case when v_all or f.actor_id = v_me then f.request_id end,
    f.salt is null
  from found as f
  order by f.created_at desc, f.id desc
  limit p_limit;
end
$$;

comment on function private.audit_trail(uuid, text, text, timestamptz, bigint, integer) is 'A page of the audit log, as far as the caller may see it.';
grant execute on function private.audit_trail(uuid, text, text, timestamptz, bigint, integer) to authenticated, service_role;
