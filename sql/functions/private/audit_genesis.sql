create or replace function private.audit_genesis(p_month date, p_lane smallint)
returns bytea
language sql
immutable
security invoker
set search_path = ''
return sha256(convert_to(format('rowcast audit %s %s', p_month - date '2000-01-01', p_lane), 'UTF8'));

comment on function private.audit_genesis(date, smallint) is 'What a chain''s first link follows, so that no chain can pass for another.';
