"""A deleted row takes what is owed to it along, and waits for nobody."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.db.pipeline import (
    ETA,
    Connection,
    Worker,
    come_back,
    due_now,
    edit,
    eta,
    eta_of,
    owed,
    pickups,
    receipts,
    value,
)
from tests.personas import DENIED, as_service, as_user, make_user, refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

DELETE = "delete from public.pickup_requests where id = %s"
RECEIPT = """
select row_key, owner_id, model, status, error, attempts, output is null, latency_ms >= 1000
from public.predictions
"""


def insert_again(conn: Connection, row: dict[str, Any]) -> None:
    conn.execute(
        "insert into public.pickup_requests"
        " select * from jsonb_populate_record(null::public.pickup_requests, %s::jsonb)",
        [json.dumps(row)],
    )


def row_of(conn: Connection, pickup: UUID) -> dict[str, Any]:
    found: dict[str, Any] = value(
        conn, "select to_jsonb(p) from public.pickup_requests as p where id = %s", [pickup]
    )
    return found


def test_a_pending_job_goes_with_its_row(db: Connection, rider: UUID, worker: Worker) -> None:
    first, second = pickups(db, rider, 2)
    db.execute("update ml.jobs set enqueued_at = enqueued_at - interval '1 s'")
    db.execute(DELETE, [first])
    assert owed(db) == [str(second)]
    assert db.execute(RECEIPT).fetchall() == [
        (str(first), rider, "eta", "superseded", "ROW_GONE", 0, True, True)
    ]
    assert [job.row_key for job in worker.claim()] == [str(second)]


def test_a_waiting_job_goes_with_its_row(db: Connection, rider: UUID, worker: Worker) -> None:
    first, second = pickups(db, rider, 2)
    db.execute("update ml.jobs set enqueued_at = enqueued_at - interval '1 s'")
    come_back(db, attempts=3)
    db.execute(DELETE, [first])
    assert owed(db) == [str(second)]
    assert db.execute(RECEIPT).fetchall() == [
        (str(first), rider, "eta", "superseded", "ROW_GONE", 3, True, True)
    ]


def test_a_running_job_is_left_to_its_commit(db: Connection, rider: UUID, worker: Worker) -> None:
    (pickup,) = pickups(db, rider)
    job = worker.claim_one()
    db.execute(DELETE, [pickup])
    assert owed(db, "running") == [str(pickup)]
    assert worker.commit(job) == ["superseded"]
    assert owed(db) == []
    assert receipts(db, pickup) == ["superseded"]


def test_a_running_job_that_fails_is_not_asked_again(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    (pickup,) = pickups(db, rider)
    job = worker.claim_one()
    db.execute(DELETE, [pickup])
    worker.fail(job)
    due_now(db)
    assert worker.claim() == []
    assert owed(db) == []
    assert receipts(db, pickup) == ["superseded"]


def test_a_pending_job_beside_a_running_one_goes_alone(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    (pickup,) = pickups(db, rider)
    job = worker.claim_one()
    edit(db, pickup, 50)
    db.execute(DELETE, [pickup])
    assert owed(db) == owed(db, "running") == [str(pickup)]
    assert worker.commit(job) == ["superseded"]
    assert owed(db) == []


def test_a_row_that_comes_again_in_the_same_transaction_is_new(
    connect: Callable[[], Connection],
) -> None:
    session = connect()
    worker = Worker(session, ETA)
    (pickup,) = pickups(session, make_user(session))
    assert worker.commit(worker.claim_one(), output=eta(700)) == ["done"]
    row = {**row_of(session, pickup), "eta_seconds": 900, "eta_source": "estimate"}
    row |= {"eta_low_seconds": None, "eta_high_seconds": None}
    with session.transaction():
        session.execute(DELETE, [pickup])
        insert_again(session, row)
    assert worker.commit(worker.claim_one(), output=eta(800)) == ["done"]
    assert eta_of(session, pickup) == (800, "model")
    assert owed(session) == []


def test_a_row_that_comes_again_while_its_first_job_waits_is_new(
    db: Connection, rider: UUID
) -> None:
    (pickup,) = pickups(db, rider)
    row = row_of(db, pickup)
    db.execute("update ml.jobs set enqueued_at = now() - interval '1 hour', is_new = false")
    db.execute("delete from public.pickup_requests")
    insert_again(db, row)
    query = "select row_key, is_new, enqueued_at > now() - interval '1 minute' from ml.jobs"
    assert db.execute(query).fetchall() == [(str(pickup), True, True)]
    assert receipts(db, pickup) == ["superseded"]


def test_an_answer_that_is_under_way_for_the_first_row_is_not_the_seconds(
    connect: Callable[[], Connection],
) -> None:
    session = connect()
    worker = Worker(session, ETA)
    (pickup,) = pickups(session, make_user(session))
    row = row_of(session, pickup)
    late = worker.claim_one()
    with session.transaction():
        session.execute(DELETE, [pickup])
        insert_again(session, {**row, "dest_lat": 50})
    assert worker.commit(late, output=eta(700)) == ["superseded"]
    assert eta_of(session, pickup) == (900, "estimate")
    assert worker.commit(worker.claim_one(), output=eta(800)) == ["done"]


def test_a_bulk_delete_takes_all_of_its_jobs_along(
    db: Connection, rider: UUID, other: UUID, worker: Worker
) -> None:
    pickups(db, rider, 500)
    come_back(db)
    pickups(db, rider, 500)
    (kept,) = pickups(db, other)
    db.execute("delete from public.pickup_requests where user_id = %s", [rider])
    assert owed(db) == [str(kept)]
    counted = "select count(distinct row_key), count(*) from public.predictions"
    assert db.execute(counted).fetchall() == [(1000, 1000)]


def test_a_delete_of_nothing_does_nothing(db: Connection, rider: UUID) -> None:
    (pickup,) = pickups(db, rider)
    db.execute("delete from public.pickup_requests where false")
    assert owed(db) == [str(pickup)]
    assert receipts(db, pickup) == []


def test_a_delete_waits_for_no_claim(connect: Callable[[], Connection]) -> None:
    session, writer = connect(), connect()
    (pickup,) = pickups(session, make_user(session))
    worker = Worker(session, ETA)
    with session.transaction():
        job = worker.claim_one()
        writer.execute(DELETE, [pickup])  # returns at once
    assert worker.commit(job) == ["superseded"]
    assert owed(session) == []


def test_a_delete_that_is_rolled_back_leaves_the_job(connect: Callable[[], Connection]) -> None:
    session, writer = connect(), connect()
    (pickup,) = pickups(session, make_user(session))
    with writer.transaction(force_rollback=True):
        writer.execute(DELETE, [pickup])
        assert Worker(session, ETA).claim() == []  # waits for nobody
    assert Worker(session, ETA).claim_one().row_key == str(pickup)
    assert receipts(session, pickup) == []


def test_who_deletes_needs_no_right_on_the_queue(db: Connection, rider: UUID) -> None:
    (pickup,) = pickups(db, rider)
    db.execute("grant delete, select on public.pickup_requests to service_role")
    with as_service(db):
        db.execute(DELETE, [pickup])
        with refused(db, DENIED):
            db.execute("select ml.drop_gone(1::smallint, array['x'])")
    assert owed(db) == []
    with as_user(db, rider):
        assert receipts(db, pickup) == ["superseded"]
