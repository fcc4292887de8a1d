"""Drain: a preloaded queue is worked off; also with a long backlog, and under a held snapshot."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from rowcast.bench.queue.database import INSERT_ITEMS, Connection, Wrong, one, wait_scored
from rowcast.bench.queue.systems import BEST, Bench, System, check_settled, warm_up

if TYPE_CHECKING:
    from collections.abc import Iterator

_WAITERS = """
select count(*) from pg_locks
where not granted and database = (select oid from pg_database where datname = current_database())
"""
# A score's commit, by the server's own record; every row's last writer is what scored it.
_SECONDS = """
select extract(epoch from max(pg_xact_commit_timestamp(xmin)) - %s)::float8
from public.items where id > %s
"""


def drain(
    bench: Bench, system: System, jobs: int, batch: int = BEST, processes: int = 1
) -> dict[str, float]:
    """Jobs a second: from the moment the waiting worker may claim, to the last score's commit."""
    with bench.cell(system) as (name, connection):
        connection.execute(INSERT_ITEMS, [jobs])
        seconds = _work_off(bench, system, name, connection, (jobs, jobs), batch, processes)
    return {"jobs/s": jobs / seconds}


def drain_of_table(bench: Bench, system: System, rows: int, jobs: int) -> dict[str, float]:
    """Cost of a job of the newest `jobs` of `rows` rows; the rest was scored without the queue."""
    with bench.cell(system) as (name, connection):
        connection.execute("alter table public.items disable trigger user")
        connection.execute(INSERT_ITEMS, [rows - jobs])
        connection.execute("update public.items set score = x")
        connection.execute("alter table public.items enable trigger user")
        connection.execute(INSERT_ITEMS, [jobs])
        seconds = _work_off(bench, system, name, connection, (rows, jobs), BEST, 1)
    return {"µs a job": 1e6 * seconds / jobs}


def drain_under_snapshot(
    bench: Bench, system: System, batch: int, jobs: int = 10_000, rounds: int = 9
) -> dict[str, float]:
    """Rounds of `jobs` while one idle transaction keeps its snapshot: the first and the last."""
    with (
        bench.cell(system) as (name, connection),
        psycopg.connect(bench.server.url(name)) as idle,
        bench.working(system, name, batch),
    ):
        warm_up(connection)
        rows = one(connection, "select count(*) from public.items")
        idle.execute("set transaction isolation level repeatable read")
        idle.execute("select count(*) from public.items")
        rates = []
        for _ in range(rounds):
            with connection.transaction():
                connection.execute(INSERT_ITEMS, [jobs])
                writer = one(connection, "select pg_current_xact_id()::text")
            started = one(connection, "select pg_xact_commit_timestamp(%s::xid)", writer)
            rows += jobs
            wait_scored(connection, rows, 120)
            rates.append(jobs / one(connection, _SECONDS, started, 0))
        check_settled(system, connection, rows)
    return {
        "first jobs/s": rates[0],
        "last jobs/s": rates[-1],
        "kept %": 100 * rates[-1] / rates[0],
    }


def _work_off(
    bench: Bench, system: System, name: str, connection: Connection,
    rows_and_jobs: tuple[int, int], batch: int, processes: int,
) -> float:  # fmt: skip
    """Seconds that the preloaded jobs take."""
    rows, jobs = rows_and_jobs
    owed = one(connection, system.waiting)
    if owed != jobs:
        raise Wrong(f"the trigger owed {owed} jobs for {jobs} rows")
    with bench.server.admin(name) as admin:
        admin.execute("vacuum analyze")
        admin.execute("checkpoint")
    with (
        bench.server.admin(name) as gate,
        _gate(gate, system),
        bench.working(system, name, batch, processes),
    ):
        _wait_for_claims(gate, processes)
        started = one(gate, "select clock_timestamp()")
        gate.execute("commit")
        wait_scored(connection, rows, 60 + jobs / 200)
        check_settled(system, connection, jobs)
        seconds: float = one(connection, _SECONDS, started, rows - jobs)
    return seconds


@contextmanager
def _gate(connection: Connection, system: System) -> Iterator[None]:
    """Reads of the queue pass; a claim, which locks rows, waits until the worker is wholly up."""
    table = sql.Identifier(*system.queue.split("."))
    connection.execute("begin")
    connection.execute(sql.SQL("lock table {} in exclusive mode").format(table))
    yield


def _wait_for_claims(connection: Connection, processes: int) -> None:
    deadline = time.monotonic() + 30
    while one(connection, _WAITERS) < processes:
        if time.monotonic() > deadline:
            raise Wrong("the worker did not come up")
        time.sleep(0.05)
    time.sleep(1.0)  # its other loops arrive as well
