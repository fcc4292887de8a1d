"""access.toml against the database: each role, table, verb, column and function."""

from __future__ import annotations

import pytest

from tests.personas import DENIED, as_anon, as_service, as_user, make_user, refused
from tests.rls.people import ACCESS, HERE, ROLES, Connection

SCHEMAS = ["public", "ml", "private", "gate"]


@pytest.fixture
def matrix(db: Connection) -> list[tuple[str, str, str, str | None, bool]]:
    """(role, table, verb, column or None, allowed) for all there is."""
    db.execute((HERE / "matrix.sql").read_bytes(), prepare=False)
    return db.execute("select distinct * from matrix").fetchall()


def compare(granted: set[str], wanted: set[str]) -> None:
    """Name every row in which the database and access.toml differ."""
    lines = [f"granted, but not in access.toml: {row}" for row in sorted(granted - wanted)]
    lines += [f"in access.toml, but not granted: {row}" for row in sorted(wanted - granted)]
    assert not lines, "\n" + "\n".join(lines)


def sentence(role: str, table: str, verb: str, column: str | None) -> str:
    return f"{role} may {verb} {table}" + (f" ({column})" if column else "")


def wanted_rows(columns: dict[str, set[str]]) -> set[str]:
    rows = set()
    for table, roles in ACCESS["tables"].items():
        for role, verbs in roles.items():
            for verb, scope in verbs.items():
                named: list[str | None] = [None]
                if scope is not True:
                    named = [*columns.get(table, {"?"})] if scope == "*" else scope
                rows |= {sentence(role, table, verb, column) for column in named}
    return rows


def test_tables_and_columns(matrix: list[tuple[str, str, str, str | None, bool]]) -> None:
    columns: dict[str, set[str]] = {}
    for _, table, _, column, _ in matrix:
        if column:
            columns.setdefault(table, set()).add(column)
    granted = {sentence(*row[:4]) for row in matrix if row[4]}
    compare(granted, wanted_rows(columns))


def test_the_matrix_tries_every_role_and_table(
    db: Connection, matrix: list[tuple[str, str, str, str | None, bool]]
) -> None:
    tables = {
        name
        for (name,) in db.execute(
            "select regexp_replace(schemaname || '.' || tablename, '_[0-9]{6}$', '_YYYYMM')"
            " from (select schemaname, tablename from pg_tables"
            " union all select schemaname, viewname from pg_views) as t"
            " where schemaname = any (%s)",
            [SCHEMAS],
        )
    }
    assert {"public.profiles", "ml.jobs", "private.pickup_transitions"} < tables
    assert {(row[0], row[1]) for row in matrix} == {(r, t) for r in ROLES for t in tables}


def test_a_grant_too_many_is_noticed(db: Connection) -> None:
    """The matrix itself can fail: one column, one verb, one inherited grant."""
    db.execute((HERE / "matrix.sql").read_bytes(), prepare=False)
    before = set(db.execute("select * from matrix where allowed").fetchall())
    db.execute("""
        grant update (updated_at) on public.profiles to authenticated;
        grant delete on public.prediction_outcomes to public;
        grant usage on schema ml to anon;
        grant select (row_key) on ml.jobs to anon;
    """)
    after = set(db.execute("select * from matrix where allowed").fetchall())
    assert {row[:4] for row in after - before} == {
        ("authenticated", "public.profiles", "update", "updated_at"),
        *((role, "public.prediction_outcomes", "delete", None) for role in ROLES),
        ("anon", "ml.jobs", "select", "row_key"),
    }


def test_functions(db: Connection) -> None:
    db.execute("set local search_path = ''")
    granted = {
        f"{role} may execute {function}"
        for role, function in db.execute(
            "select r.role, p.oid::regprocedure::text"
            " from unnest(%s::text[]) as r (role), pg_catalog.pg_proc as p"
            " where p.pronamespace::regnamespace::text = any (%s)"
            " and has_function_privilege(r.role, p.oid, 'execute')",
            [list(ROLES), SCHEMAS],
        )
    }
    wanted = {
        f"{role} may execute {function}"
        for function, roles in ACCESS["functions"].items()
        for role in roles
    }
    compare(granted, wanted)


def test_schemas(db: Connection) -> None:
    found = db.execute(
        "select r.role, n.nspname, has_schema_privilege(r.role, n.oid, 'create')"
        " from unnest(%s::text[]) as r (role), pg_namespace as n"
        " where n.nspname = any (%s) and has_schema_privilege(r.role, n.oid, 'usage,create')",
        [list(ROLES), SCHEMAS],
    ).fetchall()
    assert not [row for row in found if row[2]], "no role makes objects in our schemas"
    compare(
        {f"{role} may use {schema}" for role, schema, _ in found},
        {
            f"{role} may use {schema}"
            for schema, roles in ACCESS["schemas"].items()
            for role in roles
        },
    )


def test_sequences_and_types_are_nobodys(db: Connection) -> None:
    found = db.execute(
        "select r.role, c.oid::regclass::text from unnest(%s::text[]) as r (role), pg_class as c"
        " where c.relkind = 'S' and c.relnamespace::regnamespace::text = any (%s)"
        " and case when c.relkind = 'S' then"
        " has_sequence_privilege(r.role, c.oid, 'usage,select,update') end",
        [list(ROLES), SCHEMAS],
    ).fetchall()
    assert found == []


def test_every_table_has_row_level_security(db: Connection) -> None:
    found = db.execute(
        "select c.oid::regclass::text from pg_class as c"
        " where c.relkind in ('r', 'p') and not c.relrowsecurity"
        " and c.relnamespace::regnamespace::text = any (%s)",
        [SCHEMAS],
    ).fetchall()
    assert found == []


def test_what_is_made_later_is_shut(db: Connection) -> None:
    """Deny by default: a table or function that forgets its grants is nobody's."""
    db.execute("create table public.later (id int generated always as identity)")
    db.execute("create function public.later_too() returns int language sql as 'select 1'")
    user = make_user(db)
    for persona in (as_anon(db), as_user(db, user), as_service(db)):
        with persona:
            for attack in ("table public.later", "select public.later_too()"):
                with refused(db, DENIED):
                    db.execute(attack)
