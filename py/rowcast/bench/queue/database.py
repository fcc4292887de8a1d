"""The server under test: one template database for each system, one clone of it for each cell."""

from __future__ import annotations

import os
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from rowcast.errors import RowcastError
from rowcast.stack import postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rowcast.stack.stack import Stack

Connection = psycopg.Connection[tuple[Any, ...]]

# Commit timestamps say when each score became durable, without a probe that takes part in the race.
_SETTINGS = {"track_commit_timestamp": "on", "shared_buffers": "512MB", "max_wal_size": "4GB"}

ITEMS = """
create table public.items (
  id bigint generated always as identity primary key,
  x double precision not null,
  score double precision,
  note text
)
"""
# Set-based, so that a bulk insert shows the trigger and not the client.
INSERT_ITEMS = "insert into public.items (x) select g * 0.25 from generate_series(1, %s) as g"
WRONG = "select count(*) from public.items where score is distinct from x"


class Wrong(Exception):  # noqa: N818 - what a cell says of itself
    """A cell has no figure: rows are missing or wrong, or it did not end in time."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running cluster with nothing else on it."""

    stack: Stack

    def url(self, database: str, role: str = "postgres") -> str:
        """For role postgres (peers' workers too) or rowcast_service."""
        state = self.stack.state
        password = state.service_password if role == "rowcast_service" else ""
        return state.database_url(role, password, database)

    def admin(self, database: str = "template1") -> Connection:
        """An autocommit session as superuser."""
        return postgres.connect(self.url(database, postgres.SUPERUSER))

    def make_template(self, name: str) -> str:
        """A database with the migrations and an empty `items`; returns its URL."""
        self._clone("postgres", name)
        with postgres.connect(self.url(name)) as connection:
            connection.execute(ITEMS)
        return self.url(name)

    @contextmanager
    def fresh(self, template: str) -> Iterator[str]:
        """The name of a copy of a template, dropped at the end."""
        name = f"cell_{uuid.uuid4().hex[:12]}"
        self._clone(template, name)
        try:
            with self.admin() as connection:
                connection.execute("checkpoint")
            yield name
        finally:
            with self.admin() as connection:
                connection.execute(
                    sql.SQL("drop database {} with (force)").format(sql.Identifier(name))
                )

    def _clone(self, source: str, target: str) -> None:
        old, new = sql.Identifier(source), sql.Identifier(target)
        with self.admin() as connection:
            connection.execute(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = %s",
                [source],
            )
            connection.execute(
                sql.SQL("create database {} template {} strategy wal_log").format(new, old)
            )
            connection.execute(sql.SQL("alter database {} owner to postgres").format(new))


def claim_server(stack: Stack) -> Server:
    """Stop what the stack runs beside PostgreSQL, and restart that with the settings of a race."""
    supervisor = stack.supervisor
    names = {process.name for process in supervisor.processes()}
    supervisor.stop(names - {"postgres"}, time_limit=30)
    server = Server(stack)
    with server.admin() as connection:
        for name, value in _SETTINGS.items():
            connection.execute(
                sql.SQL("alter system set {} = {}").format(sql.Identifier(name), value)
            )
    supervisor.stop({"postgres"}, time_limit=60)
    supervisor.start("postgres")
    deadline = time.monotonic() + 60
    url = server.url("template1", postgres.SUPERUSER)
    while not postgres.accepts_connections(url):
        if time.monotonic() > deadline:
            raise RowcastError("PostgreSQL did not come back after its restart")
        time.sleep(0.05)
    with server.admin() as connection:
        for name in ("fsync", "synchronous_commit"):
            row = connection.execute("select current_setting(%s)", [name]).fetchone()
            assert row == ("on",), f"{name} is off"
    return server


def one(connection: Connection, query: str, *parameters: object) -> Any:
    """The single value of a query."""
    row = connection.execute(query.encode(), parameters or None).fetchone()
    assert row is not None
    return row[0]


def check_scores(connection: Connection, rows: int) -> None:
    """Every row is there and scored exactly right, or `Wrong`."""
    total, wrong = one(connection, "select count(*) from public.items"), one(connection, WRONG)
    if total != rows or wrong:
        raise Wrong(f"{total} of {rows} rows, {wrong} not scored right")


def wait_scored(connection: Connection, rows: int, seconds: float) -> None:
    """Wait until all is scored, watching the last row by its key before counting anything."""
    deadline = time.monotonic() + seconds
    last = one(connection, "select max(id) from public.items")
    pause = 0.02 if rows <= 100_000 else 0.5
    done = "select score is not null from public.items where id = %s"
    while not one(connection, done, last):
        _pause(pause, deadline, connection)
    while one(connection, WRONG):
        _pause(max(pause, 0.05), deadline, connection)
    check_scores(connection, rows)


def _pause(seconds: float, deadline: float, connection: Connection) -> None:
    if time.monotonic() > deadline:
        raise Wrong(f"out of time with {one(connection, WRONG)} rows not scored right")
    time.sleep(seconds)


def cpu_seconds(pids: list[int]) -> float:
    """Processor time that these processes have used so far."""
    ticks = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123 - not a file of ours
            fields = file.read().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
