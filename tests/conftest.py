"""Shared fixtures. The database comes from one of three providers, named by ROWCAST_TEST_DB:

- `embedded` (default): the stack of this checkout, ephemeral, on free ports;
- `container`: a supabase/postgres container, where a Docker engine runs;
- a postgres:// URL of a database that may be migrated and cloned (never one with real data).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql

from rowcast.stack import bootstrap, install
from rowcast.stack.temporary import temporary_stack
from tests.urls import as_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rowcast.stack.stack import Stack

Connection = psycopg.Connection[tuple[Any, ...]]

PROVIDER = os.environ.get("ROWCAST_TEST_DB", "embedded")
TEMPLATE = "rowcast_template"
CONTAINER_IMAGE = "supabase/postgres:17.4.1.075"


@dataclass(frozen=True, slots=True)
class Server:
    """A migrated template database, and whoever may clone it."""

    admin_url: str
    url: str

    def of(self, database: str) -> str:
        """The URL of another database on this server, for role postgres."""
        return as_url(psycopg.conninfo.make_conninfo(self.url, dbname=database))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, as the service does."""
    return "asyncio"


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The whole embedded stack with its service; beside it, a template of its fresh database."""
    if PROVIDER != "embedded":
        pytest.skip("needs the embedded stack (ROWCAST_TEST_DB=embedded)")
    install.ensure(print)
    with temporary_stack() as running:
        admin_url = running.status().admin_db_url
        with psycopg.connect(admin_url, autocommit=True) as connection:
            # It need not survive a power cut, and databases are made and dropped by the dozen.
            connection.execute("alter system set fsync = off")
            connection.execute("select pg_reload_conf()")
        clone_database(admin_url, "postgres", TEMPLATE)
        with psycopg.connect(admin_url, dbname=TEMPLATE) as connection:
            # The service was running already, and its database is not this one.
            connection.execute("delete from ml.workers")
            connection.execute("delete from ml.queue_state")
        running.wait_until_ready()
        yield running


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """The database server of the chosen provider."""
    if PROVIDER == "embedded":
        status = request.getfixturevalue("stack").status()
        yield Server(status.admin_db_url, status.db_url)
        return
    install.ensure(print)
    if PROVIDER == "container":
        with _container() as found:
            yield _migrated(found)
    else:
        yield _migrated(Server(PROVIDER, PROVIDER))
        drop_database(PROVIDER, TEMPLATE)


@pytest.fixture(scope="session")
def database_template(server: Server) -> str:
    """URL of a database with every migration applied; tests read it or clone it."""
    return server.of(TEMPLATE)


@pytest.fixture
def db(database_template: str) -> Iterator[Connection]:
    """A connection as role postgres whose changes are rolled back."""
    with psycopg.connect(database_template) as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def fresh_db(server: Server) -> Iterator[str]:
    """URL of a database of the test's own, for commits by several connections."""
    name = f"test_{uuid.uuid4().hex}"
    clone_database(server.admin_url, TEMPLATE, name)
    try:
        yield server.of(name)
    finally:
        drop_database(server.admin_url, name)


def clone_database(admin_url: str, source: str, target: str) -> None:
    """Copy a database; sessions in the source are ended, since a copy needs it to be quiet."""
    old, new = sql.Identifier(source), sql.Identifier(target)
    with _maintenance(admin_url) as connection:
        connection.execute(sql.SQL("alter database {} allow_connections false").format(old))
        try:
            connection.execute(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = %s",
                [source],
            )
            connection.execute(
                sql.SQL("create database {} template {} strategy wal_log").format(new, old)
            )
        finally:
            connection.execute(sql.SQL("alter database {} allow_connections true").format(old))
        connection.execute(sql.SQL("alter database {} owner to postgres").format(new))


def drop_database(admin_url: str, name: str) -> None:
    """Remove a database, ending the sessions in it."""
    with _maintenance(admin_url) as connection:
        connection.execute(
            sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
        )


def _maintenance(admin_url: str) -> Connection:
    """A session outside the databases that are cloned."""
    return psycopg.connect(admin_url, dbname="template1", autocommit=True)


def _migrated(server: Server) -> Server:
    """Apply the migrations to a server that is not ours, and make its template."""
    bootstrap.push(server.url, Path(os.devnull))
    source = str(psycopg.conninfo.conninfo_to_dict(server.url)["dbname"])
    drop_database(server.admin_url, TEMPLATE)  # of a run that was killed
    clone_database(server.admin_url, source, TEMPLATE)
    return server


@contextmanager
def _container() -> Iterator[Server]:
    if shutil.which("docker") is None or _docker_is_away():
        pytest.skip("needs a Docker engine")
    from testcontainers.postgres import PostgresContainer

    with PostgresContainer(
        CONTAINER_IMAGE, username="supabase_admin", password="postgres", dbname="postgres"
    ) as container:
        url = container.get_connection_url(driver=None)
        _stand_in_for_realtime(url)
        yield Server(url, url.replace("supabase_admin:", "postgres:", 1))


def _stand_in_for_realtime(admin_url: str) -> None:
    """The image holds the database alone; realtime.messages is made by the Realtime server."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        if connection.execute("select to_regclass('realtime.messages')").fetchone() == (None,):
            for file in sorted((bootstrap.PLATFORM / "before_auth").glob("*_realtime*.sql")):
                connection.execute(file.read_bytes())


def _docker_is_away() -> bool:
    command = ["docker", "info"]
    return subprocess.run(command, capture_output=True, check=False).returncode != 0
