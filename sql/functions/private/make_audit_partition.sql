create or replace function private.make_audit_partition(p_month date)
returns void
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_name constant text := 'audit_log_' || to_char(p_month, 'YYYYMM');
  v_from constant timestamptz := p_month::timestamp at time zone 'UTC';
  v_to constant timestamptz := (p_month + interval '1 month') at time zone 'UTC';
begin
  if to_regclass('private.' || v_name) is not null or exists (
    select from private.audit_log_default as d where d.created_at >= v_from and d.created_at < v_to
  ) then
    return;
  end if;
  execute format('create table private.%I (like private.audit_log including all excluding identity)', v_name);
  execute format('alter table private.%I enable row level security', v_name);
  execute format(
    'create trigger _101_guard_truncate before truncate on private.%I for each statement execute function private.tg_audit_log__guard()',
    v_name
  );
  execute format('alter table private.audit_log attach partition private.%I for values from (%L) to (%L)', v_name, v_from, v_to);
end
$$;

comment on function private.make_audit_partition(date) is 'Makes the audit log''s partition of a month, unless there is one.';
