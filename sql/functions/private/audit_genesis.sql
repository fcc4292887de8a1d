create or replace function private.audit_genesis(p_month date)
returns bytea
language sql
immutable
security invoker
set search_path = ''
return sha256(convert_to('rowcast audit ' || (p_month - date '2000-01-01'), 'UTF8'));

comment on function private.audit_genesis(date) is 'What the first link of a month follows, so that no month can pass for another.';
