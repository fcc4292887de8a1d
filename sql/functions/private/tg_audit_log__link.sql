-- Definer: fires at the commit, under the role of whoever wrote.
-- Deferred to the commit, where a transaction holds all the row locks that it will ever hold: it may wait for a lane, but nobody who
-- holds a lane waits for it.
-- NEW is the row as it was inserted, also when it was redacted since in the same transaction.
create or replace function private.tg_audit_log__link()
returns trigger
language plpgsql
volatile
security definer
set search_path = ''
as $$
declare
  v_month constant date := private.audit_month(new.created_at);
  v_digest constant bytea := private.audit_digest(
    new.salt, new.actor_id, new.subject_id, new.row_key, new.old_values, new.new_values, new.request_id
  );
  v_lane constant smallint := private.audit_lane();
  v_position bigint;
  v_hash bytea;
begin
  select l.position, l.hash into v_position, v_hash
  from private.audit_links as l
  where l.month = v_month and l.lane = v_lane
  order by l.position desc
  limit 1;
  insert into private.audit_links (month, lane, position, entry_id, digest, hash)
  values (
    v_month, v_lane, coalesce(v_position, 0) + 1, new.id, v_digest, private.audit_hash(
      coalesce(v_hash, private.audit_genesis(v_month, v_lane)), v_digest, new.id, new.created_at, new.actor_role, new.action, new.table_name
    )
  )
  on conflict do nothing;
  -- Only a snapshot that is older than the chain's head, as `repeatable read` keeps one, comes here.
  if not found then
    raise serialization_failure using
      message = 'another transaction wrote to the audit log since this one began', hint = 'Try the transaction again.';
  end if;
  return null;
end
$$;

comment on function private.tg_audit_log__link() is 'Adds an entry to its month''s chain when its transaction commits.';
