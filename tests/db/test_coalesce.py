"""Rule 3: coalesce, never collide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.db.pipeline import (
    ETA,
    Connection,
    Worker,
    column,
    due_now,
    edit,
    owed,
    pickups,
    reclaim,
    weaken,
)
from tests.personas import make_user

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID


def edits_merge_behind_a_running_job(
    conn: Connection, user: UUID, meanwhile: Callable[[], None] = lambda: None
) -> None:
    (pickup,) = pickups(conn, user)
    Worker(conn, ETA).claim_one()
    meanwhile()
    for lat in (50, 51, 52):
        edit(conn, pickup, lat)
    assert owed(conn, "pending") == [str(pickup)]
    assert owed(conn, "running") == [str(pickup)]


def test_edits_merge_behind_a_running_job(db: Connection, rider: UUID) -> None:
    edits_merge_behind_a_running_job(db, rider)


def test_without_merging_each_edit_would_be_a_job(db: Connection, rider: UUID) -> None:
    def stop_merging() -> None:
        db.execute("alter table ml.jobs drop constraint jobs_pkey")
        merge = r"(?s)on conflict \(attachment_id.*?(?=;)"
        weaken(db, "ml.tg_pickup_eta__update()", merge)

    with pytest.raises(AssertionError):
        edits_merge_behind_a_running_job(db, rider, stop_merging)


@pytest.mark.parametrize("fault", ["item", "batch", "provider", "release"])
def test_a_retry_merges_into_the_newer_job(
    db: Connection, rider: UUID, worker: Worker, fault: str
) -> None:
    (pickup,) = pickups(db, rider)
    job = worker.claim_one()
    edit(db, pickup, 50)
    assert worker.fail(job, fault=fault) == 1
    db.execute("update ml.models set breaker_until = null")
    newer = worker.claim_one()
    assert (newer.attempts, newer.input["dest_lat"]) == (0, 50)
    assert owed(db) == [str(pickup)]


def test_an_expired_lease_merges_into_the_newer_job(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    (pickup,) = pickups(db, rider)
    worker.claim_one()
    edit(db, pickup, 50)
    reclaim(db)
    assert worker.claim_one().attempts == 0
    assert owed(db) == [str(pickup)]


@pytest.mark.parametrize("end", ["commit", "rollback"])
@pytest.mark.parametrize("fault", ["item", "batch", "provider", "release"])
def test_a_failure_does_not_wait_for_an_edit_under_way(
    connect: Callable[[], Connection], fault: str, end: str
) -> None:
    editor, session = connect(), connect()
    (pickup,) = pickups(editor, make_user(editor))
    worker = Worker(session, ETA)
    job = worker.claim_one()
    editor.execute("begin")
    edit(editor, pickup, 50)  # its pending job is not committed yet
    assert worker.fail(job, fault=fault) == 1
    editor.execute(end)
    session.execute("update ml.models set breaker_until = null")
    due_now(session)
    # The retry and the edit's job, if there is one, are one call with the row as it is now.
    assert worker.claim_one().input["dest_lat"] == (50 if end == "commit" else 52.4)
    assert owed(session) == [str(pickup)]


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_an_edit_does_not_wait_for_a_failure_under_way(
    connect: Callable[[], Connection], end: str
) -> None:
    editor, session = connect(), connect()
    (pickup,) = pickups(editor, make_user(editor))
    worker = Worker(session, ETA)
    job = worker.claim_one()
    session.execute("begin")
    worker.fail(job)
    edit(editor, pickup, 50)
    session.execute(end)
    if end == "rollback":  # then the first lease stands, and ends some other way
        reclaim(session)
    due_now(session)
    assert worker.claim_one().input["dest_lat"] == 50
    assert owed(session) == [str(pickup)]


def test_a_row_that_is_new_stays_so_when_its_job_yields(
    connect: Callable[[], Connection],
) -> None:
    session = connect()
    (pickup,) = pickups(session, make_user(session))
    worker = Worker(session, ETA)
    job = worker.claim_one()
    edit(session, pickup, 50)
    worker.fail(job)
    worker.claim_one()
    assert column(session, "select (unnest(jobs)).is_new from ml.leases") == [True]
    assert owed(session) == [str(pickup)]


def test_also_when_it_yields_to_a_job_that_runs(connect: Callable[[], Connection]) -> None:
    session = connect()
    (pickup,) = pickups(session, make_user(session))
    worker = Worker(session, ETA)
    job = worker.claim_one()
    edit(session, pickup, 50)
    younger = worker.claim_one()
    worker.fail(job)
    assert owed(session) == [str(pickup)]
    worker.fail(younger)
    assert column(session, "select is_new from ml.retries") == [True]
