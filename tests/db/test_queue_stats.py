"""How the queue is, for operators and for whoever scales the service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.db.pipeline import (
    ETA,
    Connection,
    Worker,
    bury,
    come_back,
    due_now,
    pickups,
    value,
)
from tests.personas import make_user

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

COUNTS = "select pending, background, waiting, running from ml.queue_stats() where prediction = %s"


def counts(conn: Connection, prediction: str = "pickup_eta") -> tuple[Any, ...]:
    """Jobs by state."""
    row = conn.execute(COUNTS, [prediction]).fetchone()
    assert row is not None
    return row


def stat(conn: Connection, column: str) -> Any:
    return value(conn, f"select {column} from ml.queue_stats() where prediction = 'pickup_eta'")


def one_in_each_state(conn: Connection, user: UUID) -> dict[str, str]:
    """State by the key of a row in it."""
    keys = {}
    for state in ("running", "waiting", "background", "pending"):
        (pickup,) = pickups(conn, user)
        keys[str(pickup)] = state
        if state == "running":
            Worker(conn, ETA).claim()
        elif state == "waiting":
            come_back(conn, attempts=2)
            conn.execute("update ml.retries set run_at = now() + interval '1 hour'")
        elif state == "background":
            conn.execute("update ml.jobs set is_background = true")
    return keys


def test_jobs_are_counted_by_state(db: Connection, rider: UUID) -> None:
    assert counts(db) == (0, 0, 0, 0)
    one_in_each_state(db, rider)
    assert counts(db) == (1, 1, 1, 1)


def test_the_queue_shows_each_job_with_its_state(db: Connection, rider: UUID) -> None:
    keys = one_in_each_state(db, rider)
    rows = db.execute(
        "select row_key, state, is_background, attempts, reason, owner_id, worker,"
        " token is not null and lease_until > now(), run_at > now() + interval '50 min'"
        " from ml.queue where prediction = 'pickup_eta'"
    ).fetchall()
    by_state = {keys[row[0]]: row[1:] for row in rows}
    assert by_state == {
        "pending": ("pending", False, 0, None, rider, None, False, False),
        "background": ("pending", True, 0, None, rider, None, False, False),
        "waiting": ("waiting", False, 2, "test", rider, None, False, True),
        "running": ("running", False, 0, None, rider, "worker", True, False),
    }


def test_jobs_of_a_batch_that_are_settled_are_not_counted(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    pickups(db, rider, 3)
    first, *_ = worker.claim()
    worker.commit(first)
    assert counts(db) == (0, 0, 0, 2)
    assert value(db, "select count(*) from ml.queue") == 2


def test_the_age_is_that_of_the_oldest_in_any_state(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    assert stat(db, "oldest_seconds") == 0
    pickups(db, rider)
    db.execute("update ml.jobs set enqueued_at = clock_timestamp() - interval '1 hour'")
    pickups(db, rider)
    assert 3600 <= stat(db, "oldest_seconds") < 3660
    (oldest,) = worker.claim(limit=1)
    assert 3600 <= stat(db, "oldest_seconds") < 3660
    worker.fail(oldest)
    assert 3600 <= stat(db, "oldest_seconds") < 3660
    due_now(db)
    worker.commit(*worker.claim())
    assert stat(db, "oldest_seconds") < 60


def test_a_heartbeats_count_serves_all_for_a_while(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    pickups(db, rider, 2)
    worker.heartbeat()
    pickups(db, rider)
    worker.heartbeat()
    assert counts(db) == (2, 0, 0, 0)  # as it was counted
    db.execute("update ml.queue_state set taken_at = taken_at - interval '4 s'")
    assert counts(db) == (2, 0, 0, 0)
    worker.heartbeat()
    assert counts(db) == (3, 0, 0, 0)
    pickups(db, rider)
    db.execute("update ml.queue_state set taken_at = taken_at - interval '10 s'")
    assert counts(db) == (4, 0, 0, 0)  # no worker lives, so it is counted now


def test_no_heartbeat_waits_for_another_that_counts(connect: Callable[[], Connection]) -> None:
    one, two = connect(), connect()
    pickups(one, make_user(one))
    with one.transaction():
        Worker(one, ETA).heartbeat()
        assert Worker(two, ETA, "two").heartbeat() == []


def test_what_workers_say_is_added_up(db: Connection) -> None:
    db.execute("delete from ml.workers")
    for name, speed, full in (("a", 10.5, 3), ("b", 4.5, 7), ("dead", 100, 100)):
        activity = {"pickup_eta": {"per_second": speed, "full_batches": full}}
        Worker(db, ETA, name).heartbeat(activity=activity)
    db.execute("update ml.workers set seen_at = now() - interval '16 s' where name = 'dead'")
    assert stat(db, "(per_second, full_batches, workers_alive)::text") == "(15,7,2)"


def test_a_worker_that_does_nothing_keeps_the_time_of_its_last_work(
    connect: Callable[[], Connection],
) -> None:
    worker = Worker(connect(), ETA)
    last = "select last_done_at from ml.workers where name = 'worker'"
    worker.heartbeat()
    assert value(worker.conn, last) is None
    worker.heartbeat(activity={"pickup_eta": {"per_second": 2, "full_batches": 0}})
    done_at = value(worker.conn, last)
    assert done_at is not None
    worker.heartbeat(activity={"pickup_eta": {"per_second": 0, "full_batches": 0}})
    assert value(worker.conn, last) == done_at


def test_what_stands_in_the_way_is_told(db: Connection, rider: UUID, worker: Worker) -> None:
    pickups(db, rider, 3)
    bury(db, worker)
    assert stat(db, "dead_letters") == 3
    assert stat(db, "breaker_until") is stat(db, "paused_at") is None
    pickups(db, rider)
    worker.fail(worker.claim_one(), fault="provider", error="too many requests")
    assert stat(db, "breaker_reason") == "too many requests"
    assert stat(db, "breaker_until > clock_timestamp()") is True
    db.execute("update ml.models set breaker_until = clock_timestamp()")
    assert stat(db, "breaker_reason") is stat(db, "breaker_until") is None


def test_what_was_spent_today_is_told(db: Connection, rider: UUID, worker: Worker) -> None:
    pickups(db, rider, 3)
    db.execute("insert into ml.budgets values ('eta', 'model', 'calls', 100)")
    worker.claim()
    assert stat(db, "(calls_today, tokens_today)::text") == "(3,0)"
    db.execute("update ml.usage set day = day - 1")
    assert stat(db, "calls_today") == 0


def test_an_old_snapshot_is_told(connect: Callable[[], Connection]) -> None:
    session, old = connect(), connect()
    old.execute("begin isolation level repeatable read")
    old.execute("select")
    began = value(old, "select extract(epoch from clock_timestamp() - now())")
    assert stat(session, "oldest_snapshot_seconds") >= began
    assert stat(session, "oldest_snapshot_seconds") > 0
    old.execute("commit")


def test_every_prediction_has_its_line(notes: Connection, rider: UUID) -> None:
    pickups(notes, rider, 2)
    notes.execute("insert into public.notes values (1, 'a')")
    assert counts(notes) == (2, 0, 0, 0)
    assert counts(notes, "notes") == (1, 0, 0, 0)
