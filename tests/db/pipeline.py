"""The service's side of the pipeline over one connection, and rows for it to predict."""

from __future__ import annotations

import json
import re
import time
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import class_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from uuid import UUID

Connection = psycopg.Connection[tuple[Any, ...]]

ETA = {"eta": "1"}
COMMIT = "ml.commit(uuid, jsonb, text, text)"


@dataclass(frozen=True, slots=True)
class Job:
    """What a claim answers for one row."""

    job_id: int
    token: UUID
    prediction: str
    model: str
    row_key: str
    input: dict[str, Any]
    attempts: int
    batch_size: int
    timeout_ms: int
    lease_seconds: float


@dataclass(slots=True)
class Worker:
    """A replica of the service that serves `models` (name → version)."""

    conn: Connection
    models: Mapping[str, str]
    name: str = "worker"

    def claim(self, limit: int = 64, **webhook: Any) -> list[Job]:
        """Lease due jobs; `webhook` takes p_webhook_id and p_change."""
        with self.conn.cursor(row_factory=class_row(Job)) as cursor:
            return cursor.execute(
                "select * from ml.claim(%s, %s, %s, 'request', %s, %s) order by job_id",
                [
                    self.name,
                    json.dumps(self.models),
                    limit,
                    webhook.get("p_webhook_id"),
                    json.dumps(webhook["p_change"]) if "p_change" in webhook else None,
                ],
            ).fetchall()

    def claim_one(self) -> Job:
        """The one job that is due."""
        (job,) = self.claim()
        return job

    def commit(self, *jobs: Job, output: Mapping[str, Any] | None = None) -> list[str]:
        """Give each job the same output; the outcomes in the order of the jobs."""
        answer = output or eta(600)
        results = [{"job_id": job.job_id, "output": answer, "low": 1, "high": 2} for job in jobs]
        found: dict[int, str] = dict(
            self.conn.execute(
                "select job_id, outcome from ml.commit(%s, %s, %s, 'request')",
                [jobs[0].token, json.dumps(results), self.models[jobs[0].model]],
            ).fetchall()
        )
        return [found[job.job_id] for job in jobs]

    def fail(self, *jobs: Job, fault: str = "item", retry_after: float | None = None) -> int:
        """Give the jobs up; how many the token still held."""
        row = self.conn.execute(
            "select ml.fail(%s, %s::bigint[], %s, 'no luck', %s::real, 'request')",
            [jobs[0].token, [job.job_id for job in jobs], fault, retry_after],
        ).fetchone()
        assert row is not None
        return int(row[0])

    def heartbeat(self, *tokens: UUID) -> list[tuple[Any, ...]]:
        """(token, jobs, queue depth, oldest age) for each token that still holds jobs."""
        return self.conn.execute(
            "select * from ml.heartbeat(%s, %s, %s)",
            [self.name, json.dumps(self.models), list(tokens)],
        ).fetchall()


def eta(seconds: int) -> dict[str, int]:
    """What the ETA model answers."""
    return {
        "eta_seconds": seconds,
        "eta_low_seconds": seconds - 60,
        "eta_high_seconds": seconds + 60,
    }


def pickups(conn: Connection, user_id: UUID, count: int = 1) -> list[UUID]:
    """Rows that are owed a prediction, in the order of their keys."""
    rows = conn.execute(
        """
        insert into public.pickup_requests
          (user_id, client_key, origin_lat, origin_lng, dest_lat, dest_lng, estimate_seconds,
           eta_seconds)
        select %s, %s || n, 52.5, 13.4, 52.4, 13.3 + n / 1000.0, 900, 900
        from generate_series(1, %s) as n
        returning id
        """,
        [user_id, uuid.uuid4().hex, count],
    ).fetchall()
    return sorted(row[0] for row in rows)


def edit(conn: Connection, pickup: UUID, dest_lat: float) -> None:
    """Change what the prediction depends on."""
    conn.execute(
        "update public.pickup_requests set dest_lat = %s where id = %s", [dest_lat, pickup]
    )


def due_now(conn: Connection) -> None:
    """Let every wait be over, without waiting."""
    conn.execute("update ml.jobs set run_at = clock_timestamp() where token is null")


def expire_leases(conn: Connection) -> None:
    """Let every lease run out, without waiting."""
    conn.execute(
        "update ml.jobs set lease_until = clock_timestamp() - interval '1 ms'"
        " where token is not null"
    )


def value(conn: Connection, query: str, parameters: Sequence[Any] = ()) -> Any:
    """The first column of the one row that the query gives."""
    rows = conn.execute(query, list(parameters) or None).fetchall()
    assert len(rows) == 1, rows
    return rows[0][0]


def column(conn: Connection, query: str, parameters: Sequence[Any] = ()) -> list[Any]:
    """The first column of every row."""
    return [row[0] for row in conn.execute(query, list(parameters) or None).fetchall()]


def eta_of(conn: Connection, pickup: UUID) -> tuple[int, str]:
    """What the rider sees: seconds and where they come from."""
    row = conn.execute(
        "select eta_seconds, eta_source from public.pickup_requests where id = %s", [pickup]
    ).fetchone()
    assert row is not None
    return row[0], row[1]


def receipts(conn: Connection, row_key: Any) -> list[str]:
    """Statuses of a row's receipts, oldest first."""
    return column(
        conn, "select status from public.predictions where row_key = %s order by id", [str(row_key)]
    )


@contextmanager
def in_background(
    watcher: Connection, session: Connection, work: Callable[[], Any]
) -> Iterator[Future[Any]]:
    """Run `work`, which uses `session`, in a thread; the block begins when it waits for a lock."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        deadline = time.monotonic() + 10
        blocked = "select cardinality(pg_blocking_pids(%s)) > 0"
        while not value(watcher, blocked, [session.info.backend_pid]):
            assert not future.done(), f"did not wait for anybody: {future.result()}"
            assert time.monotonic() < deadline, "neither waits nor ends"
        yield future


def weaken(conn: Connection, function: str, guard: str, without: str = "") -> None:
    """Take a guard out of a function, to show that a test would notice."""
    source: str = value(conn, "select pg_get_functiondef(%s::regprocedure)", [function])
    broken = re.sub(guard, without, source)
    assert broken != source, f"{function} has no {guard!r}"
    conn.execute(broken.encode(), prepare=False)


def pending(conn: Connection) -> list[str]:
    """Keys of the rows that wait."""
    return column(conn, "select row_key from ml.jobs where token is null order by id")


def dead(conn: Connection) -> list[tuple[Any, ...]]:
    """The dead letters: key, reason, attempts."""
    return conn.execute(
        "select row_key, reason, attempts from ml.dead_letters order by id"
    ).fetchall()


def bury(db: Connection, worker: Worker) -> None:
    """Let everything that is owed die."""
    db.execute("update ml.models set max_attempts = 1")
    worker.fail(*worker.claim())
    db.execute("update ml.models set max_attempts = 5")
