"""Rows that were there before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.db.pipeline import (
    Connection,
    Worker,
    column,
    edit,
    in_background,
    pending,
    pickups,
)
from tests.personas import make_user, refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID


def test_a_backfill_goes_on_where_it_stopped(db: Connection, rider: UUID, worker: Worker) -> None:
    made = pickups(db, rider, 25)
    db.execute("delete from ml.jobs")
    step = "select * from ml.backfill('pickup_eta', 10)"
    assert db.execute(step).fetchone() == (10, 10, False)
    assert sorted(pending(db)) == [str(p) for p in made[:10]]
    assert db.execute(step).fetchone() == (10, 20, False)
    assert db.execute(step).fetchone() == (5, 25, True)
    assert db.execute(step).fetchone() == (0, 25, True)
    assert sorted(pending(db)) == [str(p) for p in made]
    assert set(column(db, "select priority from ml.jobs")) == {200}

    (live,) = pickups(db, rider)
    assert worker.claim(limit=1)[0].row_key == str(live)


def test_a_backfill_that_ends_on_a_full_step_says_so_next_time(db: Connection, rider: UUID) -> None:
    pickups(db, rider, 10)
    step = "select * from ml.backfill('pickup_eta', 10)"
    assert db.execute(step).fetchone() == (10, 10, False)
    assert db.execute(step).fetchone() == (0, 10, True)


def test_a_backfill_leaves_live_jobs_urgent(db: Connection, rider: UUID) -> None:
    pickups(db, rider, 3)
    db.execute("select ml.backfill('pickup_eta')")
    assert column(db, "select priority from ml.jobs") == [100] * 3


def test_a_live_write_makes_a_backfilled_job_urgent(db: Connection, rider: UUID) -> None:
    (pickup,) = pickups(db, rider)
    db.execute("delete from ml.jobs")
    db.execute("select ml.backfill('pickup_eta')")
    edit(db, pickup, 50)
    assert column(db, "select priority from ml.jobs") == [100]


def test_a_backfill_begins_again_when_told(db: Connection, rider: UUID) -> None:
    pickups(db, rider, 3)
    db.execute("select ml.backfill('pickup_eta')")
    again = db.execute("select * from ml.backfill('pickup_eta', p_restart => true)")
    assert again.fetchone() == (3, 3, True)


def test_two_backfills_take_turns(connect: Callable[[], Connection]) -> None:
    one, two, watcher = connect(), connect(), connect()
    pickups(one, make_user(one), 30)
    step = "select enqueued, total from ml.backfill('pickup_eta', 10)"
    one.execute(step)
    one.execute("delete from ml.jobs")
    one.execute("begin")
    assert one.execute(step).fetchone() == (10, 20)
    with in_background(watcher, two, lambda: two.execute(step).fetchone()) as second:
        one.execute("commit")
    assert second.result() == (10, 30)
    assert len(pending(watcher)) == 20


@pytest.mark.parametrize(
    ("call", "detail"),
    [
        ("ml.backfill('nothing')", "PREDICTION_NOT_FOUND"),
        ("ml.backfill('pickup_eta', 0)", "LIMIT_OUT_OF_RANGE"),
        ("ml.backfill('pickup_eta', 100001)", "LIMIT_OUT_OF_RANGE"),
        ("ml.backfill('pickup_eta', null)", "LIMIT_OUT_OF_RANGE"),
    ],
)
def test_a_backfill_of_nonsense_is_refused(db: Connection, call: str, detail: str) -> None:
    with refused(db, "P0001", detail):
        db.execute(f"select {call}")
