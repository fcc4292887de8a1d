create or replace function private.tg_audit_links__guard()
returns trigger
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  -- Of a month whose partition retention has dropped.
  if tg_op = 'DELETE' then
    if to_regclass('private.audit_log_' || to_char(old.month, 'YYYYMM')) is null then
      return old;
    end if;
  end if;
  raise insufficient_privilege using
    message = 'The audit log is append-only.', detail = 'AUDIT_APPEND_ONLY', hint = 'private.maintain_audit() drops what is past its keep.';
end
$$;

comment on function private.tg_audit_links__guard() is 'Refuses every change of the chain, but that a month goes when its partition went.';
