create or replace function public.verify_audit_log(p_heads text[] default '{}', p_month date default null)
returns setof public.audit_chain
language sql
stable
security invoker
set search_path = ''
begin atomic
  select * from private.verify_audit_log(p_heads, p_month);
end;

comment on function public.verify_audit_log(text[], date) is
  E'Verify the audit log\n\nWhether the log is as it was written, one row a month: entries, how many of them are redacted, ok, the first broken entry and what is wrong, and the head to keep. p_heads: heads kept from earlier, against which a cut or rewritten tail shows. p_month: that month alone. Needs audit.read. Refusals: NOT_SIGNED_IN, PERMISSION_DENIED, AUDIT_HEAD_MALFORMED, TOO_MANY_HEADS.';
grant execute on function public.verify_audit_log(text[], date) to authenticated, service_role;
