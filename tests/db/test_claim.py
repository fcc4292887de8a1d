"""What a claim gives, and when a row needs no second call."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.db.pipeline import (
    ETA,
    Connection,
    Worker,
    column,
    due_now,
    edit,
    eta,
    eta_of,
    pending,
    pickups,
    receipts,
    value,
)
from tests.personas import make_user, refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID


def test_a_claim_gives_the_row_as_it_is_and_how_to_call_the_model(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    (pickup,) = pickups(db, rider)
    job = worker.claim_one()
    assert (job.prediction, job.model, job.row_key) == ("pickup_eta", "eta", str(pickup))
    assert (job.attempts, job.batch_size, job.timeout_ms, job.lease_seconds) == (0, 256, 5000, 15)
    assert job.input["dest_lat"] == 52.4
    assert set(job.input) == {
        "origin_lat", "origin_lng", "dest_lat", "dest_lng", "kind", "estimate_seconds",
        "requested_at",
    }  # fmt: skip
    assert worker.claim() == []


def test_a_claim_takes_models_that_the_worker_serves(notes: Connection, rider: UUID) -> None:
    pickups(notes, rider)
    notes.execute("insert into public.notes values (1, 'a')")
    assert [j.model for j in Worker(notes, {"echo": "1"}).claim()] == ["echo"]
    assert Worker(notes, {}).claim() == []
    assert [j.model for j in Worker(notes, {"echo": "1", "eta": "1"}).claim()] == ["eta"]


def test_each_model_of_a_claim_has_its_own_token(notes: Connection, rider: UUID) -> None:
    pickups(notes, rider, 2)
    notes.execute("insert into public.notes values (1, 'a'), (2, 'b')")
    jobs = Worker(notes, {"echo": "1", "eta": "1"}).claim()
    tokens = {(job.model, job.token) for job in jobs}
    assert len(jobs) == 4
    assert len(tokens) == len({token for _, token in tokens}) == 2


def test_a_claim_takes_the_urgent_first_and_no_more_than_asked(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    pickups(db, rider, 5)
    db.execute("update ml.jobs set priority = 200 where id < (select max(id) from ml.jobs)")
    urgent = value(db, "select row_key from ml.jobs where priority = 100")
    assert [job.row_key for job in worker.claim(limit=1)] == [urgent]
    assert len(worker.claim(limit=3)) == 3
    assert len(worker.claim(limit=3)) == 1


@pytest.mark.parametrize("limit", [0, -1, 10001, None])
def test_a_claim_without_measure_is_refused(worker: Worker, limit: int) -> None:
    with refused(worker.conn, "PT422", "LIMIT_OUT_OF_RANGE"):
        worker.claim(limit=limit)


def test_what_is_not_due_waits(db: Connection, rider: UUID, worker: Worker) -> None:
    pickups(db, rider)
    db.execute("update ml.jobs set run_at = clock_timestamp() + interval '1 hour'")
    assert worker.claim() == []
    due_now(db)
    assert len(worker.claim()) == 1


def test_two_workers_never_share_a_job(connect: Callable[[], Connection]) -> None:
    one, two = connect(), connect()
    pickups(one, make_user(one), 6)
    with one.transaction():
        mine = Worker(one, ETA).claim(limit=4)
        theirs = Worker(two, ETA).claim(limit=4)  # returns at once: locked jobs are skipped
    assert (len(mine), len(theirs)) == (4, 2)
    assert {j.job_id for j in mine}.isdisjoint(j.job_id for j in theirs)


def test_a_crowd_of_workers_shares_out_every_job_once(connect: Callable[[], Connection]) -> None:
    sessions = [connect() for _ in range(4)]
    made = pickups(sessions[0], make_user(sessions[0]), 200)

    def drain(session: Connection) -> list[str]:
        worker = Worker(session, ETA)
        taken: list[str] = []
        while jobs := worker.claim(limit=7):
            taken += [job.row_key for job in jobs]
            assert set(worker.commit(*jobs)) == {"done"}
        return taken

    with ThreadPoolExecutor(4) as pool:
        taken = [key for keys in pool.map(drain, sessions) for key in keys]
    # SKIP LOCKED may let the last one leave early, so a straggler looks once more.
    taken += drain(sessions[0])
    assert sorted(taken) == sorted(str(p) for p in made)


def test_an_unchanged_input_costs_no_call(db: Connection, rider: UUID, worker: Worker) -> None:
    (pickup,) = pickups(db, rider)
    assert worker.commit(worker.claim_one()) == ["done"]
    db.execute("select ml.enqueue(id, array[%s]) from ml.attachments", [str(pickup)])
    assert len(pending(db)) == 1
    assert worker.claim() == []
    assert pending(db) == []
    assert receipts(db, pickup) == ["done"]


def test_a_new_version_of_the_model_predicts_again(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    (pickup,) = pickups(db, rider)
    worker.commit(worker.claim_one())
    db.execute("select ml.enqueue(id, array[%s]) from ml.attachments", [str(pickup)])
    second = Worker(db, {"eta": "2"})
    assert second.commit(second.claim_one(), output=eta(800)) == ["done"]
    assert eta_of(db, pickup) == (800, "model")
    assert column(db, "select model_version from public.predictions order by id") == ["1", "2"]


@pytest.mark.parametrize("status", ["superseded", "failed", "cancelled"])
def test_only_an_answer_that_was_written_spares_the_call(
    db: Connection, rider: UUID, worker: Worker, status: str
) -> None:
    (pickup,) = pickups(db, rider)
    worker.commit(worker.claim_one())
    db.execute("update public.predictions set status = %s", [status])
    db.execute("select ml.enqueue(id, array[%s]) from ml.attachments", [str(pickup)])
    assert len(worker.claim()) == 1


def test_an_input_that_returns_to_an_older_state_is_predicted_again(
    connect: Callable[[], Connection],
) -> None:
    """The row holds the answer to the input between, so the older receipt must not count."""
    conn = connect()
    (pickup,) = pickups(conn, make_user(conn))
    worker = Worker(conn, ETA)
    for lat, seconds in ((52.4, 600), (50, 700), (52.4, 601)):
        edit(conn, pickup, lat)
        assert worker.commit(worker.claim_one(), output=eta(seconds)) == ["done"]
        assert eta_of(conn, pickup) == (seconds, "model")


def test_nothing_to_predict_is_superseded(db: Connection, rider: UUID, worker: Worker) -> None:
    (pickup,) = pickups(db, rider)
    db.execute("update public.pickup_requests set status = 'cancelled'")
    db.execute(
        "insert into ml.jobs (attachment_id, row_key) select id, %s from ml.attachments",
        [str(uuid.UUID(int=0))],
    )
    assert worker.claim() == []
    assert pending(db) == []
    found = db.execute(
        "select row_key, status, error, request_id from public.predictions order by row_key"
    )
    assert found.fetchall() == [
        (str(uuid.UUID(int=0)), "superseded", "ROW_GONE", "request"),
        (str(pickup), "superseded", "NO_INPUT", "request"),
    ]
