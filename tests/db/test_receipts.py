"""Results, receipts and events."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.db.pipeline import (
    Connection,
    Worker,
    bury,
    column,
    edit,
    eta,
    pickups,
    value,
)
from tests.personas import make_user

if TYPE_CHECKING:
    from uuid import UUID


def test_a_receipt_tells_the_whole_story(db: Connection, rider: UUID, worker: Worker) -> None:
    (pickup,) = pickups(db, rider)
    db.execute("update ml.jobs set enqueued_at = clock_timestamp() - interval '2 s'")
    worker.commit(worker.claim_one(), output=eta(700))
    row = db.execute(
        "select prediction, source_table, row_key, owner_id, model, model_version, status, output,"
        " interval_low, interval_high, attempts, error, request_id, latency_ms"
        " from public.predictions"
    ).fetchone()
    assert row is not None
    assert row[:-1] == (
        "pickup_eta", "public.pickup_requests", str(pickup), rider, "eta", "1", "done", eta(700),
        1, 2, 0, None, "request",
    )  # fmt: skip
    assert 2000 <= row[-1] < 10000


@pytest.mark.parametrize(
    "output",
    [
        {**eta(600), "eta_low_seconds": 601},
        {**eta(600), "eta_seconds": -1},
        {**eta(600), "eta_seconds": None},
        {"something": "else"},
        {**eta(600), "eta_seconds": "soon"},
    ],
)
def test_a_result_that_the_table_refuses_rolls_everything_back(
    db: Connection, rider: UUID, worker: Worker, output: dict[str, Any]
) -> None:
    pickups(db, rider, 2)
    jobs = worker.claim()
    results = json.dumps([eta(600), output])
    with pytest.raises(psycopg.Error) as caught, db.transaction():
        db.execute("select * from ml.commit(%s, %s, '1')", [jobs[0].token, results])
    assert caught.value.sqlstate in {"23514", "23502", "22P02"}
    assert set(column(db, "select eta_source from public.pickup_requests")) == {"estimate"}
    assert column(db, "select status from public.predictions") == []
    assert worker.commit(jobs[0]) == ["done"]
    assert worker.fail(jobs[1]) == 1


def events(conn: Connection, user: UUID) -> list[tuple[str, str]]:
    """(row, status) of each message on somebody's private channel."""
    return conn.execute(
        "select payload ->> 'row_key', payload ->> 'status' from realtime.messages"
        " where topic = %s and private and event = 'prediction' order by 1",
        [f"user:{user}"],
    ).fetchall()


def test_each_done_row_is_told_once_to_its_owner_alone(
    db: Connection, rider: UUID, other: UUID, worker: Worker
) -> None:
    mine, theirs = pickups(db, rider, 2), pickups(db, other, 1)
    assert set(worker.commit(*worker.claim(), output=eta(700))) == {"done"}
    assert events(db, rider) == [(str(p), "done") for p in mine]
    assert events(db, other) == [(str(theirs[0]), "done")]
    assert value(db, "select count(*) from realtime.messages") == 3
    assert value(
        db, "select payload -> 'output' from realtime.messages where topic = %s", [f"user:{other}"]
    ) == eta(700)


def test_what_was_superseded_or_cancelled_is_not_told(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    edited, cancelled = pickups(db, rider, 2)
    jobs = worker.claim()
    edit(db, edited, 50)
    db.execute("select ml.cancel('pickup_eta', %s)", [str(cancelled)])
    assert worker.commit(*jobs) == ["stale", "superseded"]
    assert events(db, rider) == []


def test_a_failure_is_told(db: Connection, rider: UUID, worker: Worker) -> None:
    (pickup,) = pickups(db, rider)
    bury(db, worker)
    assert events(db, rider) == [(str(pickup), "failed")]


def test_a_row_of_nobody_is_told_to_nobody(notes: Connection) -> None:
    notes.execute("insert into public.notes values (1, 'a')")
    worker = Worker(notes, {"echo": "1"})
    assert worker.commit(worker.claim_one()) == ["done"]
    assert value(notes, "select count(*) from realtime.messages") == 0


def test_an_owner_who_is_gone_takes_no_result_down(db: Connection, worker: Worker) -> None:
    user = make_user(db)
    pickups(db, user)
    job = worker.claim_one()
    db.execute("delete from auth.users where id = %s", [user])
    assert worker.commit(job) == ["superseded"]
