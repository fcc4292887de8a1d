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
    come_back,
    dead,
    due_now,
    edit,
    eta,
    eta_of,
    in_background,
    owed,
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
    weaken(db, COMMIT, r" and f\.hash = j\.input_hash")
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
    come_back(db, attempts=4)  # one more, and it would be dead
    worker = Worker(db, ETA)
    late = worker.claim_one()
    db.execute("update ml.leases set leased_at = now() - interval '1 minute'")
    edit(db, pickup, 50)
    assert worker.commit(worker.claim_one(), output=eta(700)) == ["done"]
    assert worker.commit(late, output=eta(600)) == ["superseded"]
    assert (pending(db), dead(db)) == ([], [])
    assert receipts(db, pickup) == ["done", "superseded"]


def test_a_superseded_answer_is_not_charged_when_a_newer_job_waits(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    (pickup,) = pickups(db, rider)
    come_back(db, attempts=4)  # one more, and it would be dead
    late = worker.claim_one()
    edit(db, pickup, 50)
    assert worker.commit(late) == ["superseded"]
    assert (pending(db), dead(db)) == ([str(pickup)], [])
    assert receipts(db, pickup) == ["superseded"]


def test_only_the_edited_row_of_a_batch_is_superseded(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    first, second, third = pickups(db, rider, 3)
    jobs = worker.claim()
    edit(db, second, 50)
    assert worker.commit(*jobs, output=eta(700)) == ["done", "done", "superseded"]
    assert [receipts(db, p) for p in (first, second, third)] == [
        ["done"], ["superseded"], ["done"],
    ]  # fmt: skip
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
    jobs = worker.claim()
    db.execute("delete from public.pickup_requests where id = %s", [gone])
    assert worker.commit(*jobs) == ["done", "superseded"]
    assert value(db, "select id from public.pickup_requests") == kept
    assert [receipts(db, p) for p in (gone, kept)] == [["superseded"], ["done"]]
    assert owed(db) == []


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
    jobs = worker.claim()
    with editor.transaction():
        editor.execute(f"{change} where id = '{busy}'")
        # Neither waits for the other: the writer may hold what the commit wants, and the reverse.
        assert worker.commit(*jobs) == ["busy", "done"]
    assert [receipts(session, p) for p in (busy, free)] == [[], ["done"]]
    assert set(column(session, "select attempts from ml.queue")) == {0}
    due_now(session)
    later = worker.claim()
    assert owed(session) == [job.row_key for job in later]
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
