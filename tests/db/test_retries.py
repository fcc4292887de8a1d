"""What came back from a lease waits apart, yields to what is younger, and waits for no writer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.db.pipeline import (
    ETA,
    Connection,
    Worker,
    bury,
    column,
    come_back,
    dead,
    due_now,
    edit,
    eta,
    eta_of,
    expire_leases,
    owed,
    pickups,
    receipts,
    reclaim,
    value,
)
from tests.personas import make_user

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

FAULTS = ["item", "batch", "provider", "release"]


@pytest.fixture
def session(connect: Callable[[], Connection]) -> Connection:
    """A worker's session, which commits by itself."""
    return connect()


@pytest.fixture
def writer(connect: Callable[[], Connection]) -> Connection:
    """Another session, whose transaction stays open for a while."""
    return connect()


# Yielding


def test_a_retry_is_absorbed_by_the_claim_of_a_younger_job(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    edited, waiting = pickups(db, rider, 2)
    come_back(db, attempts=2)
    edit(db, edited, 50)
    leases = worker.lease()
    batches = [[(j.row_key, j.attempts) for j in worker.jobs_of(lease)] for lease in leases]
    assert sorted(batches) == sorted([[(str(edited), 0)], [(str(waiting), 2)]])
    assert owed(db, "pending", "waiting") == []


def test_a_retry_waits_while_its_row_has_a_pending_job(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    """Even if that one is not due in this claim."""
    first, second = pickups(db, rider, 2)
    come_back(db)
    edit(db, second, 50)
    edit(db, first, 50)
    assert [job.row_key for job in worker.claim(limit=1)] == [str(second)]
    assert owed(db, "waiting") == owed(db, "pending") == [str(first)]
    assert [job.row_key for job in worker.claim(limit=1)] == [str(first)]
    assert owed(db, "waiting", "pending") == []


def test_nor_does_it_keep_others_waiting_meanwhile(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    """Not even those under another suspicion, which travel apart from it."""
    (suspect,) = pickups(db, rider)
    worker.claim_one()
    reclaim(db)
    (retry,) = pickups(db, rider)
    come_back(db)
    (fresh,) = pickups(db, rider)
    edit(db, suspect, 50)
    assert {job.row_key for job in worker.claim(limit=1)} == {str(retry), str(fresh)}


@pytest.mark.parametrize("fault", FAULTS)
def test_an_older_job_yields_to_a_younger_one_that_runs(
    db: Connection, rider: UUID, worker: Worker, fault: str
) -> None:
    (pickup,) = pickups(db, rider)
    db.execute("update ml.models set max_attempts = 1 where name = 'eta'")
    older = worker.claim_one()
    edit(db, pickup, 50)
    younger = worker.claim_one()
    assert worker.fail(older, fault=fault) == 1
    assert (owed(db), dead(db), receipts(db, pickup)) == ([str(pickup)], [], [])
    db.execute("update ml.models set breaker_until = null")
    due_now(db)
    assert worker.claim() == []
    assert worker.commit(younger, output=eta(700)) == ["done"]
    assert eta_of(db, pickup) == (700, "model")
    assert owed(db) == []


def test_a_younger_job_does_not_yield_to_an_older_one(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    (pickup,) = pickups(db, rider)
    older = worker.claim_one()
    edit(db, pickup, 50)
    younger = worker.claim_one()
    worker.fail(younger)
    assert owed(db, "waiting") == [str(pickup)]
    worker.fail(older)
    due_now(db)
    assert worker.claim_one().input["dest_lat"] == 50
    assert owed(db) == [str(pickup)]


def test_of_two_jobs_that_run_at_least_one_stays(
    session: Connection, connect: Callable[[], Connection]
) -> None:
    """Both fail at once, and neither sees the other's end."""
    other = connect()
    (pickup,) = pickups(session, make_user(session))
    worker = Worker(session, ETA)
    older = worker.claim_one()
    edit(session, pickup, 50)
    younger = worker.claim_one()
    with other.transaction():
        Worker(other, ETA).fail(younger)
        worker.fail(older)
    assert set(owed(session)) == {str(pickup)}
    due_now(session)
    assert worker.claim_one().input["dest_lat"] == 50
    assert owed(session) == [str(pickup)]


# No worker waits for a writer


def open_edit(writer: Connection, pickup: UUID) -> None:
    """A transaction that holds the row and a job of its own."""
    writer.execute("begin")
    edit(writer, pickup, 50)


ENDS = pytest.mark.parametrize("end", ["commit", "rollback"])


def is_answered_once(session: Connection, pickup: UUID, end: str) -> None:
    """When the writer is done, the row gets one call, with the row as it is."""
    due_now(session)
    job = Worker(session, ETA).claim_one()
    assert (job.row_key, job.input["dest_lat"]) == (str(pickup), 50 if end == "commit" else 52.4)
    assert owed(session) == [str(pickup)]
    assert Worker(session, ETA).commit(job) == ["done"]
    assert owed(session) == []


def answered(session: Connection) -> UUID:
    (pickup,) = pickups(session, make_user(session))
    worker = Worker(session, {"eta": "0"})  # an older version, so that a backfill asks again
    worker.commit(worker.claim_one())
    return pickup


@ENDS
def test_a_backfill_waits_for_no_writer(session: Connection, writer: Connection, end: str) -> None:
    pickup = answered(session)
    open_edit(writer, pickup)
    step = "select enqueued, finished from ml.backfill('pickup_eta', p_restart => true)"
    assert session.execute(step).fetchone() == (1, True)
    assert owed(session) == owed(session, "waiting") == [str(pickup)]
    assert Worker(session, ETA).claim() == []  # not at once: who holds the row holds it on
    writer.execute(end)
    is_answered_once(session, pickup, end)


@ENDS
def test_a_webhook_waits_for_no_writer(session: Connection, writer: Connection, end: str) -> None:
    pickup = answered(session)
    open_edit(writer, pickup)
    change = {"schema": "public", "table": "pickup_requests", "record": {"id": str(pickup)}}
    assert Worker(session, ETA).claim(p_webhook_id="msg_1", p_change=change) == []
    writer.execute(end)
    is_answered_once(session, pickup, end)


@ENDS
def test_a_redrive_waits_for_no_writer(session: Connection, writer: Connection, end: str) -> None:
    (pickup,) = pickups(session, make_user(session))
    bury(session, Worker(session, ETA))
    open_edit(writer, pickup)
    assert value(session, "select ml.redrive()") == 1
    writer.execute(end)
    is_answered_once(session, pickup, end)


@ENDS
def test_a_reclaim_waits_for_no_writer(session: Connection, writer: Connection, end: str) -> None:
    (pickup,) = pickups(session, make_user(session))
    Worker(session, ETA).claim_one()
    open_edit(writer, pickup)
    expire_leases(session)
    Worker(session, ETA).heartbeat()
    writer.execute(end)
    is_answered_once(session, pickup, end)


@ENDS
def test_a_commit_waits_for_no_writer(session: Connection, writer: Connection, end: str) -> None:
    (pickup,) = pickups(session, make_user(session))
    worker = Worker(session, ETA)
    job = worker.claim_one()
    open_edit(writer, pickup)
    assert worker.commit(job) == ["busy"]
    writer.execute(end)
    is_answered_once(session, pickup, end)


@ENDS
def test_a_claim_waits_for_no_writer(session: Connection, writer: Connection, end: str) -> None:
    """It passes over a job into which an edit is just merging."""
    user = make_user(session)
    (pickup,) = pickups(session, user)
    open_edit(writer, pickup)
    (free,) = pickups(session, user)
    worker = Worker(session, ETA)
    job = worker.claim_one()
    assert job.row_key == str(free)
    worker.commit(job)
    writer.execute(end)
    is_answered_once(session, pickup, end)


def test_no_writer_waits_for_a_batch_that_runs(session: Connection, writer: Connection) -> None:
    made = pickups(session, make_user(session), 3)
    jobs = Worker(session, ETA).claim()
    with writer.transaction():
        edit(writer, made[0], 50)
        writer.execute("delete from public.pickup_requests where id = %s", [made[1]])
        writer.execute("select ml.cancel('pickup_eta', %s)", [str(made[2])])
    assert Worker(session, ETA).commit(*jobs) == ["stale", "superseded", "superseded"]
    assert owed(session, "pending") == [str(made[0])]


def test_two_who_put_the_same_row_back_make_one_retry(
    session: Connection, writer: Connection
) -> None:
    pickup = answered(session)
    open_edit(writer, pickup)
    change = {"schema": "public", "table": "pickup_requests", "record": {"id": str(pickup)}}
    for name in ("a", "b"):
        Worker(session, ETA).claim(p_webhook_id=name, p_change=change)
    session.execute("select ml.backfill('pickup_eta', p_restart => true)")
    assert column(session, "select count(*) from ml.retries") == [1]
    writer.execute("rollback")
    is_answered_once(session, pickup, "rollback")


def test_a_retry_keeps_its_age(db: Connection, rider: UUID, worker: Worker) -> None:
    (pickup,) = pickups(db, rider)
    db.execute("update ml.jobs set enqueued_at = enqueued_at - interval '1 hour'")
    worker.fail(worker.claim_one())
    due_now(db)
    worker.commit(worker.claim_one())
    found = db.execute("select latency_ms >= 3600000, attempts from public.predictions").fetchall()
    assert found == [(True, 1)]
    assert receipts(db, pickup) == ["done"]
    assert owed(db) == []
