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
COMMIT = (
    "ml.commit(uuid, jsonb, text, integer[], double precision[], double precision[], bigint, text)"
)
FAIL = "ml.fail(uuid, text, text, integer[], real, text)"
HEARTBEAT = "ml.heartbeat(text, jsonb, uuid[], jsonb)"


@dataclass(frozen=True, slots=True)
class Lease:
    """What a claim answers for one batch."""

    token: UUID
    prediction: str
    model: str
    size: int
    inputs: str
    batch_size: int
    timeout_ms: int
    protocol: str | None
    url: str | None
    options: dict[str, Any]
    version: str | None


@dataclass(frozen=True, slots=True)
class Job:
    """One position of a lease, with its row and attempts, which the service is not told."""

    lease: Lease
    position: int
    row_key: str
    attempts: int
    input: dict[str, Any]

    @property
    def token(self) -> UUID:
        return self.lease.token

    @property
    def prediction(self) -> str:
        return self.lease.prediction

    @property
    def model(self) -> str:
        return self.lease.model


@dataclass(slots=True)
class Worker:
    """A replica of the service that serves `models` (name → version)."""

    conn: Connection
    models: Mapping[str, str]
    name: str = "worker"
    reader: Connection | None = None  # who may look into the queue, when `conn` may not

    def lease(self, limit: int | None = 64, **more: Any) -> list[Lease]:
        """Lease due jobs, a batch each; `more` takes p_batches, p_webhook_id and p_change."""
        with self.conn.cursor(row_factory=class_row(Lease)) as cursor:
            found = cursor.execute(
                "select * from ml.claim(%s, %s, %s, %s, 'request', %s, %s)",
                [
                    self.name,
                    json.dumps(self.models),
                    limit,
                    json.dumps(more.get("p_batches", {})),
                    more.get("p_webhook_id"),
                    json.dumps(more["p_change"]) if "p_change" in more else None,
                ],
            ).fetchall()
        return sorted(found, key=lambda lease: lease.prediction)

    def claim(self, limit: int | None = 64, **more: Any) -> list[Job]:
        """Lease due jobs; each by itself, in the order of their batches and positions."""
        return [job for lease in self.lease(limit, **more) for job in self.jobs_of(lease)]

    def jobs_of(self, lease: Lease) -> list[Job]:
        """The positions of a lease with their rows."""
        rows = (self.reader or self.conn).execute(
            "select j.row_key, j.attempts from ml.leases as l"
            " cross join unnest(l.jobs) with ordinality as j where l.token = %s"
            " order by j.ordinality",
            [lease.token],
        )
        inputs = json.loads(lease.inputs)
        found = [
            Job(lease, position, row_key, attempts, given)
            for position, ((row_key, attempts), given) in enumerate(
                zip(rows, inputs, strict=True), start=1
            )
        ]
        assert len(found) == lease.size
        return found

    def claim_one(self) -> Job:
        """The one job that is due."""
        (job,) = self.claim()
        return job

    def commit(self, *jobs: Job, output: Mapping[str, Any] | None = None) -> list[str]:
        """Give each job the same output; the outcomes, sorted."""
        outcomes: list[str] = []
        for lease, positions in _batches(jobs):
            size = len(positions) if positions else lease.size
            rows = self.conn.execute(
                "select outcome, jobs from ml.commit(%s, %s, %s, %s::integer[],"
                " %s::float8[], %s::float8[], p_request_id => 'request')",
                [
                    lease.token, json.dumps([output or eta(600)] * size), self.models[lease.model],
                    positions, [1] * size, [2] * size,
                ],
            )  # fmt: skip
            outcomes += [outcome for outcome, count in rows for _ in range(count)]
        return sorted(outcomes)

    def fail(
        self,
        *jobs: Job,
        fault: str = "item",
        error: str = "no luck",
        retry_after: float | None = None,
    ) -> int:
        """Give the jobs up; how many their tokens still held."""
        return sum(
            value(
                self.conn,
                "select ml.fail(%s, %s, %s, %s::integer[], %s::real, 'request')",
                [lease.token, fault, error, positions, retry_after],
            )
            for lease, positions in _batches(jobs)
        )

    def heartbeat(self, *tokens: UUID, activity: Mapping[str, Any] | None = None) -> list[UUID]:
        """Which of these tokens still hold jobs."""
        return column(
            self.conn,
            "select * from ml.heartbeat(%s, %s, %s, %s)",
            [self.name, json.dumps(self.models), list(tokens), json.dumps(activity or {})],
        )


def _batches(jobs: Sequence[Job]) -> list[tuple[Lease, list[int] | None]]:
    """The leases of these jobs, each with its positions; None for all of them."""
    leases = {job.token: job.lease for job in jobs}
    batches: list[tuple[Lease, list[int] | None]] = []
    for token, lease in leases.items():
        positions = [job.position for job in jobs if job.token == token]
        batches.append((lease, None if len(set(positions)) == lease.size else positions))
    return batches


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
    conn.execute("update ml.retries set run_at = clock_timestamp()")


def expire_leases(conn: Connection) -> None:
    """Let every lease run out, without waiting; in order, so that two who do so do not deadlock."""
    conn.execute(
        "update ml.leases set lease_until = clock_timestamp() - interval '1 ms' where token = any"
        " (array(select token from ml.leases order by token for update))"
    )


def reclaim(conn: Connection) -> None:
    """Let every lease run out, and another worker take the jobs back."""
    expire_leases(conn)
    Worker(conn, {}, "reclaimer").heartbeat()


def come_back(conn: Connection, attempts: int = 0, deferrals: int = 0) -> None:
    """Let every pending job be one that came back from a lease and is due again."""
    conn.execute(
        """
        with gone as (delete from ml.jobs returning *)
        insert into ml.retries
        select attachment_id, row_key, owner_id, enqueued_at, clock_timestamp(), is_new,
          is_background, %s, %s, 0, 'test'
        from gone
        """,
        [attempts, deferrals],
    )


def no_jobs(conn: Connection) -> None:
    """Owe nothing any more."""
    conn.execute("delete from ml.jobs")
    conn.execute("delete from ml.retries")
    conn.execute("delete from ml.leases")


def value(conn: Connection, query: str, parameters: Sequence[Any] = ()) -> Any:
    """The first column of the one row that the query gives."""
    rows = conn.execute(query, list(parameters) or None).fetchall()
    assert len(rows) == 1, rows
    return rows[0][0]


def column(conn: Connection, query: str, parameters: Sequence[Any] = ()) -> list[Any]:
    """The first column of every row."""
    return [row[0] for row in conn.execute(query, list(parameters) or None).fetchall()]


def eta_of(conn: Connection, pickup: UUID | str) -> tuple[int, str]:
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
    """Keys of the rows that a claim would take, or will once their wait is over."""
    return owed(conn, "pending", "waiting")


def owed(conn: Connection, *states: str) -> list[str]:
    """Keys of the rows to which a prediction is owed, in these states or in any, oldest first."""
    every = ["pending", "waiting", "running"]
    return column(
        conn,
        "select row_key from ml.queue where state = any (%s) order by enqueued_at, row_key",
        [list(states) or every],
    )


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
