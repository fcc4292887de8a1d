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
    come_back,
    dead,
    due_now,
    edit,
    owed,
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
        wait = value(db, "select extract(epoch from run_at - clock_timestamp()) from ml.retries")
        planned = min(3600, 2 * 2**attempt)
        assert 0.8 * planned - 0.5 <= wait <= 1.2 * planned
        assert worker.claim() == []


def test_the_wait_is_jittered(db: Connection, rider: UUID, worker: Worker) -> None:
    pickups(db, rider, 40)
    worker.fail(*worker.claim())
    waits = [
        float(w)
        for w in column(db, "select extract(epoch from run_at - clock_timestamp()) from ml.retries")
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
    assert owed(db) == []
    receipt = db.execute(
        "select status, attempts, error, request_id, owner_id, model from public.predictions"
    ).fetchall()
    assert receipt == [("failed", 5, "item_fault", "request", rider, "eta")]


def test_one_bad_item_costs_the_others_nothing(db: Connection, rider: UUID, worker: Worker) -> None:
    pickups(db, rider, 3)
    bad, *good = worker.claim()
    assert worker.fail(bad) == 1
    assert worker.commit(*good) == ["done", "done"]
    found = db.execute("select row_key, attempts, state, reason from ml.queue").fetchall()
    assert found == [(bad.row_key, 1, "waiting", "item_fault")]
    assert receipts(db, bad.row_key) == []


def test_a_batch_fault_charges_nobody_until_the_sixth_time(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    pickups(db, rider, 2)
    for time in range(1, 8):
        due_now(db)
        jobs = worker.claim()
        assert worker.fail(*jobs, fault="batch") == 2
        assert set(column(db, "select attempts from ml.retries")) == {max(0, time - 5)}
        assert worker.claim() == []
    for _ in range(3):
        due_now(db)
        worker.fail(*worker.claim(), fault="batch")
    assert [row[1:] for row in dead(db)] == [("batch_fault", 5)] * 2


def test_a_worn_job_does_not_drag_its_batch_along(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    worn, fresh = pickups(db, rider, 2)
    come_back(db)
    db.execute("update ml.retries set deferrals = 5 where row_key = %s", [str(worn)])
    assert worker.fail(*worker.claim(), fault="batch") == 2
    found = db.execute("select row_key, attempts, deferrals from ml.retries").fetchall()
    assert sorted(found) == sorted([(str(worn), 1, 5), (str(fresh), 0, 1)])


@pytest.mark.parametrize(
    ("asked", "kept"), [(120, 120), (0, 0.01), (-5, 0.01), (1e9, 3600), (None, 30)]
)
def test_a_provider_fault_rests_that_model_alone(
    notes: Connection, rider: UUID, asked: float | None, kept: float
) -> None:
    pickups(notes, rider, 2)
    notes.execute("insert into public.notes values (1, 'a')")
    worker = Worker(notes, {"eta": "1", "echo": "1"})
    first, second = Worker(notes, ETA).claim()
    before = value(notes, "select clock_timestamp()")
    assert worker.fail(first, fault="provider", retry_after=asked) == 1
    until = value(notes, "select breaker_until from ml.models where name = 'eta'")
    assert kept <= (until - before).total_seconds() < kept + 1
    waiting = column(notes, "select run_at from ml.retries")  # and as long waits the job
    assert [abs((run_at - until).total_seconds()) < 0.5 for run_at in waiting] == [True]
    assert value(notes, "select breaker_reason from ml.models where name = 'eta'") == "no luck"
    assert value(notes, "select sum(attempts) from ml.queue") == 0

    due_now(notes)
    notes.execute(
        "update ml.models set breaker_until = clock_timestamp() + interval '1 s' where name = 'eta'"
    )
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
    assert {j.row_key for j in again} == {j.row_key for j in jobs}
    held = "select distinct (j.attempts, j.deferrals, j.suspicion)::text"
    assert column(db, f"{held} from ml.leases, unnest(jobs) as j") == ["(0,0,0)"]


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
    db.execute(
        "update ml.jobs set enqueued_at = enqueued_at - interval '1 s' where row_key <> %s",
        [pending_one],
    )
    for job in worker.claim(limit=2):
        if job.row_key == done:
            worker.commit(job)
    cancel = "select ml.cancel('pickup_eta', %s, 'why')"
    assert [value(db, cancel, [key]) for key in (pending_one, running, done)] == [True, True, False]
    assert value(db, "select ml.cancel('no such prediction', %s)", [pending_one]) is False
    assert [receipts(db, key) for key in (pending_one, running, done)] == [
        ["cancelled"], ["cancelled"], ["done"],
    ]  # fmt: skip
    assert owed(db) == []


def test_a_job_that_waits_can_be_cancelled(db: Connection, rider: UUID, worker: Worker) -> None:
    (pickup,) = pickups(db, rider)
    worker.fail(worker.claim_one())
    assert value(db, "select ml.cancel('pickup_eta', %s, 'why')", [str(pickup)]) is True
    assert owed(db) == []
    found = db.execute("select status, error, attempts, owner_id from public.predictions")
    assert found.fetchall() == [("cancelled", "why", 1, rider)]


def test_cancelling_one_job_of_a_batch_leaves_the_others(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    made = pickups(db, rider, 3)
    jobs = worker.claim()
    assert value(db, "select ml.cancel('pickup_eta', %s)", [jobs[1].row_key]) is True
    assert value(db, "select ml.cancel('pickup_eta', %s)", [jobs[1].row_key]) is False
    assert worker.commit(*jobs) == ["done", "done", "stale"]
    assert [receipts(db, job.row_key) for job in jobs] == [["done"], ["cancelled"], ["done"]]
    assert len(made) == 3


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
    assert owed(watcher) == []


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
