"""A write owes a prediction in its own transaction: once a row, and only when the input changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.db.pipeline import (
    Connection,
    Worker,
    column,
    come_back,
    edit,
    no_jobs,
    owed,
    pending,
    pickups,
    value,
)
from tests.personas import DENIED, as_user, make_user, refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

SLEEPER = "select pg_advisory_lock(20261120, 1)"  # what a worker holds while it sleeps
AWAKE = "select pg_advisory_unlock(20261120, 1)"


def test_a_bulk_insert_is_one_job_a_row(db: Connection, rider: UUID) -> None:
    made = pickups(db, rider, 500)
    assert sorted(pending(db)) == sorted(str(p) for p in made)
    assert column(db, "select distinct owner_id from ml.jobs") == [rider]


def test_an_insert_of_nothing_owes_nothing(db: Connection, rider: UUID) -> None:
    pickups(db, rider, 0)
    assert pending(db) == []


@pytest.mark.parametrize(
    "change",
    [
        "status = 'assigned'",
        "eta_seconds = 1000",
        "cancel_reason = 'x'",
        "dest_lat = dest_lat, kind = kind, requested_at = requested_at",
    ],
)
def test_a_write_that_leaves_the_input_alone_owes_nothing(
    db: Connection, rider: UUID, change: str
) -> None:
    pickups(db, rider, 3)
    no_jobs(db)
    db.execute(f"update public.pickup_requests set {change}")
    assert pending(db) == []


def test_only_the_rows_that_changed_are_owed(db: Connection, rider: UUID) -> None:
    first, _, third = pickups(db, rider, 3)
    no_jobs(db)
    db.execute(
        "update public.pickup_requests"
        " set dest_lat = case when id = any (%s) then 50 else dest_lat end",
        [[first, third]],
    )
    assert sorted(pending(db)) == [str(first), str(third)]


def test_a_value_that_becomes_null_is_a_change(db: Connection) -> None:
    db.execute("""
        create table public.notes (id int primary key, body text);
        create function private.apply_notes(text[], jsonb[], text) returns void
        language sql as 'select';
        select ml.attach('notes', 'public.notes', 'echo', 'to_jsonb(t.body)', array['body'],
          'private.apply_notes');
        insert into public.notes values (1, 'a'), (2, null);
        delete from ml.jobs;
    """)
    db.execute("update public.notes set body = null")
    assert pending(db) == ["1"]
    db.execute("update public.notes set body = 'b'")
    assert sorted(pending(db)) == ["1", "2"]


def test_edits_merge_into_one_pending_job(db: Connection, rider: UUID) -> None:
    (pickup,) = pickups(db, rider)
    since = value(db, "select enqueued_at from ml.jobs")
    for lat in (50, 51, 52):
        edit(db, pickup, lat)
    assert owed(db) == [str(pickup)]
    assert value(db, "select enqueued_at from ml.jobs") == since  # its age is that of the first
    assert Worker(db, {"eta": "1"}).claim_one().input["dest_lat"] == 52


def test_an_edit_makes_a_tired_job_fresh(db: Connection, rider: UUID) -> None:
    (pickup,) = pickups(db, rider)
    db.execute("update ml.jobs set is_background = true")
    come_back(db, attempts=3, deferrals=4)
    db.execute("update ml.retries set run_at = now() + interval '1 hour'")
    edit(db, pickup, 50)
    job = Worker(db, {"eta": "1"}).claim_one()
    assert (job.attempts, job.input["dest_lat"]) == (0, 50)
    held = db.execute(
        "select (unnest(jobs)).deferrals, (unnest(jobs)).is_background from ml.leases"
    )
    assert held.fetchall() == [(0, False)]
    assert owed(db) == [str(pickup)]


def test_nothing_is_predicted_for_a_table_that_was_emptied(db: Connection, rider: UUID) -> None:
    pickups(db, rider, 3)
    db.execute("truncate public.pickup_requests")
    assert Worker(db, {"eta": "1"}).claim() == []
    assert pending(db) == []


def test_a_new_key_is_owed_a_prediction(db: Connection, rider: UUID) -> None:
    pickups(db, rider)
    no_jobs(db)
    db.execute("update public.pickup_requests set id = gen_random_uuid()")
    assert pending(db) == [str(value(db, "select id from public.pickup_requests"))]


def test_a_rollback_leaves_nothing(connect: Callable[[], Connection]) -> None:
    writer, reader = connect(), connect()
    user = make_user(writer)
    with writer.transaction(force_rollback=True):
        pickups(writer, user, 3)
        assert len(pending(writer)) == 3
        assert pending(reader) == []
    assert pending(reader) == []


def test_a_rider_enqueues_without_any_right_on_the_queue(db: Connection, rider: UUID) -> None:
    with as_user(db, rider):
        pickup = value(db, "select id from public.request_pickup(52.5, 13.4, 52.4, 13.3)")
        with refused(db, DENIED):
            db.execute("select from ml.jobs")
    assert pending(db) == [str(pickup)]


def test_upsert_owes_for_both_kinds_of_row(db: Connection) -> None:
    db.execute("""
        create table public.notes (id int primary key, body text);
        create function private.apply_notes(text[], jsonb[], text) returns void
        language sql as 'select';
        select ml.attach('notes', 'public.notes', 'echo', 'to_jsonb(t.body)', array['body'],
          'private.apply_notes');
        insert into public.notes values (1, 'a');
        delete from ml.jobs;
        insert into public.notes values (1, 'b'), (2, 'c')
        on conflict (id) do update set body = excluded.body;
    """)
    assert sorted(pending(db)) == ["1", "2"]


# Waking a sleeper


def heard(listener: Connection) -> int:
    """How many wake-ups have come in; the query makes the server deliver what is committed."""
    listener.execute("select 1")
    return len(list(listener.notifies(timeout=0)))


def test_a_sleeping_worker_is_woken_once_a_transaction(connect: Callable[[], Connection]) -> None:
    writer, sleeper = connect(), connect()
    user = make_user(writer)
    sleeper.execute("listen rowcast_jobs")
    sleeper.execute(SLEEPER)
    with writer.transaction():
        for _ in range(3):
            pickups(writer, user, 10)
    assert heard(sleeper) == 1


def test_nobody_is_notified_while_all_are_awake(connect: Callable[[], Connection]) -> None:
    writer, listener = connect(), connect()
    user = make_user(writer)
    listener.execute("listen rowcast_jobs")
    listener.execute(SLEEPER)
    listener.execute(AWAKE)
    pickups(writer, user, 10)
    assert heard(listener) == 0


def test_a_write_that_owes_nothing_wakes_nobody(connect: Callable[[], Connection]) -> None:
    writer, sleeper = connect(), connect()
    pickups(writer, make_user(writer))
    sleeper.execute("listen rowcast_jobs")
    sleeper.execute(SLEEPER)
    writer.execute("update public.pickup_requests set status = 'assigned'")
    assert heard(sleeper) == 0


def test_who_wants_to_sleep_waits_for_the_writer(connect: Callable[[], Connection]) -> None:
    """Otherwise the writer would not notify, and the sleeper would not see its rows."""
    writer, sleeper = connect(), connect()
    user = make_user(writer)
    try_to_sleep = "select pg_try_advisory_lock(20261120, 1)"
    with writer.transaction():
        pickups(writer, user)
        assert value(sleeper, try_to_sleep) is False
    assert value(sleeper, try_to_sleep) is True
    assert len(pending(sleeper)) == 1
