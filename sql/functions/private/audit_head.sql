create or replace function private.audit_head(p_month date, p_position bigint, p_hash bytea)
returns text
language sql
immutable
security invoker
set search_path = ''
return format('%s-%s:%s:%s', lpad(extract(year from p_month)::text, 4, '0'), lpad(extract(month from p_month)::text, 2, '0'),
  p_position, encode(p_hash, 'hex'));

comment on function private.audit_head(date, bigint, bytea) is 'The end of a chain as people keep it: month:entries:hash.';
