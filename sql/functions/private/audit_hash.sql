-- What stays of an entry when it is redacted is hashed here as it stands. The moment goes in as a number, for its text depends on
-- the session's time zone.
create or replace function private.audit_hash(
  p_previous bytea, p_digest bytea, p_id bigint, p_created_at timestamptz, p_actor_role text, p_action text, p_table_name text
)
returns bytea
language plpgsql
immutable
security invoker
set search_path = ''
as $$
begin
  return sha256(p_previous || p_digest || convert_to(
    jsonb_build_array(p_id, extract(epoch from p_created_at), p_actor_role, p_action, p_table_name)::text, 'UTF8'
  ));
end
$$;

comment on function private.audit_hash(bytea, bytea, bigint, timestamptz, text, text, text) is
  'Hash of one link of the audit log: of the link before it and of its entry.';
