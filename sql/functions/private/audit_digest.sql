-- What is said of people, salted: once content and salt are blanked, the digest gives nothing away, and the chain still holds.
create or replace function private.audit_digest(
  p_salt uuid, p_actor_id uuid, p_subject_id uuid, p_row_key text, p_old_values jsonb, p_new_values jsonb, p_request_id text
)
returns bytea
language plpgsql
immutable
security invoker
set search_path = ''
as $$
begin
  return sha256(uuid_send(p_salt) || convert_to(
    jsonb_build_array(p_actor_id, p_subject_id, p_row_key, p_old_values, p_new_values, p_request_id)::text, 'UTF8'
  ));
end
$$;

comment on function private.audit_digest(uuid, uuid, uuid, text, jsonb, jsonb, text) is
  'Salted SHA-256 of the part of an audit entry that can be redacted.';
