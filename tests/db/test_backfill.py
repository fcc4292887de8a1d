"""Rows that were there before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.db.pipeline import (
    Connection,
    Worker,
    column,
    due_now,
    edit,
    in_background,
    no_jobs,
    owed,
    pending,
    pickups,
    value,
)
from tests.personas import make_user, refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID


def test_a_backfill_goes_on_where_it_stopped(db: Connection, rider: UUID, worker: Worker) -> None:
    made = pickups(db, rider, 25)
    no_jobs(db)
    step = "select * from ml.backfill('pickup_eta', 10)"
    assert db.execute(step).fetchone() == (10, 10, False)
    assert sorted(pending(db)) == [str(p) for p in made[:10]]
    assert db.execute(step).fetchone() == (10, 20, False)
    assert db.execute(step).fetchone() == (5, 25, True)
    assert db.execute(step).fetchone() == (0, 25, True)
    assert sorted(pending(db)) == [str(p) for p in made]
    assert set(column(db, "select is_background from ml.jobs")) == {True}

    (live,) = pickups(db, rider)
    assert str(live) in [job.row_key for job in worker.claim(limit=2)]


def test_a_backfill_that_ends_on_a_full_step_says_so_next_time(db: Connection, rider: UUID) -> None:
    pickups(db, rider, 10)
    step = "select * from ml.backfill('pickup_eta', 10)"
    assert db.execute(step).fetchone() == (10, 10, False)
    assert db.execute(step).fetchone() == (0, 10, True)


def test_a_backfill_leaves_live_jobs_live(db: Connection, rider: UUID) -> None:
    pickups(db, rider, 3)
    db.execute("select ml.backfill('pickup_eta')")
    assert column(db, "select is_background from ml.jobs") == [False] * 3


def test_a_live_write_makes_a_backfilled_job_live(db: Connection, rider: UUID) -> None:
    (pickup,) = pickups(db, rider)
    no_jobs(db)
    db.execute("select ml.backfill('pickup_eta')")
    edit(db, pickup, 50)
    assert column(db, "select is_background from ml.jobs") == [False]


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
    no_jobs(one)
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


# Step by step, by the schedule

ADVANCE = "select ml.advance_backfills(10)"


def test_the_schedule_walks_a_table_to_its_end(db: Connection, rider: UUID) -> None:
    made = pickups(db, rider, 25)
    no_jobs(db)
    assert value(db, ADVANCE) == 0  # none was begun
    db.execute("select ml.backfill('pickup_eta', 1)")
    steps = []
    while not value(db, "select finished_at is not null from ml.backfills"):
        steps.append(value(db, ADVANCE))
        if len(steps) == 2:
            assert len(pending(db)) == 21  # and there it waits, until some are done
            assert value(db, ADVANCE) == 0
            db.execute("delete from ml.jobs")
    assert steps == [10, 10, 4]
    assert value(db, "select enqueued from ml.backfills") == len(made)


def test_a_paused_prediction_is_not_backfilled(db: Connection, rider: UUID) -> None:
    pickups(db, rider, 5)
    db.execute("select ml.backfill('pickup_eta', 1)")
    db.execute("select ml.pause('pickup_eta')")
    assert value(db, ADVANCE) == 0
    db.execute("select ml.resume('pickup_eta')")
    assert value(db, ADVANCE) == 4


def test_a_row_that_is_deleted_meanwhile_stops_no_backfill(
    connect: Callable[[], Connection],
) -> None:
    """Also one whose deletion is not committed: it is asked again, and then found gone."""
    session, writer = connect(), connect()
    gone, *kept = pickups(session, make_user(session), 3)
    no_jobs(session)
    with writer.transaction():
        writer.execute("delete from public.pickup_requests where id = %s", [gone])
        step = "select enqueued, finished from ml.backfill('pickup_eta')"
        assert session.execute(step).fetchone() == (3, True)
        assert sorted(owed(session, "pending")) == [str(p) for p in kept]
        assert owed(session, "waiting") == [str(gone)]
    due_now(session)
    claimed = {job.row_key for job in Worker(session, {"eta": "1"}).claim()}
    assert claimed == {str(p) for p in kept}
    assert owed(session, "pending", "waiting") == []


def test_a_backfill_of_locked_rows_lets_whoever_gives_back_go_first(
    connect: Callable[[], Connection],
) -> None:
    session, writer, giver, filler = (connect() for _ in range(4))
    first, last = sorted(pickups(session, make_user(session), 2), key=str)
    no_jobs(session)
    give_back = (
        "insert into ml.retries as r"
        " select id, %s, ml.nobody(), now(), now(), false, false, 0, 0, 0, 'test'"
        " from ml.attachments where name = 'pickup_eta'"
        " on conflict (attachment_id, row_key) do update set is_new = r.is_new"
    )
    backfill = "select ml.backfill('pickup_eta', p_restart => true)"
    with writer.transaction():
        writer.execute("select from public.pickup_requests for update")
        giver.execute("begin")
        giver.execute(give_back, [str(last)])
        with in_background(session, filler, lambda: filler.execute(backfill)) as filling:
            giver.execute(give_back, [str(first)])
            giver.execute("commit")
        filling.result()
    assert sorted(owed(session, "waiting")) == [str(first), str(last)]
