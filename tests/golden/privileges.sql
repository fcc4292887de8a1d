-- One line for each right that somebody other than the owner has on our schemas, and what new objects will get.
with ours as (
  select n.oid from pg_namespace as n where n.nspname in ('public', 'ml', 'private', 'gate')
),
rights as (
  select 'schema' as kind, n.nspname::text as object, n.nspowner as owner, a.*
  from pg_namespace as n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) as a
  where n.oid in (select oid from ours)
  union all
  select case c.relkind when 'S' then 'sequence' else 'table' end, c.oid::regclass::text, c.relowner, a.*
  from pg_class as c, aclexplode(c.relacl) as a
  where c.relnamespace in (select oid from ours)
  union all
  select 'column', format('%s.%I', t.attrelid::regclass, t.attname), c.relowner, a.*
  from pg_attribute as t
  join pg_class as c on c.oid = t.attrelid, aclexplode(t.attacl) as a
  where c.relnamespace in (select oid from ours)
  union all
  select 'function', p.oid::regprocedure::text, p.proowner, a.*
  from pg_proc as p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as a
  where p.pronamespace in (select oid from ours)
  union all
  select 'type', t.oid::regtype::text, t.typowner, a.*
  from pg_type as t, aclexplode(coalesce(t.typacl, acldefault('T', t.typowner))) as a
  where t.typnamespace in (select oid from ours)
    and t.typelem = 0 and not exists (select from pg_class as c where c.oid = t.typrelid and c.relkind <> 'c')
  union all
  select
    'new object',
    format('%s of %s%s', case d.defaclobjtype
      when 'r' then 'table' when 'S' then 'sequence' when 'f' then 'function' when 'T' then 'type' else 'schema'
    end, d.defaclrole::regrole, case when d.defaclnamespace <> 0 then ' in ' || d.defaclnamespace::regnamespace end),
    d.defaclrole, a.*
  from pg_default_acl as d, aclexplode(d.defaclacl) as a
  where d.defaclnamespace = 0 or d.defaclnamespace in (select oid from ours)
)
select format(
  '%s %s: %s %s%s', kind, object, case when grantee = 0 then 'PUBLIC' else grantee::regrole::text end,
  string_agg(lower(privilege_type), ', ' order by privilege_type),
  case when bool_or(is_grantable) then ' (may grant)' end
)
from rights
where grantee <> owner
group by kind, object, grantee
union all
select format(
  'role %s: %s', r.rolname, concat_ws(
    ', ', case when r.rolsuper then 'superuser' end, case when r.rolbypassrls then 'bypasses row security' end,
    case when r.rolinherit then 'inherits' else 'does not inherit' end,
    'at most ' || nullif(r.rolconnlimit, -1) || ' connections', array_to_string(s.setconfig, ', ')
  )
)
from pg_roles as r
left join pg_db_role_setting as s on s.setrole = r.oid and s.setdatabase = 0
where r.rolname = 'rowcast_service'
order by 1
