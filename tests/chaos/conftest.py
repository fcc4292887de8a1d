"""A server of chaos' own, a database with its books open, and services to come to grief."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from rowcast.chaos import inside, ledger
from rowcast.chaos.server import Server, temporary_server
from rowcast.chaos.services import Fleet
from rowcast.chaos.waiting import wait_until
from rowcast.chaos.writers import Writer, acknowledged
from rowcast.stack import install
from tests.conftest import PROVIDER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LEASE = 0.5


@dataclass(frozen=True, slots=True)
class Site:
    """One database with the ledger, and the services on it."""

    server: Server
    database: str
    fleet: Fleet

    @property
    def url(self) -> str:
        """For role postgres."""
        return self.server.url(self.database)

    def execute(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run one statement in a transaction of its own."""
        with psycopg.connect(self.url) as connection:
            cursor = connection.execute(query.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []

    def insert(self, first: int, last: int, hold: str | None = None) -> None:
        """Rows of these keys, whose model waits for the gate `hold` if it is given."""
        self.execute(
            "insert into public.items (id, x, hold) select i, i, %s"
            " from generate_series(%s::bigint, %s::bigint) as i",
            hold, first, last,
        )  # fmt: skip

    def edit(self, row: int) -> None:
        """Another input, that the model answers at once."""
        self.execute("update public.items set x = x + 1000, hold = null where id = %s", row)

    def answered(self, first: int, last: int) -> bool:
        """Whether each of these rows shows the answer to what it holds now."""
        return self.execute(
            "select count(*) = %s from public.items"
            " where id between %s and %s and scored_version = version",
            last - first + 1, first, last,
        ) == [(True,)]  # fmt: skip

    def wait_answered(self, first: int, last: int, seconds: float = 10) -> float:
        """Wait until they do; the seconds it took."""
        what = f"rows {first} to {last} are answered"
        return wait_until(lambda: self.answered(first, last), seconds, what)

    def answers(self) -> int:
        """Receipts of answers so far."""
        return int(
            self.execute("select count(*) from public.predictions where status = 'done'")[0][0]
        )

    def more_answers(self, count: int, seconds: float = 15) -> float:
        """Wait for so many more answers than there are; the seconds it took."""
        goal = self.answers() + count
        return wait_until(lambda: self.answers() >= goal, seconds, f"{count} more answers")

    def receipts(self, row: int) -> list[str]:
        """Statuses of a row's receipts, oldest first."""
        query = "select status from public.predictions where row_key = %s order by id"
        return [status for (status,) in self.execute(query, str(row))]

    def weaken(self, guard: str) -> None:
        """Take a guard out of the pipeline."""
        with psycopg.connect(self.url) as connection:
            inside.weaken(connection, inside.GUARDS[guard])

    def balance(self, writers: list[Writer] | None = None) -> ledger.Balance:
        """Let the services finish what is owed and stop them; then how the books stand."""
        ledger.wait_settled(self.url, 30)
        for service in self.fleet.services:
            if service.process.is_alive():
                service.stop()
        return ledger.balance(self.url, acknowledged(writers or []))

    def check(self, writers: list[Writer] | None = None) -> ledger.Balance:
        """The same; the books balance, and there is something in them."""
        found = self.balance(writers)
        assert found.violations == []
        assert found.fates["answered"] > 0
        return found


def say(text: str) -> None:
    """A figure for whoever watches (pytest -s)."""
    sys.stdout.write(f"  {text}\n")


@pytest.fixture(scope="session")
def chaos_server() -> Iterator[Server]:
    """PostgreSQL, to be stopped, killed and filled up at will."""
    if PROVIDER != "embedded":
        pytest.skip("needs the embedded stack (ROWCAST_TEST_DB=embedded)")
    install.ensure(print)
    with temporary_server() as server:
        yield server


@pytest.fixture
def site(chaos_server: Server, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    """A fresh database with the books open; services are started by the test.

    The model is `chaos`, unless the test asks for `limited` by its parameter.
    """
    model = getattr(request, "param", "chaos")
    with chaos_server.database() as name:
        ledger.open_books(chaos_server.url(name), model, LEASE)
        with Fleet(chaos_server.url(name, "rowcast_service"), tmp_path) as fleet:
            yield Site(chaos_server, name, fleet)
