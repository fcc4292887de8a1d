"""A PostgreSQL server of chaos' own, that may be stopped, killed and filled up."""

from __future__ import annotations

import os
import signal
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from rowcast.chaos.waiting import wait_until
from rowcast.stack import postgres
from rowcast.stack.temporary import temporary_stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rowcast.stack.stack import Stack

    Connection = psycopg.Connection[tuple[Any, ...]]

MAX_CONNECTIONS = 60


@dataclass(frozen=True, slots=True)
class Server:
    """The server of a temporary stack, with nothing else on it."""

    stack: Stack

    def url(self, database: str, role: str = "postgres", port: int | None = None) -> str:
        """For role postgres or rowcast_service; `port` that of a proxy."""
        state = self.stack.state
        password = state.service_password if role == "rowcast_service" else state.database_password
        address = f"127.0.0.1:{port or state.ports.postgres}"
        return f"postgresql://{role}:{password}@{address}/{database}"

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.stack.state.ports.postgres

    def admin(self, database: str = "template1") -> Connection:
        """An autocommit session as superuser."""
        return postgres.connect(self.url(database, postgres.SUPERUSER))

    @contextmanager
    def database(self) -> Iterator[str]:
        """The name of a fresh database, dropped at the end."""
        name = f"chaos_{uuid.uuid4().hex[:12]}"
        with self.admin() as connection:
            connection.execute(
                sql.SQL("create database {} template postgres owner postgres").format(
                    sql.Identifier(name)
                )
            )
        try:
            yield name
        finally:
            with self.admin() as connection:
                connection.execute(
                    sql.SQL("drop database {} with (force)").format(sql.Identifier(name))
                )

    def crash(self) -> None:
        """As `pg_ctl stop -m immediate`: no checkpoint, no farewell. The stack starts it again."""
        pid = self._pid()
        os.kill(pid, signal.SIGQUIT)
        wait_until(lambda: self._pid() not in (0, pid), 30, "PostgreSQL runs again")
        self._wait()

    def stop(self) -> None:
        """Stop it in order."""
        self.stack.supervisor.stop({"postgres"}, time_limit=30)

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        self.stack.supervisor.start("postgres")
        self._wait()

    def _pid(self) -> int:
        return next(p.pid for p in self.stack.supervisor.processes() if p.name == "postgres")

    def _wait(self) -> None:
        url = self.url("template1", postgres.SUPERUSER)
        wait_until(lambda: postgres.accepts_connections(url), 60, "PostgreSQL takes connections")


@contextmanager
def temporary_server() -> Iterator[Server]:
    """A stack of which only PostgreSQL is left running, with few connections to give."""
    with temporary_stack(service=False) as stack:
        supervisor = stack.supervisor
        supervisor.stop({p.name for p in supervisor.processes()} - {"postgres"}, time_limit=30)
        server = Server(stack)
        with server.admin() as connection:
            connection.execute(f"alter system set max_connections = {MAX_CONNECTIONS}")
        server.stop()
        server.start()
        yield server
