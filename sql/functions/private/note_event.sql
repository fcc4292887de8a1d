-- For what happens without a write to an audited table: an export, a sign-out everywhere. Called by functions that run as the owner.
create or replace function private.note_event(p_action text, p_subject_id uuid default null, p_details jsonb default null)
returns void
language plpgsql
volatile
security invoker
set search_path = ''
as $$
begin
  -- The log's own events are what verifying relies on.
  if p_action in ('insert', 'update', 'delete', 'truncate') or p_action ~ '^audit[.]' or p_action !~ '^[a-z][a-z0-9_.]{0,62}$'
    or jsonb_typeof(p_details) <> 'object' then
    raise exception 'no event: % with %', p_action, left(p_details::text, 100) using
      detail = 'AUDIT_NO_EVENT', hint = 'An event is a name like export.requested, and its details are a JSON object.';
  end if;
  perform private.append_audit(
    p_action, p_subject_id => p_subject_id, p_new_values => private.audit_values(p_details, '{}')
  );
end
$$;

comment on function private.note_event(text, uuid, jsonb) is
  E'Note something in the audit log that is no write to an audited table\n\np_subject_id: whom it is about, who may read it.';
