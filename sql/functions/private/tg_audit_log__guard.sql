-- Holds for the owner too, by mistake at least: what somebody does who takes the trigger away is found by private.check_audit.
create or replace function private.tg_audit_log__guard()
returns trigger
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  -- A redaction blanks everything that may name a person, and nothing else.
  if tg_op = 'UPDATE' and old.salt is not null and new.salt is null
    and (new.id, new.created_at, new.actor_role, new.action, new.table_name)
    is not distinct from (old.id, old.created_at, old.actor_role, old.action, old.table_name) then
    return new;
  end if;
  raise insufficient_privilege using
    message = 'The audit log is append-only.', detail = 'AUDIT_APPEND_ONLY', hint = 'private.redact_audit() blanks a person''s entries.';
end
$$;

comment on function private.tg_audit_log__guard() is 'Refuses every change of the audit log but a redaction.';
