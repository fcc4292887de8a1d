"""The books: what was written, what was answered, and the one query that compares them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import psycopg

from rowcast.chaos import inside
from rowcast.chaos.waiting import wait_until

if TYPE_CHECKING:
    Connection = psycopg.Connection[tuple[Any, ...]]


_TOLD = 3  # violations whose row's history is told


@dataclass(frozen=True, slots=True)
class Balance:
    """How the books stand: violations in words, and how many versions met each fate."""

    violations: list[str]
    fates: dict[str, int]
    called_off: int

    @property
    def versions(self) -> int:
        """Every (row, input version) that was written."""
        return sum(self.fates.values())


def open_books(
    url: str, model: str = "chaos", lease_seconds: float = 0.5, max_attempts: int = 20
) -> None:
    """Make the table `public.items`, attach its prediction and open the ledger, all empty.

    A kill costs an attempt, so there are enough of them for a storm.
    """
    with psycopg.connect(url) as connection:
        connection.execute("create schema ledger")
        connection.execute(inside.QUEUE.encode())
        connection.execute(
            "insert into ml.models"
            " (name, batch_size, timeout_ms, lease_seconds, max_attempts, backoff_seconds)"
            " values (%s, 32, 20000, %s, %s, 0)",
            [model, lease_seconds, max_attempts],
        )
        connection.execute("select set_config('ledger.model', %s, true)", [model])
        connection.execute(files(__package__).joinpath("ledger.sql").read_bytes())


def owed(connection: Connection) -> int:
    """How many jobs are left."""
    row = connection.execute("select count(*) from ledger.queue").fetchone()
    assert row is not None
    return int(row[0])


def wait_settled(url: str, seconds: float = 30) -> None:
    """Wait until nothing is owed any more."""
    with psycopg.connect(url, autocommit=True) as connection:
        wait_until(lambda: owed(connection) == 0, seconds, "the queue is empty")


def balance(url: str, acknowledged: Collection[int] = ()) -> Balance:
    """Check the books; `acknowledged` are versions whose writers were told that they are safe."""
    with psycopg.connect(url) as connection:
        found: list[str] = []
        for rule, row_key, version, detail in connection.execute(
            "select * from ledger.violations order by rule, row_key, version"
        ).fetchall():
            text = f"{rule}: row {row_key}, version {version} {detail or ''}".rstrip()
            if row_key is not None and len(found) < _TOLD:
                text += history(connection, row_key, version)
            found.append(text)
        found += [
            f"an acknowledged write is gone: version {version}"
            for (version,) in connection.execute(
                "select v from unnest(%s::bigint[]) as v"
                " except select e.version from ledger.entries as e",
                [list(acknowledged)],
            )
        ]
        fates: dict[str, int] = dict(
            connection.execute(
                "select fate, count(*)::integer from ledger.fates group by 1"
            ).fetchall()
        )
        row = connection.execute(
            "select count(*) from public.predictions where status = 'superseded'"
        ).fetchone()
    return Balance(found, fates, row[0] if row else 0)


def history(connection: Connection, row_key: int, version: int | None) -> str:
    """What happened to a row since a second before this version was written, a line each."""
    lines = connection.execute(
        """
        select h.at, h.what from ledger.history as h
        where h.row_key = %(row_key)s and h.at > coalesce((
          select min(e.entered_at) - interval '1 second' from ledger.entries as e
          where e.row_key = %(row_key)s and e.version = %(version)s
        ), '-infinity')
        order by h.at
        limit 25
        """,
        {"row_key": row_key, "version": version},
    ).fetchall()
    return "".join(f"\n    {at:%H:%M:%S.%f} {what}" for at, what in lines)
