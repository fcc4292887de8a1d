-- The log is no second store: a long value is told by its length and hash, a hidden one not at all.
create or replace function private.audit_values(p_values jsonb, p_hide text[])
returns jsonb
language plpgsql
immutable
security invoker
set search_path = ''
as $$
begin
  if p_values ?| p_hide then
    select jsonb_object_agg(v.key, case when v.key = any (p_hide) then '"(hidden)"' else v.value end) into p_values
    from jsonb_each(p_values) as v;
  end if;
  if octet_length(p_values::text) > 8000 then
    select jsonb_object_agg(v.key, case when octet_length(v.value::text) <= 1000 then v.value else jsonb_build_object(
      'bytes', octet_length(v.value::text), 'sha256', encode(sha256(convert_to(v.value::text, 'UTF8')), 'hex')
    ) end) into p_values
    from jsonb_each(p_values) as v;
  end if;
  return p_values;
end
$$;

comment on function private.audit_values(jsonb, text[]) is 'A row''s values as the audit log keeps them: hidden columns masked, long values by length and hash.';
