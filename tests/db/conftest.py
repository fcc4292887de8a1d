"""Fixtures for tests that talk to the database."""

from __future__ import annotations

import os
import secrets
import uuid
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql

from tests.conftest import TEMPLATE, clone_database
from tests.db.pipeline import ETA, Worker
from tests.personas import make_user

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from rowcast.stack.stack import Stack
    from tests.conftest import Server

Connection = psycopg.Connection[tuple[Any, ...]]

_EMPTY = (
    "alter table public.user_roles disable trigger user",  # the last admin would stay
    "delete from auth.users",
    "alter table public.user_roles enable trigger user",
    "delete from ml.jobs",
    "delete from ml.leases",
    "delete from ml.retries",
    "delete from ml.budgets",
    "delete from ml.usage",
    "delete from ml.queue_state",
    "delete from ml.dead_letters",
    "delete from ml.backfills",
    "delete from ml.workers",
    "delete from ml.webhook_deliveries",
    "delete from public.predictions",
    "delete from realtime.messages",
    "update ml.attachments set paused_at = null",
    "update ml.models set breaker_until = null, max_attempts = default, backoff_seconds = default",
)


@pytest.fixture
def rider(db: Connection) -> UUID:
    """A signed-up person."""
    return make_user(db)


@pytest.fixture
def other(db: Connection) -> UUID:
    """Somebody else."""
    return make_user(db)


@pytest.fixture
def worker(db: Connection) -> Worker:
    """A replica that serves the ETA model."""
    return Worker(db, ETA)


@pytest.fixture
def notes(db: Connection) -> Connection:
    """A second attached table, whose model is `echo`."""
    db.execute("""
        create table public.notes (id int primary key, body text, answer jsonb);
        create function private.apply_notes(text[], jsonb[], text) returns void language sql as $$
          update public.notes as n set answer = o.output
          from unnest($1, $2) as o (row_key, output) where n.id = o.row_key::int
        $$;
        select ml.attach('notes', 'public.notes', 'echo', 'jsonb_build_object(''body'', t.body)',
          array['body'], 'private.apply_notes');
    """)
    return db


@pytest.fixture(scope="session")
def playground(server: Server) -> Iterator[str]:
    """URL of one database for all tests that commit; `connect` empties it after each."""
    name = f"test_{uuid.uuid4().hex}"
    clone_database(server.admin_url, TEMPLATE, name)
    yield server.of(name)
    with psycopg.connect(server.admin_url, dbname="template1", autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def connect(playground: str) -> Iterator[Callable[[], Connection]]:
    """Opens sessions of role postgres that commit by themselves, on rows of the test's own."""
    opened: list[Connection] = []

    def open_one() -> Connection:
        options = "-c lock_timeout=10s"  # a test that would hang fails instead
        opened.append(psycopg.connect(playground, autocommit=True, options=options))
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.close()
    with psycopg.connect(playground) as connection:
        for statement in _EMPTY:
            connection.execute(statement)


@pytest.fixture
def service_url(server: Server, request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Turns a database's URL into the service's own login there."""
    if os.environ.get("ROWCAST_TEST_DB", "embedded") == "embedded":
        stack: Stack = request.getfixturevalue("stack")
        password = stack.state.service_password
    else:  # a server that runs no service: the role may get a password of this run
        password = secrets.token_hex(16)
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(
                sql.SQL("alter role rowcast_service login password {}").format(password)
            )

    def of(url: str) -> str:
        return psycopg.conninfo.make_conninfo(url, user="rowcast_service", password=password)

    return of
