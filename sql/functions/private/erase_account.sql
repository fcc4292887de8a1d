-- Everything Auth holds. Its tables differ between versions, so they are found by their user_id; what has none goes by
-- cascade, and the log has a declaration of its own, which looks for p_needles. The account itself is last.
create or replace function private.erase_account(p_user_id uuid, p_needles text[])
returns bigint
language plpgsql
volatile
security invoker
set search_path = ''
as $$
declare
  v_table regclass;
  v_count bigint;
begin
  for v_table in
    select c.oid
    from pg_catalog.pg_class as c
    join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attname = 'user_id' and not a.attisdropped
    where c.relnamespace = 'auth'::regnamespace and c.relkind in ('r', 'p') and has_table_privilege(c.oid, 'delete')
    order by c.relname
  loop
    execute format('delete from %s as t where t.user_id::text = $1', v_table) using p_user_id::text;
  end loop;
  delete from auth.users as u where u.id = p_user_id;
  get diagnostics v_count = row_count;
  return v_count;
end
$$;

comment on function private.erase_account(uuid, text[]) is 'Deletes an account and all that Auth keeps of it: identities, sessions, tokens, factors.';
