-- Definer: nobody but the owner reads the log. Asks for audit.read.
create or replace function private.verify_audit_log(p_heads text[], p_month date)
returns setof public.audit_chain
language plpgsql
stable
security definer
set search_path = ''
as $$
begin
  perform private.require_permission('audit.read');
  if cardinality(p_heads) > 100 then
    raise sqlstate 'PT422' using
      message = 'More than a hundred heads.', detail = 'TOO_MANY_HEADS', hint = 'Give the last one of each month.';
  end if;
  return query select * from private.check_audit(coalesce(p_heads, '{}'), p_month);
end
$$;

comment on function private.verify_audit_log(text[], date) is 'private.check_audit for holders of audit.read.';
grant execute on function private.verify_audit_log(text[], date) to authenticated, service_role;
