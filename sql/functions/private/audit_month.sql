create or replace function private.audit_month(p_moment timestamptz)
returns date
language sql
immutable
security invoker
set search_path = ''
return date_trunc('month', p_moment at time zone 'UTC')::date;

comment on function private.audit_month(timestamptz) is 'The month whose partition and chain an audit entry belongs to, in UTC.';
