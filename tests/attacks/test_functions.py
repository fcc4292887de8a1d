"""Fooling the functions: injection, search paths, overloads, a second door."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from rowcast.fuzz.nasty import TEXTS
from tests.attacks.support import calls_with, holds_nothing_of, offered
from tests.personas import DENIED, as_anon, as_user, refused

if TYPE_CHECKING:
    from uuid import UUID

    import httpx

    from rowcast.fuzz.people import Victim
    from tests.conftest import Connection

OURS = "('public', 'private', 'ml')"
INJECTIONS = (
    "'", "''", '"', "\\'; --", "'; select 1/0 --", "' or '1'='1", "') or true --", "$$", "$1", "%s",
    "' union select string_agg(client_key, ',') from public.pickup_requests --",
    "x' || (select string_agg(display_name, ',') from public.profiles) || 'x",
    "%' or words like '%", "\\", "public.profiles", "1; drop table public.profiles",
)  # fmt: skip


def inject(client: httpx.Client, victim: Victim) -> int:
    """Send every injection in every text of every function; the number of calls."""
    _, functions = offered(client)
    calls = 0
    for function in functions:
        for text in INJECTIONS:
            for arguments in calls_with(function, ("text", "json"), text):
                calls += 1
                answer = client.post(function.path, json=arguments)
                holds_nothing_of(victim, answer)
                assert answer.status_code < 500, (function.path, text, answer.text)
                code = str(answer.json().get("code", "")) if answer.status_code >= 400 else ""
                # Class 42: the text was read as SQL. 42501 is a right that is missing.
                assert not code.startswith("42") or code == DENIED, (function.path, text, code)
    return calls


def test_sql_in_every_text_of_every_function(
    attacker: httpx.Client, victim: Victim, unharmed: None
) -> None:
    assert inject(attacker, victim) >= 3 * len(INJECTIONS)


def test_the_injections_find_a_function_that_builds_sql(db: Connection, me: UUID) -> None:
    """So that the injections above are known to work on what is open to them."""
    db.execute("""
        create function public.find(p_text text) returns setof text language plpgsql as $$
        begin return query execute 'select display_name from public.profiles where locale = '''
          || p_text || ''''; end $$;
        grant execute on function public.find(text) to authenticated
    """)
    classes = set()
    for text in INJECTIONS:
        with as_user(db, me):
            try:
                with db.transaction():
                    db.execute("select public.find(%s)", [text]).fetchall()
            except psycopg.Error as error:
                classes.add((error.sqlstate or "")[:2])
    assert "42" in classes


def test_sql_in_filters_and_orders(attacker: httpx.Client, victim: Victim) -> None:
    tables, _ = offered(attacker)
    for table in tables:
        column = table.fields[0].name
        for text in INJECTIONS[::3]:
            for name, value in (
                (column, f"eq.{text}"), ("select", text), ("order", text), ("or", f"({text})"),
                ("limit", text), ("on_conflict", text), ("columns", text), (text, "eq.1"),
            ):  # fmt: skip
                answer = attacker.get(table.path, params={name: value})
                assert answer.status_code < 500, (name, value, answer.text)
                holds_nothing_of(victim, answer)


def definers(db: Connection) -> list[tuple[str, str, list[str] | None]]:
    """Our functions that run with their owner's rights: name, body, settings."""
    return db.execute(
        "select p.oid::regprocedure::text, p.prosrc, p.proconfig from pg_proc as p"
        f" join pg_namespace as n on n.oid = p.pronamespace where n.nspname in {OURS}"
        " and p.prosecdef order by 1"
    ).fetchall()


def pinned(db: Connection) -> list[str]:
    """Definer functions whose search path the caller could choose."""
    return [
        name
        for name, _, settings in definers(db)
        if 'search_path=""' not in (settings or []) and "search_path=" not in (settings or [])
    ]


def test_search_path_of_definer_functions(db: Connection) -> None:
    assert len(definers(db)) >= 10
    assert pinned(db) == []
    name = definers(db)[0][0]
    db.execute(f"alter function {name} reset search_path".encode())
    assert pinned(db) == [name]


def exposed_definers(db: Connection) -> list[str]:
    """Definer functions where the API would call them directly."""
    return [name for name, _, _ in definers(db) if "." not in name or name.startswith("public.")]


def test_calling_a_definer_function_directly(db: Connection) -> None:
    assert exposed_definers(db) == []
    db.execute("alter function public.hello() security definer")
    assert exposed_definers(db) == ["hello()"]


def test_objects_of_the_attacker_in_front_of_ours(db: Connection, me: UUID) -> None:
    """What a caller makes in pg_temp is never what a function means.

    Names of pg_temp come before all others for tables and types, unless the path is pinned.
    """
    with as_user(db, me):
        for name in ("profiles", "users", "pickup_requests", "user_roles", "role_permissions"):
            with db.transaction():
                db.execute(f"create temporary table {name} (like public.user_roles)")
                db.execute(
                    f"insert into pg_temp.{name} (user_id, role, granted_at)"
                    " values (%s, 'admin', now())",
                    [me],
                )
        db.execute("set local search_path = pg_temp, public")
        with refused(db, "PT403", "PERMISSION_DENIED"):
            db.execute("select public.list_users()")
        assert db.execute("select id from public.profiles").fetchall() == [(me,)]


def test_functions_and_operators_of_the_attacker_in_front_of_ours(db: Connection, me: UUID) -> None:
    """Had an attacker a schema of her own, its functions would still not be called by ours."""
    db.execute("create schema evil; grant usage, create on schema evil to authenticated")
    with as_user(db, me):
        db.execute("""
            create function evil.now() returns timestamptz language plpgsql as $$
              begin raise 'hijacked'; end $$;
            create function evil.length(text) returns int language plpgsql as $$
              begin raise 'hijacked'; end $$;
            create function evil.round(double precision) returns double precision
              language plpgsql as $$ begin raise 'hijacked'; end $$;
            create function evil.same(uuid, uuid) returns boolean language plpgsql as $$
              begin raise 'hijacked'; end $$;
            create operator evil.= (leftarg = uuid, rightarg = uuid, function = evil.same);
            set local search_path = evil, pg_catalog, public
        """)
        with pytest.raises(psycopg.errors.RaiseException, match="hijacked"), db.transaction():
            db.execute("select length('x')")  # the trap works
        booked = db.execute(
            "select public.request_pickup(1::float8, 1::float8, 2::float8, 2::float8)"
        )
        assert booked.fetchone() is not None
        db.execute("select public.me()")
        db.execute("select public.my_pickups()")
        db.execute("select * from public.profiles")


@pytest.mark.parametrize("schema", ["public", "private", "ml", "extensions", "auth", "pg_catalog"])
def test_an_overload_in_front_of_ours(db: Connection, me: UUID, schema: str) -> None:
    """One of the same name with likelier types would be called instead: nobody may make it."""
    overload = f"""
        create function {schema}.get_pickup(p_id text) returns text language sql as $$ select '' $$
    """
    for somebody in (as_anon(db), as_user(db, me)):
        with somebody, refused(db, DENIED):
            db.execute(overload.encode())


def overloads(db: Connection) -> list[str]:
    """Names of functions that are there twice in one schema."""
    found = db.execute(
        "select n.nspname || '.' || p.proname from pg_proc as p"
        f" join pg_namespace as n on n.oid = p.pronamespace where n.nspname in {OURS}"
        " group by 1 having count(*) > 1 order by 1"
    )
    return [name for (name,) in found.fetchall()]


def test_no_function_has_an_overload_of_ours(db: Connection) -> None:
    assert overloads(db) == []
    db.execute("create function public.get_pickup(p_id text) returns text language sql return ''")
    assert overloads(db) == ["public.get_pickup"]


def unqualified(db: Connection) -> list[str]:
    """Tables and functions of ours or of the platform's that a definer's body names bare.

    With an empty search path such a name would not be found; with another it would be the
    attacker's to choose.
    """
    names = db.execute(
        "select distinct name from (select c.relname::text as name, c.relnamespace as schema"
        " from pg_class as c where c.relkind in ('r', 'p', 'v') union all"
        " select p.proname::text, p.pronamespace from pg_proc as p) as named"
        " where schema in (select oid from pg_namespace where nspname in"
        " ('public', 'private', 'ml', 'auth', 'extensions', 'realtime', 'vault', 'net', 'cron'))"
        " and not exists (select from pg_proc as p where p.proname = named.name"
        " and p.pronamespace = 'pg_catalog'::regnamespace)"
    ).fetchall()
    called = re.compile(r"(?<![\w.'])(?:from|join|into|update|perform)\s+(\w+)|(?<![\w.'])(\w+)\(")
    ours = {name for (name,) in names}
    found = []
    for function, body, _ in definers(db):
        plain = re.sub(r"--[^\n]*|'[^']*'", "", body)
        aliases = set(re.findall(r"\b(?:as|with|,)\s+(\w+)\b|\b(\w+)\s+as\s+\(", plain))
        aliases = {name for pair in aliases for name in pair}
        for table, call in called.findall(plain):
            name = table or call
            if name in ours - aliases:
                found.append(f"{function}: {name}")
    return found


def test_references_of_definer_functions_are_qualified(db: Connection) -> None:
    assert unqualified(db) == []
    db.execute("""
        create function private.careless() returns void language plpgsql security definer as $$
        begin perform require_user(); delete from profiles; end $$
    """)
    assert unqualified(db) == ["private.careless(): require_user", "private.careless(): profiles"]


@pytest.mark.parametrize("text", [t for t in TEXTS if t.isascii() and "\x00" not in t][:20])
def test_a_nasty_text_comes_back_as_it_was(db: Connection, me: UUID, text: str) -> None:
    """Stored and given back, never read as anything but text."""
    key = text[:100] or "x"
    with as_user(db, me):
        row = db.execute(
            "select (public.request_pickup(1, 1, 2, 2, 'ride', %s)).client_key", [key]
        ).fetchone()
    assert row == (key,)


def test_pg_graphql_is_not_there(db: Connection) -> None:
    """A second door to the same tables, with rules of its own, would have to be guarded too."""
    found: Any = db.execute(
        "select to_regnamespace('graphql_public'), to_regprocedure('graphql.resolve(text)')"
    ).fetchone()
    assert found == (None, None)


def test_asking_through_graphql(attacker: httpx.Client) -> None:
    query = {"query": "{ profilesCollection { edges { node { id } } } }"}
    assert attacker.post("/rpc/graphql", json=query).status_code == 404
    base = str(attacker.base_url).replace("/rest/v1/", "/graphql/v1")
    assert attacker.post(base, json=query).status_code == 404
