"""Rule 2: lease, heartbeat, token."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.db.pipeline import (
    COMMIT,
    ETA,
    Connection,
    Worker,
    dead,
    eta,
    eta_of,
    expire_leases,
    pickups,
    receipts,
    value,
    weaken,
)

if TYPE_CHECKING:
    from uuid import UUID


def a_zombie_changes_nothing(conn: Connection, user: UUID) -> None:
    (pickup,) = pickups(conn, user)
    zombie, heir = Worker(conn, ETA, "zombie"), Worker(conn, ETA, "heir")
    late = zombie.claim_one()
    expire_leases(conn)
    job = heir.claim_one()
    assert job.token != late.token
    assert zombie.commit(late, output=eta(600)) == ["stale"]
    assert zombie.fail(late) == 0
    lease = "select lease_until from ml.jobs where token is not null"
    before = value(conn, lease)
    assert zombie.heartbeat(late.token)[0][0] is None
    assert value(conn, lease) == before
    assert eta_of(conn, pickup) == (900, "estimate")
    assert heir.commit(job, output=eta(700)) == ["done"]
    assert eta_of(conn, pickup) == (700, "model")
    assert receipts(conn, pickup) == ["done"]


def test_a_zombie_changes_nothing(db: Connection, rider: UUID) -> None:
    a_zombie_changes_nothing(db, rider)


@pytest.mark.parametrize(
    ("function", "guard"),
    [
        (COMMIT, r"j\.token = p_token\s+and"),
        ("ml.fail(uuid, bigint[], text, text, real, text)", r"j\.token = p_token and"),
        ("ml.heartbeat(text, jsonb, uuid[])", r"j\.token = any \(p_tokens\)(?=\s+order by)"),
        ("ml.heartbeat(text, jsonb, uuid[])", r"j\.token = any \(p_tokens\)(?=\s+group by)"),
    ],
)
def test_without_the_token_the_zombie_would_do_harm(
    db: Connection, rider: UUID, function: str, guard: str
) -> None:
    weaken(db, function, guard, "j.token is not null" if "heartbeat" in function else "")
    with pytest.raises(AssertionError):
        a_zombie_changes_nothing(db, rider)


def test_a_zombie_is_still_late_after_the_heir_is_done(db: Connection, rider: UUID) -> None:
    (pickup,) = pickups(db, rider)
    worker = Worker(db, ETA)
    late = worker.claim_one()
    expire_leases(db)
    worker.commit(worker.claim_one(), output=eta(700))
    assert worker.commit(late, output=eta(600)) == ["stale"]
    assert eta_of(db, pickup) == (700, "model")


def test_a_heartbeat_keeps_the_lease(db: Connection, rider: UUID, worker: Worker) -> None:
    pickups(db, rider, 3)
    jobs = worker.claim()
    expire_leases(db)
    assert [row[:3] for row in worker.heartbeat(jobs[0].token)] == [(jobs[0].token, 3, 3)]
    assert Worker(db, ETA, "other").claim() == []
    left = value(db, "select extract(epoch from min(lease_until) - clock_timestamp()) from ml.jobs")
    assert 10 < left <= 15
    assert set(worker.commit(*jobs)) == {"done"}


def test_a_heartbeat_makes_the_worker_known(db: Connection, worker: Worker) -> None:
    db.execute("delete from ml.workers")
    worker.heartbeat()
    assert worker.heartbeat() == [(None, None, 0, 0.0)]
    assert db.execute("select name, models from ml.workers").fetchall() == [("worker", ETA)]
    assert value(db, "select workers_alive from private.health_report()") == 1


def test_a_second_commit_is_stale(db: Connection, rider: UUID, worker: Worker) -> None:
    (pickup,) = pickups(db, rider)
    job = worker.claim_one()
    assert worker.commit(job, output=eta(700)) == ["done"]
    assert worker.commit(job, output=eta(600)) == ["stale"]
    assert eta_of(db, pickup) == (700, "model")
    assert receipts(db, pickup) == ["done"]


def test_a_batch_may_be_committed_in_parts(db: Connection, rider: UUID, worker: Worker) -> None:
    pickups(db, rider, 3)
    first, *others = worker.claim()
    assert worker.commit(first) == ["done"]
    assert worker.commit(*others) == ["done", "done"]


def test_a_token_covers_its_own_jobs_only(db: Connection, rider: UUID, worker: Worker) -> None:
    pickups(db, rider, 2)
    (mine,), (theirs,) = worker.claim(limit=1), worker.claim(limit=1)
    results = json.dumps([{"job_id": theirs.job_id, "output": eta(600)}])
    found = db.execute("select * from ml.commit(%s, %s, '1')", [mine.token, results])
    assert found.fetchall() == [(theirs.job_id, "stale")]
    assert value(db, "select count(*) from ml.jobs where token is not null") == 2


def test_an_expired_lease_is_charged_and_finally_buried(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    (pickup,) = pickups(db, rider)
    for attempts in range(5):
        assert worker.claim_one().attempts == attempts
        expire_leases(db)
    assert worker.claim() == []
    assert dead(db) == [(str(pickup), "lease_expired", 5)]
    assert receipts(db, pickup) == ["failed"]
    assert value(db, "select count(*) from ml.jobs") == 0


def test_a_lease_that_still_runs_is_not_taken(db: Connection, rider: UUID, worker: Worker) -> None:
    pickups(db, rider)
    job = worker.claim_one()
    assert Worker(db, ETA, "other").claim() == []
    assert worker.commit(job) == ["done"]
