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
    come_back,
    due_now,
    edit,
    eta,
    eta_of,
    pending,
    pickups,
    receipts,
)
from tests.personas import make_user, refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID


def test_a_claim_gives_the_row_as_it_is_and_how_to_call_the_model(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    (pickup,) = pickups(db, rider)
    (lease,) = worker.lease()
    assert (lease.prediction, lease.model, lease.size) == ("pickup_eta", "eta", 1)
    assert (lease.batch_size, lease.timeout_ms) == (256, 5000)
    assert (lease.protocol, lease.url, lease.options, lease.version) == (None, None, {}, None)
    (job,) = worker.jobs_of(lease)
    assert (job.row_key, job.attempts) == (str(pickup), 0)
    held = "select worker, request_id, lease_until - leased_at from ml.leases where token = %s"
    found = db.execute(held, [lease.token]).fetchall()
    assert [row[:2] for row in found] == [("worker", "request")]
    assert 14.9 < found[0][2].total_seconds() < 15.1
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
    both = Worker(notes, {"echo": "1", "eta": "1"})
    assert both.claim(p_batches={"eta": 0}) == []  # no hands for it just now
    assert [j.model for j in both.claim()] == ["eta"]


def test_a_remote_model_is_for_those_who_call_out(notes: Connection) -> None:
    notes.execute("""
        insert into public.notes values (1, 'a');
        update ml.models set protocol = 'plain', url = 'https://models.example/echo', version = '7',
          options = '{"a": 1}' where name = 'echo';
    """)
    assert Worker(notes, {"echo": "1"}).claim() == []
    (lease,) = Worker(notes, {"*": "1"}).lease()
    assert (lease.protocol, lease.url) == ("plain", "https://models.example/echo")
    assert (lease.options, lease.version) == ({"a": 1}, "7")


def test_each_model_of_a_claim_has_its_own_token(notes: Connection, rider: UUID) -> None:
    pickups(notes, rider, 2)
    notes.execute("insert into public.notes values (1, 'a'), (2, 'b')")
    jobs = Worker(notes, {"echo": "1", "eta": "1"}).claim()
    tokens = {(job.model, job.token) for job in jobs}
    assert len(jobs) == 4
    assert len(tokens) == len({token for _, token in tokens}) == 2


def test_a_claim_takes_the_oldest_first_and_no_more_than_asked(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    oldest = str(pickups(db, rider, 5)[2])
    db.execute(
        "update ml.jobs set enqueued_at = enqueued_at - interval '1 s' where row_key = %s", [oldest]
    )
    assert [job.row_key for job in worker.claim(limit=1)] == [oldest]
    assert len(worker.claim(limit=3)) == 3
    assert len(worker.claim(limit=3)) == 1


def test_a_batch_is_no_longer_than_the_model_takes(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    pickups(db, rider, 5)
    db.execute("update ml.models set batch_size = 2 where name = 'eta'")
    assert [lease.size for lease in worker.lease(limit=64)] == [2]


def test_fresh_jobs_and_those_that_came_back_travel_apart(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    pickups(db, rider, 2)
    come_back(db, attempts=1)
    pickups(db, rider, 3)
    leases = worker.lease(limit=3)
    assert sorted(lease.size for lease in leases) == [2, 3]
    attempts = [{job.attempts for job in worker.jobs_of(lease)} for lease in leases]
    assert sorted(map(sorted, attempts)) == [[0], [1]]


@pytest.mark.parametrize("limit", [0, -1, 10001, None])
def test_a_claim_without_measure_is_refused(worker: Worker, limit: int) -> None:
    with refused(worker.conn, "PT422", "LIMIT_OUT_OF_RANGE"):
        worker.claim(limit=limit)


def test_what_is_not_due_waits(db: Connection, rider: UUID, worker: Worker) -> None:
    pickups(db, rider)
    come_back(db)
    db.execute("update ml.retries set run_at = clock_timestamp() + interval '1 hour'")
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
    assert {j.row_key for j in mine}.isdisjoint(j.row_key for j in theirs)


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
    db.execute(
        "select ml.enqueue(id, array[%s]) from ml.attachments where name = 'pickup_eta'",
        [str(pickup)],
    )
    assert len(pending(db)) == 1
    assert worker.claim() == []
    assert pending(db) == []
    assert receipts(db, pickup) == ["done"]


def test_a_new_version_of_the_model_predicts_again(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    (pickup,) = pickups(db, rider)
    worker.commit(worker.claim_one())
    db.execute(
        "select ml.enqueue(id, array[%s]) from ml.attachments where name = 'pickup_eta'",
        [str(pickup)],
    )
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
    db.execute(
        "select ml.enqueue(id, array[%s]) from ml.attachments where name = 'pickup_eta'",
        [str(pickup)],
    )
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
        "insert into ml.jobs (attachment_id, row_key) select id, %s from ml.attachments"
        " where name = 'pickup_eta'",
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
