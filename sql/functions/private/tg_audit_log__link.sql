-- Definer: fires at the commit, under the role of whoever wrote.
-- Deferred to the commit, where a transaction holds all the row locks that it will ever hold: it waits for the chain while nobody who
-- holds the chain waits for it. Entries carry the time of their transaction, so that it is one chain for each transaction, never two.
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
  v_position bigint;
  v_hash bytea;
begin
  -- The first number is of no meaning but its own: the audit log's.
  perform pg_advisory_xact_lock(1096107092, (v_month - date '2000-01-01'));
  select l.position, l.hash into v_position, v_hash
  from private.audit_links as l
  where l.month = v_month
  order by l.position desc
  limit 1;
  insert into private.audit_links (month, position, entry_id, digest, hash)
  values (
    v_month, coalesce(v_position, 0) + 1, new.id, v_digest, private.audit_hash(
      coalesce(v_hash, private.audit_genesis(v_month)), v_digest, new.id, new.created_at, new.actor_role, new.action, new.table_name
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
