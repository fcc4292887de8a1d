"""Rule 6: faults have classes; what is called off, and what is put back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.db.pipeline import (
    ETA,
    Connection,
    Worker,
    bury,
    column,
    dead,
    due_now,
    edit,
    pending,
    pickups,
    receipts,
    value,
)
from tests.personas import as_user, make_user, refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID


def test_an_item_fault_backs_off_twice_as_long_each_time(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    pickups(db, rider)
    db.execute("update ml.models set max_attempts = 100")
    for attempt in range(14):
        due_now(db)
        job = worker.claim_one()
        assert job.attempts == attempt
        assert worker.fail(job) == 1
        wait = value(db, "select extract(epoch from run_at - clock_timestamp()) from ml.jobs")
        planned = min(3600, 2 * 2**attempt)
        assert 0.8 * planned - 0.5 <= wait <= 1.2 * planned
        assert worker.claim() == []


def test_the_wait_is_jittered(db: Connection, rider: UUID, worker: Worker) -> None:
    pickups(db, rider, 40)
    worker.fail(*worker.claim())
    waits = [
        float(w)
        for w in column(db, "select extract(epoch from run_at - clock_timestamp()) from ml.jobs")
    ]
    assert max(waits) - min(waits) > 0.2


def test_an_item_fault_ends_among_the_dead_letters(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    (pickup,) = pickups(db, rider)
    for _ in range(5):
        due_now(db)
        worker.fail(worker.claim_one())
    assert dead(db) == [(str(pickup), "item_fault", 5)]
    assert value(db, "select error from ml.dead_letters") == "no luck"
    assert value(db, "select count(*) from ml.jobs") == 0
    receipt = db.execute(
        "select status, attempts, error, request_id, owner_id, model from public.predictions"
    ).fetchall()
    assert receipt == [("failed", 5, "item_fault", "request", rider, "eta")]


def test_one_bad_item_costs_the_others_nothing(db: Connection, rider: UUID, worker: Worker) -> None:
    pickups(db, rider, 3)
    bad, *good = worker.claim()
    assert worker.fail(bad) == 1
    assert worker.commit(*good) == ["done", "done"]
    assert db.execute("select row_key, attempts from ml.jobs").fetchall() == [(bad.row_key, 1)]


def test_a_batch_fault_charges_nobody_until_the_sixth_time(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    pickups(db, rider, 2)
    for time in range(1, 8):
        due_now(db)
        jobs = worker.claim()
        assert worker.fail(*jobs, fault="batch") == 2
        assert set(column(db, "select attempts from ml.jobs")) == {max(0, time - 5)}
        assert worker.claim() == []
    for _ in range(3):
        due_now(db)
        worker.fail(*worker.claim(), fault="batch")
    assert [row[1:] for row in dead(db)] == [("batch_fault", 5)] * 2


def test_a_worn_job_does_not_drag_its_batch_along(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    pickups(db, rider, 2)
    db.execute("update ml.jobs set deferrals = 5 where id = (select min(id) from ml.jobs)")
    assert worker.fail(*worker.claim(), fault="batch") == 2
    found = db.execute("select attempts, deferrals from ml.jobs order by id").fetchall()
    assert found == [(1, 5), (0, 1)]


@pytest.mark.parametrize(("asked", "kept"), [(120, 120), (0, 1), (-5, 1), (1e9, 3600), (None, 30)])
def test_a_provider_fault_rests_that_model_alone(
    notes: Connection, rider: UUID, asked: float | None, kept: float
) -> None:
    pickups(notes, rider, 2)
    notes.execute("insert into public.notes values (1, 'a')")
    worker = Worker(notes, {"eta": "1", "echo": "1"})
    first, second = Worker(notes, ETA).claim()
    assert worker.fail(first, fault="provider", retry_after=asked) == 1
    rest = "select extract(epoch from breaker_until - clock_timestamp()) from ml.models"
    assert kept - 1 < value(notes, f"{rest} where name = 'eta'") <= kept
    assert value(notes, "select breaker_reason from ml.models where name = 'eta'") == "no luck"
    assert value(notes, "select sum(attempts) from ml.jobs") == 0

    due_now(notes)
    assert [job.model for job in worker.claim()] == ["echo"]
    assert worker.commit(second) == ["done"]  # who has its answer already may give it
    notes.execute("update ml.models set breaker_until = clock_timestamp()")
    assert [job.row_key for job in worker.claim()] == [first.row_key]


def test_a_release_frees_the_jobs_at_once_and_charges_nobody(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    pickups(db, rider, 3)
    jobs = worker.claim()
    assert worker.fail(*jobs, fault="release") == 3
    again = Worker(db, ETA, "other").claim()
    assert {j.job_id for j in again} == {j.job_id for j in jobs}
    assert column(db, "select distinct (attempts, deferrals)::text from ml.jobs") == ["(0,0)"]


def test_a_release_wakes_a_sleeper(connect: Callable[[], Connection]) -> None:
    session, sleeper = connect(), connect()
    pickups(session, make_user(session))
    worker = Worker(session, ETA)
    job = worker.claim_one()
    sleeper.execute("listen rowcast_jobs")
    sleeper.execute("select pg_advisory_lock(20261120, 1)")
    worker.fail(job, fault="release")
    sleeper.execute("select 1")
    assert len(list(sleeper.notifies(timeout=0))) == 1


def test_an_unknown_class_of_fault_is_refused(db: Connection, rider: UUID, worker: Worker) -> None:
    pickups(db, rider)
    job = worker.claim_one()
    for fault in ("", "other", None):
        with refused(db, "PT422", "UNKNOWN_FAULT_CLASS"):
            worker.fail(job, fault=fault)  # type: ignore[arg-type]
    assert worker.commit(job) == ["done"]


def test_cancel_says_whether_anything_was_owed(db: Connection, rider: UUID, worker: Worker) -> None:
    pending_one, running, done = (str(p) for p in pickups(db, rider, 3))
    db.execute("update ml.jobs set priority = 1 where row_key <> %s", [pending_one])
    for job in worker.claim(limit=2):
        if job.row_key == done:
            worker.commit(job)
    cancel = "select ml.cancel('pickup_eta', %s, 'why')"
    assert [value(db, cancel, [key]) for key in (pending_one, running, done)] == [True, True, False]
    assert value(db, "select ml.cancel('no such prediction', %s)", [pending_one]) is False
    assert [receipts(db, key) for key in (pending_one, running, done)] == [
        ["cancelled"], ["cancelled"], ["done"],
    ]  # fmt: skip
    assert value(db, "select count(*) from ml.jobs") == 0


def test_cancelling_while_a_commit_is_under_way_is_no_deadlock(
    connect: Callable[[], Connection],
) -> None:
    rider, session, watcher = connect(), connect(), connect()
    user = make_user(rider)
    (pickup,) = pickups(rider, user)
    worker = Worker(session, ETA)
    job = worker.claim_one()
    with rider.transaction():
        rider.execute("select from public.pickup_requests for update")
        assert worker.commit(job) == ["busy"]
        with as_user(rider, user):
            rider.execute("select public.cancel_pickup(%s)", [pickup])
    assert value(watcher, "select status from public.pickup_requests") == "cancelled"
    assert value(watcher, "select count(*) from ml.jobs") == 0


def test_a_redrive_gives_dead_letters_a_new_life(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    made = pickups(db, rider, 3)
    bury(db, worker)
    assert len(dead(db)) == 3
    with refused(db, "P0001", "PREDICTION_NOT_FOUND"):
        db.execute("select ml.redrive('other')")
    assert value(db, "select ml.redrive('pickup_eta', 2)") == 2
    assert value(db, "select ml.redrive()") == 1
    assert dead(db) == []
    jobs = worker.claim()
    assert {job.row_key for job in jobs} == {str(p) for p in made}
    assert {job.attempts for job in jobs} == {0}
    assert set(worker.commit(*jobs)) == {"done"}
    assert set(column(db, "select owner_id from public.predictions")) == {rider}


def test_a_redrive_merges_with_what_is_owed(db: Connection, rider: UUID, worker: Worker) -> None:
    (pickup,) = pickups(db, rider)
    bury(db, worker)
    edit(db, pickup, 50)
    bury(db, worker)
    assert len(dead(db)) == 2
    edit(db, pickup, 51)
    assert value(db, "select ml.redrive()") == 2
    assert pending(db) == [str(pickup)]
