-- Every role × table × verb × column of our schemas: one row for each that is allowed. Reads and writes are tried
-- (EXPLAIN checks rights as an execution does), so that schema, table and column grants count together; what
-- cannot be explained is asked of the catalogue, and so are the rights of the Auth server, whose role nobody may take.
grant rowcast_service to current_user; -- until the rollback, so that its role can be taken

create function pg_temp.allowed(p_role text, p_statement text) returns boolean
language plpgsql as $$
declare
  v_allowed boolean := true;
begin
  perform set_config('role', p_role, true); -- outside the block below: a failure here is no refusal
  begin
    execute 'explain ' || p_statement;
  exception
    when insufficient_privilege then v_allowed := false;
    when object_not_in_prerequisite_state then v_allowed := false; -- a view that nobody can write to
  end;
  perform set_config('role', 'none', true);
  return v_allowed;
end
$$;

create temporary view matrix as
with roles (role) as (
  values ('anon'), ('authenticated'), ('service_role'), ('rowcast_service')
),
untaken (role) as (
  values ('supabase_auth_admin')
),
relations as (
  select
    c.oid, format('%I.%I', n.nspname, c.relname) as relation, n.oid as namespace,
    regexp_replace(format('%s.%s', n.nspname, c.relname), '_[0-9]{6}$', '_YYYYMM') as name
  from pg_class as c
  join pg_namespace as n on n.oid = c.relnamespace
  where n.nspname in ('public', 'ml', 'private', 'gate') and c.relkind in ('r', 'p', 'v', 'm', 'f')
),
by_column (verb, statement) as (
  values
  ('select', 'select %2$I from %1$s'),
  ('insert', 'insert into %1$s (%2$I) values (default)'),
  ('update', 'update %1$s set %2$I = default')
),
by_table (verb) as (
  values ('truncate'), ('references'), ('trigger'), ('maintain')
)
select role, name, verb, a.attname::text as column_name,
  pg_temp.allowed(role, format(statement, relation, a.attname)) as allowed
from roles, by_column, relations as r
join pg_attribute as a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
union all
select role, name, 'delete', null, pg_temp.allowed(role, format('delete from %s', relation))
from roles, relations
union all
select role, name, verb, null,
  has_schema_privilege(role, namespace, 'usage') and has_table_privilege(role, oid, verb)
from (table roles union all table untaken) as r, by_table, relations
union all
select role, name, verb, a.attname::text, has_schema_privilege(role, namespace, 'usage') and has_column_privilege(role, oid, attnum, verb)
from untaken, by_column, relations as r
join pg_attribute as a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
union all
select role, name, 'delete', null, has_schema_privilege(role, namespace, 'usage') and has_table_privilege(role, oid, 'delete')
from untaken, relations;
