"""Rule 2: lease, heartbeat, token."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.db.pipeline import (
    COMMIT,
    ETA,
    FAIL,
    HEARTBEAT,
    Connection,
    Worker,
    dead,
    eta,
    eta_of,
    expire_leases,
    owed,
    pickups,
    receipts,
    reclaim,
    value,
    weaken,
)
from tests.personas import make_user, refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID


def a_zombie_changes_nothing(
    conn: Connection, user: UUID, meanwhile: Callable[[], None] = lambda: None
) -> None:
    (pickup,) = pickups(conn, user)
    zombie, heir = Worker(conn, ETA, "zombie"), Worker(conn, ETA, "heir")
    late = zombie.claim_one()
    reclaim(conn)
    job = heir.claim_one()
    assert job.token != late.token
    meanwhile()
    assert zombie.commit(late, output=eta(600)) == ["stale"]
    assert zombie.fail(late) == 0
    lease = "select lease_until from ml.leases"
    before = value(conn, lease)
    assert zombie.heartbeat(late.token) == []
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
        (COMMIT, r"where x\.token = p_token"),
        (FAIL, r"where x\.token = p_token"),
        (HEARTBEAT, r"where l\.token = any \(p_tokens\)(?=\s+order by)"),
        (HEARTBEAT, r"where l\.token = any \(p_tokens\)(?=;)"),
    ],
)
def test_without_the_token_the_zombie_would_do_harm(
    db: Connection, rider: UUID, function: str, guard: str
) -> None:
    with pytest.raises(AssertionError):
        a_zombie_changes_nothing(db, rider, lambda: weaken(db, function, guard))


def test_a_zombie_is_still_late_after_the_heir_is_done(db: Connection, rider: UUID) -> None:
    (pickup,) = pickups(db, rider)
    worker = Worker(db, ETA)
    late = worker.claim_one()
    reclaim(db)
    worker.commit(worker.claim_one(), output=eta(700))
    assert worker.commit(late, output=eta(600)) == ["stale"]
    assert eta_of(db, pickup) == (700, "model")


def test_a_heartbeat_keeps_the_lease(db: Connection, rider: UUID, worker: Worker) -> None:
    pickups(db, rider, 3)
    jobs = worker.claim()
    expire_leases(db)
    assert worker.heartbeat(jobs[0].token) == [jobs[0].token]
    other = Worker(db, ETA, "other")
    other.heartbeat()
    assert other.claim() == []
    left = value(db, "select extract(epoch from lease_until - clock_timestamp()) from ml.leases")
    assert 10 < left <= 15
    assert set(worker.commit(*jobs)) == {"done"}


def test_a_heartbeat_makes_the_worker_known(db: Connection, worker: Worker) -> None:
    db.execute("delete from ml.workers")
    worker.heartbeat()
    assert worker.heartbeat() == []
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
    first, second, third = worker.claim()
    assert worker.commit(second, output=eta(700)) == ["done"]
    assert eta_of(db, second.row_key) == (700, "model")
    assert owed(db, "running") == sorted([first.row_key, third.row_key])
    assert worker.heartbeat(first.token) == [first.token]
    assert worker.commit(second, output=eta(800)) == ["stale"]  # alone, and in company
    assert worker.commit(third, second, output=eta(800)) == ["done", "stale"]
    assert worker.fail(second) == 0
    assert worker.commit(first, output=eta(800)) == ["done"]
    assert [eta_of(db, j.row_key)[0] for j in (first, second, third)] == [800, 700, 800]
    assert owed(db) == []
    assert worker.heartbeat(first.token) == []


def test_each_output_goes_to_its_own_position(db: Connection, rider: UUID, worker: Worker) -> None:
    pickups(db, rider, 4)
    (lease,) = worker.lease()
    keys = [job.row_key for job in worker.jobs_of(lease)]
    commit = (
        "select * from ml.commit(%s, %s, '1', %s::int[], %s::float8[], %s::float8[],"
        " p_request_id => 'theirs')"
    )
    answers = [lease.token, json.dumps([eta(620), eta(610)]), [3, 2], [0.3, 0.2], [1.3, 1.2]]
    assert db.execute(commit, answers).fetchall() == [("done", 2)]
    answers = [lease.token, json.dumps([eta(640), eta(630)]), [4, 1], None, None]
    assert db.execute(commit, answers).fetchall() == [("done", 2)]
    assert [eta_of(db, key)[0] for key in keys] == [630, 610, 620, 640]
    found = db.execute(
        "select row_key, output, interval_low, interval_high, request_id from public.predictions"
    ).fetchall()
    assert sorted(found, key=lambda row: keys.index(row[0])) == [
        (keys[0], eta(630), None, None, "theirs"),
        (keys[1], eta(610), 0.2, 1.2, "theirs"),
        (keys[2], eta(620), 0.3, 1.3, "theirs"),
        (keys[3], eta(640), None, None, "theirs"),
    ]


@pytest.mark.parametrize("positions", [None, [1], [1, 2, 3]])
def test_a_commit_of_the_wrong_length_writes_nothing(
    db: Connection, rider: UUID, worker: Worker, positions: list[int] | None
) -> None:
    made = pickups(db, rider, 3)
    jobs = worker.claim()
    with refused(db, "PT422", "WRONG_LENGTH"):
        db.execute(
            "select * from ml.commit(%s, %s, '1', %s::int[])",
            [jobs[0].token, json.dumps([eta(600)] * 2), positions],
        )
    assert {eta_of(db, pickup) for pickup in made} == {(900, "estimate")}
    assert worker.commit(*jobs) == ["done"] * 3


@pytest.mark.parametrize("positions", [[0], [4], [-1]])
def test_a_token_covers_its_own_positions_only(
    db: Connection, rider: UUID, worker: Worker, positions: list[int]
) -> None:
    pickups(db, rider, 4)
    mine = worker.claim(limit=3)
    worker.claim(limit=1)
    commit = "select * from ml.commit(%s, %s, '1', %s::int[])"
    results = json.dumps([eta(600)])
    found = db.execute(commit, [mine[0].token, results, positions]).fetchall()
    assert found == [("stale", 1)]
    fail = "select ml.fail(%s, 'item', null, %s::int[])"
    assert value(db, fail, [mine[0].token, positions]) == 0
    assert len(owed(db, "running")) == 4
    assert worker.commit(*mine) == ["done"] * 3


def test_a_position_that_is_named_twice_is_answered_once(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    pickups(db, rider, 2)
    first, second = worker.claim()
    with refused(db, "PT422", "WRONG_LENGTH"):
        db.execute(
            "select * from ml.commit(%s, %s, '1', '{1,1}')",
            [first.token, json.dumps([eta(600), eta(700)])],
        )
    assert value(db, "select ml.fail(%s, 'item', null, '{1,1}')", [first.token]) == 1
    assert owed(db, "waiting") == [first.row_key]
    assert worker.commit(second) == ["done"]


def test_an_expired_lease_is_charged_and_finally_buried(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    (pickup,) = pickups(db, rider)
    for attempts in range(5):
        assert worker.claim_one().attempts == attempts
        reclaim(db)
    assert worker.claim() == []
    assert dead(db) == [(str(pickup), "lease_expired", 5)]
    assert receipts(db, pickup) == ["failed"]
    assert owed(db) == []


def test_any_heartbeat_takes_back_what_a_dead_worker_held(
    connect: Callable[[], Connection],
) -> None:
    dead_one, living = connect(), connect()
    pickups(dead_one, make_user(dead_one), 3)
    jobs = Worker(dead_one, ETA, "dead").claim()
    expire_leases(dead_one)
    heir = Worker(living, ETA, "heir")
    assert heir.claim() == []  # a claim does not look for them
    assert Worker(living, {}, "serves nothing").heartbeat() == []
    taken = heir.claim()
    assert {job.row_key for job in taken} == {job.row_key for job in jobs}
    assert {job.attempts for job in taken} == {0}  # nobody pays for company
    assert Worker(dead_one, ETA).commit(*jobs) == ["stale"] * 3
    assert heir.commit(*taken) == ["done"] * 3


def test_a_heartbeat_passes_over_a_lease_that_is_about_to_end(
    connect: Callable[[], Connection],
) -> None:
    committer, living = connect(), connect()
    pickups(committer, make_user(committer))
    worker = Worker(committer, ETA)
    job = worker.claim_one()
    expire_leases(committer)
    with committer.transaction():
        assert worker.commit(job) == ["done"]
        assert Worker(living, ETA).heartbeat(job.token) == [job.token]  # returns at once
    assert owed(living) == []


def test_a_lease_that_still_runs_is_not_taken(db: Connection, rider: UUID, worker: Worker) -> None:
    pickups(db, rider)
    job = worker.claim_one()
    other = Worker(db, ETA, "other")
    other.heartbeat()
    assert other.claim() == []
    assert worker.commit(job) == ["done"]
