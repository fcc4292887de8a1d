"""A prediction that is paused collects jobs and gives none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.db.pipeline import (
    Connection,
    Worker,
    come_back,
    owed,
    pickups,
    value,
)
from tests.personas import make_user

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

PAUSE = "select ml.pause('pickup_eta')"
RESUME = "select ml.resume('pickup_eta')"


def test_nothing_of_a_paused_prediction_is_claimed(notes: Connection, rider: UUID) -> None:
    worker = Worker(notes, {"eta": "1", "echo": "1"})
    pickups(notes, rider, 2)
    come_back(notes)
    pickups(notes, rider, 2)
    notes.execute("insert into public.notes values (1, 'a')")
    assert value(notes, PAUSE) is True
    assert [job.model for job in worker.claim()] == ["echo"]
    pickups(notes, rider)
    assert worker.claim() == []
    assert len(owed(notes, "pending", "waiting")) == 5
    assert value(notes, RESUME) is True
    assert len(worker.claim()) == 5


def test_what_runs_is_finished(db: Connection, rider: UUID, worker: Worker) -> None:
    pickups(db, rider, 3)
    done, failed, released = worker.claim()
    db.execute(PAUSE)
    assert worker.heartbeat(done.token) == [done.token]
    assert worker.commit(done) == ["done"]
    assert worker.fail(failed) == 1
    assert worker.fail(released, fault="release") == 1
    assert worker.claim() == []
    assert len(owed(db, "waiting")) == 2


def test_a_second_pause_keeps_the_time_of_the_first(db: Connection) -> None:
    since = "select paused_at from ml.attachments where name = 'pickup_eta'"
    db.execute(PAUSE)
    first = value(db, since)
    assert value(db, PAUSE) is True
    assert value(db, since) == first is not None
    assert (
        value(db, "select paused_at from ml.queue_stats() where prediction = 'pickup_eta'") == first
    )
    db.execute(RESUME)
    assert value(db, since) is None
    assert value(db, RESUME) is True


def test_what_is_not_attached_can_be_neither(db: Connection) -> None:
    assert value(db, "select ml.pause('nothing')") is False
    assert value(db, "select ml.resume('nothing')") is False


def test_attaching_again_leaves_the_pause(notes: Connection) -> None:
    notes.execute("select ml.pause('notes')")
    notes.execute(
        "select ml.attach('notes', 'public.notes', 'echo', 'to_jsonb(t.body)', array['body'],"
        " 'private.apply_notes')"
    )
    notes.execute("insert into public.notes values (1, 'a')")
    assert Worker(notes, {"echo": "1"}).claim() == []


def test_resuming_wakes_a_sleeper(connect: Callable[[], Connection]) -> None:
    session, sleeper = connect(), connect()
    pickups(session, make_user(session))
    session.execute(PAUSE)
    sleeper.execute("listen rowcast_jobs")
    sleeper.execute("select pg_advisory_lock(20261120, 1)")
    session.execute(RESUME)
    sleeper.execute("select 1")
    assert len(list(sleeper.notifies(timeout=0))) == 1
