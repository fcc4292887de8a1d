"""Rule 1: the output is fenced by its input."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.db.pipeline import (
    COMMIT,
    ETA,
    Connection,
    Worker,
    column,
    dead,
    due_now,
    edit,
    eta,
    eta_of,
    in_background,
    pending,
    pickups,
    receipts,
    value,
    weaken,
)
from tests.personas import make_user

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID


def an_edit_while_the_model_runs_wins(conn: Connection, user: UUID) -> None:
    (pickup,) = pickups(conn, user)
    worker = Worker(conn, ETA)
    late = worker.claim_one()
    edit(conn, pickup, 50)
    newer = worker.claim_one()
    assert newer.input["dest_lat"] == 50
    assert worker.commit(newer, output=eta(700)) == ["done"]
    assert worker.commit(late, output=eta(600)) == ["superseded"]
    assert eta_of(conn, pickup) == (700, "model")


def test_an_edit_while_the_model_runs_wins(db: Connection, rider: UUID) -> None:
    an_edit_while_the_model_runs_wins(db, rider)


def test_without_the_fence_the_late_answer_would_win(db: Connection, rider: UUID) -> None:
    weaken(db, COMMIT, r" and sha256\(convert_to\(f\.input::text, 'UTF8'\)\) = j\.input_hash")
    with pytest.raises(AssertionError):
        an_edit_while_the_model_runs_wins(db, rider)


def test_a_superseded_answer_leaves_the_row_and_the_newer_job(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    (pickup,) = pickups(db, rider)
    late = worker.claim_one()
    edit(db, pickup, 50)
    assert worker.commit(late) == ["superseded"]
    assert eta_of(db, pickup) == (900, "estimate")
    assert pending(db) == [str(pickup)]
    assert receipts(db, pickup) == ["superseded"]
    assert value(db, "select output from public.predictions") is None
    assert worker.commit(worker.claim_one(), output=eta(700)) == ["done"]
    assert eta_of(db, pickup) == (700, "model")


def test_a_late_answer_to_a_row_that_was_answered_since_owes_nothing(
    db: Connection, rider: UUID
) -> None:
    (pickup,) = pickups(db, rider)
    db.execute("update ml.jobs set attempts = 4, enqueued_at = now() - interval '1 minute'")
    worker = Worker(db, ETA)
    late = worker.claim_one()
    edit(db, pickup, 50)
    assert worker.commit(worker.claim_one(), output=eta(700)) == ["done"]
    assert worker.commit(late, output=eta(600)) == ["superseded"]
    assert (pending(db), dead(db)) == ([], [])
    assert receipts(db, pickup) == ["done", "superseded"]


def test_a_superseded_answer_is_not_charged_when_a_newer_job_waits(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    (pickup,) = pickups(db, rider)
    db.execute("update ml.jobs set attempts = 4")  # one more, and it would be dead
    late = worker.claim_one()
    edit(db, pickup, 50)
    assert worker.commit(late) == ["superseded"]
    assert dead(db) == []
    assert receipts(db, pickup) == ["superseded"]


def test_only_the_edited_row_of_a_batch_is_superseded(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    first, second, third = pickups(db, rider, 3)
    jobs = sorted(worker.claim(), key=lambda job: job.row_key)
    edit(db, second, 50)
    assert worker.commit(*jobs, output=eta(700)) == ["done", "superseded", "done"]
    assert [eta_of(db, p)[0] for p in (first, second, third)] == [700, 900, 700]


def test_an_edit_back_and_forth_changes_nothing(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    (pickup,) = pickups(db, rider)
    job = worker.claim_one()
    edit(db, pickup, 50)
    edit(db, pickup, 52.4)
    assert worker.commit(job) == ["done"]
    assert worker.claim() == []  # what the edits owed is answered already
    assert pending(db) == []


def test_a_row_deleted_while_the_model_runs_stays_deleted(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    gone, kept = pickups(db, rider, 2)
    jobs = sorted(worker.claim(), key=lambda job: job.row_key)
    db.execute("delete from public.pickup_requests where id = %s", [gone])
    assert worker.commit(*jobs) == ["superseded", "done"]
    assert value(db, "select id from public.pickup_requests") == kept
    assert receipts(db, gone) == ["superseded"]
    assert value(db, "select count(*) from ml.jobs") == 0


@pytest.mark.parametrize(
    "change",
    [
        "update public.pickup_requests set dest_lat = 50",
        "update public.pickup_requests set status = 'cancelled'",
        "delete from public.pickup_requests",
    ],
)
def test_a_commit_passes_over_a_row_that_is_being_changed(
    connect: Callable[[], Connection], change: str
) -> None:
    editor, session = connect(), connect()
    busy, free = pickups(editor, make_user(editor), 2)
    worker = Worker(session, ETA)
    jobs = {job.row_key: job for job in worker.claim()}
    with editor.transaction():
        editor.execute(f"{change} where id = '{busy}'")
        # Neither waits for the other: the writer may hold what the commit wants, and the reverse.
        assert worker.commit(jobs[str(busy)], jobs[str(free)]) == ["busy", "done"]
    assert receipts(session, busy) == []
    assert set(column(session, "select attempts from ml.jobs")) == {0}
    due_now(session)
    later = worker.claim()
    assert value(session, "select count(*) from ml.jobs") == len(later)
    if "dest_lat" in change:
        assert [job.input["dest_lat"] for job in later] == [50]
    else:
        assert later == []
        assert receipts(session, busy) == ["superseded"]


def test_an_edit_waits_for_a_commit_under_way_and_is_owed_again(
    connect: Callable[[], Connection],
) -> None:
    editor, session, watcher = connect(), connect(), connect()
    (pickup,) = pickups(editor, make_user(editor))
    worker = Worker(session, ETA)
    job = worker.claim_one()
    session.execute("begin")
    assert worker.commit(job) == ["done"]
    with in_background(watcher, editor, lambda: edit(editor, pickup, 50)) as edited:
        session.execute("commit")
    edited.result()
    assert worker.claim_one().input["dest_lat"] == 50


def test_an_unstable_input_ends_among_the_dead_letters(notes: Connection) -> None:
    """An expression that depends on more than the watched columns would be predicted for ever."""
    notes.execute("create sequence public.restless")
    notes.execute(
        "select ml.attach('notes', 'public.notes', 'echo',"
        " 'to_jsonb(nextval(''public.restless''))', array['body'], 'private.apply_notes')"
    )
    notes.execute("insert into public.notes values (1, 'a')")
    worker = Worker(notes, {"echo": "1"})
    for _ in range(5):
        due_now(notes)
        assert worker.commit(worker.claim_one()) == ["superseded"]
    due_now(notes)
    assert worker.claim() == []
    assert dead(notes) == [("1", "input_unstable", 5)]
