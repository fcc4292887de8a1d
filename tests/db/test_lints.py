"""Rules that the catalogue can check: each finds nothing, and finds what breaks it."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tests.db.pipeline import Connection, column

OURS = "('public', 'ml', 'private')"
ROLES = "array['anon', 'authenticated', 'service_role', 'rowcast_service', 'authenticator']"

# Definers that clients may call and that ask for nobody's rights, with the reason.
OPEN_DEFINERS = {
    "private.health_report": "tells no row and no name",
    "private.health_db": "tells no row and no name; strangers get the verdict alone",
    "private.health_queue": "tells no row and no name; strangers get the verdict alone",
    "private.flag": "what is on is no secret",
    "private.feature_flags": "what is on is no secret; leaves out who switched it",
}


class Lint(NamedTuple):
    """A query for the names of what breaks a rule, and a statement that does, by name."""

    query: str
    breaks: str
    found: str


TABLE = """
create table public.broken (id uuid primary key, owner_id uuid);
alter table public.broken enable row level security;
"""

# What is left of a policy's condition without the subqueries that ask no table: these run once.
PER_ROW = r"""
select format('%s: %s', c.oid::regclass, p.polname) as policy, regexp_replace(
  coalesce(pg_get_expr(p.polqual, p.polrelid), '') || ' '
  || coalesce(pg_get_expr(p.polwithcheck, p.polrelid), ''),
  '\( SELECT (?:(?!SELECT|FROM).)*? AS \w+\)', '', 'g'
) as condition
from pg_policy as p join pg_class as c on c.oid = p.polrelid
"""

LINTS = {
    "a definer is in no exposed schema": Lint(
        "select p.oid::regproc::text from pg_proc as p where p.prosecdef"
        " and p.pronamespace = 'public'::regnamespace",
        "create function public.broken() returns int security definer language sql as 'select 1'",
        "public.broken",
    ),
    "a definer pins its search path": Lint(
        "select p.oid::regproc::text from pg_proc as p where p.prosecdef"
        f" and p.pronamespace::regnamespace::text in {OURS}"
        " and not coalesce(p.proconfig, '{}') @> array['search_path=\"\"']",
        "create function private.broken() returns int security definer language sql as 'select 1'",
        "private.broken",
    ),
    "a definer that clients may call checks its caller": Lint(
        "select p.oid::regproc::text from pg_proc as p where p.prosecdef"
        f" and p.pronamespace::regnamespace::text in {OURS}"
        " and (has_function_privilege('anon', p.oid, 'execute')"
        " or has_function_privilege('authenticated', p.oid, 'execute'))"
        " and pg_get_functiondef(p.oid)"
        r" !~ 'auth\.(uid|jwt)\(\)|private\.(require_|is_service)'",
        "create function private.broken() returns int security definer language sql as 'select 1';"
        " grant execute on function private.broken() to authenticated",
        "private.broken",
    ),
    "a view shows what its reader may see": Lint(
        "select c.oid::regclass::text from pg_class as c where c.relkind = 'v'"
        f" and c.relnamespace::regnamespace::text in {OURS}"
        " and not coalesce(c.reloptions, '{}')"
        " && array['security_invoker=true', 'security_invoker=on']",
        "create view public.broken as select 1 as one",
        "public.broken",
    ),
    "nothing without row-level security is exposed": Lint(
        "select c.oid::regclass::text from pg_class as c"
        " where c.relnamespace = 'public'::regnamespace and (c.relkind in ('m', 'f')"
        " or c.relkind in ('r', 'p') and not c.relrowsecurity)",
        "create materialized view public.broken as select 1 as one",
        "public.broken",
    ),
    "a policy asks who is calling once a query": Lint(
        rf"select policy from ({PER_ROW}) as p where condition ~ '(auth|private|realtime)\.\w+\('"
        r" or condition ~ 'current_setting\('",
        TABLE + "create policy broken on public.broken for select to authenticated"
        " using (owner_id = auth.uid() or (select auth.role()) = 'x')",
        "public.broken: broken",
    ),
    "a policy looks no row up for each row": Lint(
        f"select policy from ({PER_ROW}) as p where condition ~ 'SELECT'",
        TABLE + "create policy broken on public.broken for select to authenticated using"
        " (exists (select from public.profiles as p where p.id = owner_id))",
        "public.broken: broken",
    ),
    "a policy's column leads an index": Lint(
        "select format('%s.%s', d.refobjid::regclass, a.attname) from pg_depend as d"
        " join pg_policy as p on p.oid = d.objid and p.polrelid = d.refobjid"
        " join pg_attribute as a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid"
        " join pg_class as c on c.oid = p.polrelid"
        " where d.classid = 'pg_policy'::regclass and d.refclassid = 'pg_class'::regclass"
        f" and d.refobjsubid > 0 and c.relnamespace::regnamespace::text in {OURS} and not exists ("
        " select from pg_index as i where i.indrelid = a.attrelid and i.indkey[0] = a.attnum)",
        TABLE + "create policy broken on public.broken for select to authenticated"
        " using (owner_id = (select auth.uid()))",
        "public.broken.owner_id",
    ),
    "a policy believes nothing that people write of themselves": Lint(
        "select format('%s.%s: %s', schemaname, tablename, policyname) from pg_policies"
        " where concat(qual, with_check) ~ 'user_meta'",
        TABLE + "create policy broken on public.broken for select to authenticated"
        " using ((select auth.jwt() -> 'user_metadata' ->> 'role') = 'admin')",
        "public.broken: broken",
    ),
    "a policy is permissive, for one command, to roles by name, with the clauses it needs": Lint(
        "select format('%s.%s: %s', schemaname, tablename, policyname) from pg_policies"
        " where permissive <> 'PERMISSIVE' or cmd = 'ALL' or 'public' = any (roles)"
        " or (with_check is not null) <> (cmd in ('INSERT', 'UPDATE'))",
        TABLE + "create policy broken on public.broken for update to authenticated using (true)",
        "public.broken: broken",
    ),
    "one policy for a table, command and role": Lint(
        "select format('%s.%s: %s to %s', schemaname, tablename, cmd, role)"
        " from pg_policies cross join unnest(roles) as role"
        " group by schemaname, tablename, cmd, role having count(*) > 1",
        TABLE + "create policy a on public.broken for select to authenticated using (false);"
        " create policy b on public.broken for select to authenticated, anon using (true)",
        "public.broken: SELECT to authenticated",
    ),
    "no role of a client makes anything": Lint(
        f"select format('%s in %s', role, n.nspname) from unnest({ROLES}) as role"
        " cross join pg_namespace as n where n.nspname !~ '^pg_(temp|toast_temp)_'"
        " and has_schema_privilege(role, n.oid, 'create')",
        "grant create on schema private to service_role",
        "service_role in private",
    ),
    "no role of a client owns anything": Lint(
        "select format('%s: %s', d.refobjid::regrole, pg_describe_object(d.classid, d.objid, 0))"
        " from pg_shdepend as d where d.deptype = 'o' and d.refclassid = 'pg_authid'::regclass"
        " and d.dbid = (select oid from pg_database where datname = current_database())"
        f" and d.refobjid::regrole::text = any ({ROLES})",
        "grant create on schema private to service_role;"
        "create table private.broken (); alter table private.broken owner to service_role",
        "service_role: table private.broken",
    ),
    "no role of a client is a member of another": Lint(
        "select format('%s in %s', m.member::regrole, m.roleid::regrole) from pg_auth_members as m"
        f" where m.member::regrole::text = any ({ROLES})"
        " and m.member <> 'authenticator'::regrole",
        "grant rowcast_service to anon",
        "anon in rowcast_service",
    ),
    "no extension's function is exposed": Lint(
        "select p.oid::regproc::text from pg_proc as p join pg_depend as d"
        " on d.objid = p.oid and d.classid = 'pg_proc'::regclass and d.deptype = 'e'"
        " where p.pronamespace = 'public'::regnamespace",
        "create extension if not exists citext schema public",
        "public.citextin",
    ),
    "nothing in our schemas is PUBLIC's": Lint(
        "select o.oid::regprocedure::text from pg_proc as o,"
        " aclexplode(coalesce(o.proacl, acldefault('f', o.proowner))) as a"
        f" where o.pronamespace::regnamespace::text in {OURS} and a.grantee = 0 union all"
        " select o.oid::regclass::text from pg_class as o, aclexplode(o.relacl) as a"
        f" where o.relnamespace::regnamespace::text in {OURS} and a.grantee = 0",
        "grant execute on function public.me() to public",
        "public.me()",
    ),
    "no grant repeats another": Lint(
        "select format('%s.%s: %s to %s', c.oid::regclass, t.attname, a.privilege_type,"
        " a.grantee::regrole) from pg_attribute as t join pg_class as c on c.oid = t.attrelid,"
        " aclexplode(t.attacl) as a, aclexplode(c.relacl) as b"
        f" where c.relnamespace::regnamespace::text in {OURS}"
        " and (a.grantee, a.privilege_type) = (b.grantee, b.privilege_type)",
        "grant select (id) on public.profiles to authenticated",
        "public.profiles.id: SELECT to authenticated",
    ),
    "no client hands a right on": Lint(
        "select c.oid::regclass::text from pg_class as c, aclexplode(c.relacl) as a"
        f" where c.relnamespace::regnamespace::text in {OURS} and a.is_grantable"
        " and a.grantee <> c.relowner",
        "grant select on public.profiles to authenticated with grant option",
        "public.profiles",
    ),
}

ACCEPTED = {
    "a definer that clients may call checks its caller": OPEN_DEFINERS,
}

each_lint = pytest.mark.parametrize("name", LINTS)


def findings(db: Connection, name: str) -> set[str]:
    """What breaks a rule and is not accepted with a reason."""
    db.execute("set local search_path = ''")
    return set(column(db, LINTS[name].query)) - set(ACCEPTED.get(name, {}))


@each_lint
def test_the_rule_is_kept(db: Connection, name: str) -> None:
    assert findings(db, name) == set()


@each_lint
def test_a_breach_is_found(db: Connection, name: str) -> None:
    db.execute(LINTS[name].breaks.encode(), prepare=False)
    assert LINTS[name].found in findings(db, name)


def test_no_acceptance_is_stale(db: Connection) -> None:
    db.execute("set local search_path = ''")
    for name, accepted in ACCEPTED.items():
        assert set(accepted) <= set(column(db, LINTS[name].query)), name
        assert all(accepted.values()), name


def test_what_is_made_later_is_nobodys(db: Connection) -> None:
    """Default privileges deny, in each schema and for each kind of object."""
    for schema in ("public", "private", "ml"):
        db.execute(f"create table {schema}.later (id int generated always as identity)")
        db.execute(f"create view {schema}.later_view as select 1 as one")
        db.execute(f"create function {schema}.later() returns int language sql as 'select 1'")
        rights = db.execute(
            "select r.role from unnest(%s::text[]) as r (role) where"
            " has_table_privilege(r.role, %s, 'select,insert,update,delete,truncate,trigger')"
            " or has_table_privilege(r.role, %s, 'select')"
            " or has_sequence_privilege(r.role, %s, 'usage,select,update')"
            " or has_function_privilege(r.role, %s, 'execute')",
            [
                ["anon", "authenticated", "service_role", "rowcast_service"],
                *(
                    f"{schema}.{name}"
                    for name in ("later", "later_view", "later_id_seq", "later()")
                ),
            ],
        ).fetchall()
        assert rights == [], schema
