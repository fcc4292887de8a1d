"""`./rowcast role`: the first admin, and whoever else an operator gives a role."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from typer.testing import CliRunner, Result

from rowcast.cli import app
from rowcast.errors import RowcastError
from tests.personas import make_user

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Connection = psycopg.Connection[tuple[Any, ...]]
    Role = Callable[..., Result]


@pytest.fixture
def conn(fresh_db: str) -> Iterator[Connection]:
    """A database of the test's own, in which nobody holds a role."""
    with psycopg.connect(fresh_db, autocommit=True) as connection:
        yield connection


@pytest.fixture
def role(fresh_db: str) -> Role:
    """Runs `role` with these arguments."""

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["role", *arguments, "--db-url", fresh_db])

    return run


def refusal(done: Result) -> str:
    assert isinstance(done.exception, RowcastError), done.output
    return f"{done.exception.message} {done.exception.hint}"


def test_the_first_admin_is_made_by_address_and_stays(conn: Connection, role: Role) -> None:
    boss = make_user(conn, "boss@example.com")
    assert role("boss@example.com").stdout == "boss@example.com  no role\n"
    assert role("Boss@Example.com", "admin").stdout == "Boss@Example.com  admin\n"
    assert role(str(boss)).stdout == f"{boss}  admin\n"
    assert "last admin" in refusal(role("boss@example.com", "admin", "--take"))
    entry = conn.execute(
        "select actor_role, actor_id, subject_id from private.audit_log"
        " where table_name = 'public.user_roles'"
    ).fetchall()
    assert entry == [("postgres", None, boss)]


def test_a_role_ends_when_it_is_told_to_or_is_taken(conn: Connection, role: Role) -> None:
    make_user(conn, "ann@example.com")
    done = role("ann@example.com", "support", "--until", "2035-01-31T12:00:00")
    assert done.stdout == "ann@example.com  support until 2035-01-31 12:00 UTC\n"
    assert role("ann@example.com", "support", "--take").stdout == "ann@example.com  no role\n"
    assert "in the future" in refusal(role("ann@example.com", "support", "--until", "2020-01-01"))


def test_what_is_not_there_is_named(conn: Connection, role: Role) -> None:
    make_user(conn, "ann@example.com")
    assert "nobody has the address or id bob" in refusal(role("bob", "admin"))
    assert "there are admin, support" in refusal(role("ann@example.com", "king"))
    assert "which role?" in refusal(role("ann@example.com", "--take"))
