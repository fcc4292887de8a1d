"""prediction_status: what owners see of their own predictions, and nobody else of them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from psycopg.types.json import Jsonb

from tests.db.pipeline import Connection, column, edit, eta, pickups, receipts, value
from tests.personas import DENIED, as_anon, as_service, as_user, make_user, refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID


def status(conn: Connection, user: UUID, *arguments: Any) -> list[tuple[Any, ...]]:
    """(row, status, reason, attempts) of each line, newest first."""
    places = ", ".join("%s" for _ in arguments)
    with as_user(conn, user):
        return conn.execute(
            "select row_key, status, reason, attempts"
            f" from public.prediction_status({places})".encode(),
            [None if argument is None else str(argument) for argument in arguments],
        ).fetchall()


def claim(conn: Connection, limit: int = 64) -> UUID:
    """Lease what is due; the token."""
    token: UUID = value(conn, """select token from ml.claim('w', '{"eta": "1"}', %s)""", [limit])
    return token


def commit(conn: Connection, token: UUID) -> None:
    conn.execute(
        "select ml.commit(token, array_to_json(array_fill(%s::jsonb, array[cardinality(jobs)]))"
        "::jsonb, '1') from ml.leases where token = %s",
        [Jsonb(eta(600)), token],
    )


def fail(conn: Connection, token: UUID, fault: str, error: str = "secret of the operator") -> None:
    conn.execute("select ml.fail(%s, %s, %s)", [token, fault, error])


def receipt(conn: Connection, owner: UUID | None, status: str, **other: Any) -> None:
    """A receipt of row `x`, `seconds` ago."""
    conn.execute(
        "insert into public.predictions"
        " (prediction, source_table, row_key, owner_id, model, status, error, created_at)"
        " values ('pickup_eta', 'public.pickup_requests', %s, %s, 'eta', %s, %s,"
        " now() - make_interval(secs => %s))",
        [other.get("key", "x"), owner, status, other.get("error"), other.get("ago", 0)],
    )


def test_a_prediction_from_owed_to_done(db: Connection, rider: UUID) -> None:
    assert status(db, rider) == []
    (pickup,) = pickups(db, rider)
    key = str(pickup)
    assert status(db, rider) == [(key, "pending", None, 0)]
    token = claim(db)
    assert status(db, rider) == [(key, "running", None, 0)]
    commit(db, token)
    assert status(db, rider) == [(key, "done", None, 0)]
    edit(db, pickup, 50)
    assert status(db, rider) == [(key, "pending", None, 0)], "what is owed comes first"


def test_an_edit_during_the_run_is_pending_and_then_done(
    connect: Callable[[], Connection],
) -> None:
    conn = connect()
    rider = make_user(conn)
    (pickup,) = pickups(conn, rider)
    stale = claim(conn)
    edit(conn, pickup, 50)
    assert status(conn, rider) == [(str(pickup), "pending", None, 0)]
    commit(conn, claim(conn))
    assert [line[1] for line in status(conn, rider)] == ["running"], "the older batch goes on"
    commit(conn, stale)
    assert receipts(conn, pickup) == ["done", "superseded"]
    assert [line[1] for line in status(conn, rider)] == ["done"]


def test_a_failure_waits_with_its_reason_and_ends(db: Connection, rider: UUID) -> None:
    (pickup,) = pickups(db, rider)
    fail(db, claim(db), "item")
    assert status(db, rider) == [(str(pickup), "pending", "item_fault", 1)]
    with as_user(db, rider):
        assert value(db, "select next_try_at > now() from public.prediction_status()")
    db.execute("update ml.models set max_attempts = 2")
    db.execute("update ml.retries set run_at = clock_timestamp()")
    fail(db, claim(db), "item")
    assert status(db, rider) == [(str(pickup), "failed", "item_fault", 2)]


def test_why_a_job_waits_that_nobody_may_take(db: Connection, rider: UUID) -> None:
    pickups(db, rider)
    next_try = "select next_try_at from public.prediction_status()"
    db.execute("update ml.models set breaker_until = '2100-01-01'")
    assert [line[1:3] for line in status(db, rider)] == [("pending", "provider_fault")]
    with as_user(db, rider):
        assert value(db, next_try).year == 2100
    db.execute("select ml.pause('pickup_eta')")
    assert [line[1:3] for line in status(db, rider)] == [("pending", "paused")]
    db.execute("select ml.resume('pickup_eta')")
    db.execute("update ml.models set breaker_until = '2000-01-01'")
    assert [line[1:3] for line in status(db, rider)] == [("pending", None)]
    with as_user(db, rider):
        assert value(db, next_try) is None


@pytest.mark.parametrize("scope", ["model", "owner"])
def test_a_spent_budget_is_a_reason_to_those_whom_it_holds_up(
    db: Connection, rider: UUID, other: UUID, scope: str
) -> None:
    db.execute("insert into ml.budgets values ('eta', %s, 'calls', 1)", [scope])
    pickups(db, rider)
    claim(db)
    for user in (rider, other):
        pickups(db, user)
    until_midnight = """
        select next_try_at = date_trunc('day', now(), 'UTC') + interval '1 day'
        from public.prediction_status() where reason = 'budget_spent'
    """
    for user, held_up in ((rider, True), (other, scope == "model")):
        reasons = {line[2] for line in status(db, user) if line[1] == "pending"}
        assert reasons == {"budget_spent" if held_up else None}
        with as_user(db, user):
            assert column(db, until_midnight) == ([True] if held_up else [])


def test_a_cancelled_one_says_why(db: Connection, rider: UUID) -> None:
    (pickup,) = pickups(db, rider)
    db.execute("select ml.cancel('pickup_eta', %s, 'not wanted')", [str(pickup)])
    assert status(db, rider) == [(str(pickup), "cancelled", "not wanted", 0)]


@pytest.mark.parametrize(
    ("history", "seen"),
    [
        ([("superseded", None, 9), ("done", None, 5)], "done"),
        ([("done", None, 9), ("superseded", None, 5)], "done"),
        ([("done", None, 9), ("superseded", "ROW_GONE", 5)], "superseded"),
        ([("superseded", "NO_INPUT", 9), ("done", None, 5)], "done"),
        ([("superseded", None, 9)], "superseded"),
        ([("failed", "item_fault", 9), ("done", None, 5)], "done"),
        ([("done", None, 9), ("failed", "item_fault", 5)], "failed"),
        ([("done", None, 9), ("cancelled", None, 5)], "cancelled"),
    ],
)
def test_the_last_receipt_that_says_something_counts(
    db: Connection, rider: UUID, history: list[tuple[str, str | None, int]], seen: str
) -> None:
    for status_, error, ago in history:
        receipt(db, rider, status_, error=error, ago=ago)
    assert [line[1] for line in status(db, rider)] == [seen]
    assert [line[1] for line in status(db, rider, "pickup_eta", "x")] == [seen]


def test_it_is_narrowed_by_prediction_and_row(db: Connection, rider: UUID) -> None:
    first, second = pickups(db, rider, 2)
    both = {str(first), str(second)}
    assert {line[0] for line in status(db, rider)} == both
    assert {line[0] for line in status(db, rider, "pickup_eta")} == both
    assert [line[0] for line in status(db, rider, "pickup_eta", second)] == [str(second)]
    assert [line[0] for line in status(db, rider, None, first)] == [str(first)]
    assert status(db, rider, "another") == []
    assert status(db, rider, "pickup_eta", "x' or true --") == []


def test_nobody_sees_anothers_by_listing_or_by_guessing(
    db: Connection, rider: UUID, other: UUID
) -> None:
    """In every state that a row can be in."""
    (done,) = pickups(db, rider)
    commit(db, claim(db))
    (waits,) = pickups(db, rider)
    fail(db, claim(db), "item")
    (runs,) = pickups(db, rider)
    claim(db)
    (owed,) = pickups(db, rider)
    db.execute("select ml.backfill('pickup_eta')")
    keys = {str(key) for key in (done, waits, runs, owed)}
    assert {line[0] for line in status(db, rider)} == keys
    assert status(db, other) == []
    for key in keys:
        assert status(db, other, None, key) == []
        assert status(db, other, "pickup_eta", key) == []


def test_anothers_job_for_my_old_row_leaves_no_trace(
    db: Connection, rider: UUID, other: UUID
) -> None:
    """A row that changed hands: what it is owed now is not for its old owner to know."""
    (pickup,) = pickups(db, rider)
    commit(db, claim(db))
    db.execute("update public.pickup_requests set user_id = %s", [other])
    edit(db, pickup, 50)
    assert [line[1] for line in status(db, other)] == ["pending"]
    assert [line[1] for line in status(db, rider)] == ["done"]
    fail(db, claim(db), "item")
    assert [line[1] for line in status(db, other)] == ["pending"]
    assert [line[1] for line in status(db, rider)] == ["done"]


def test_nobodys_rows_are_not_for_a_caller_named_nobody(notes: Connection) -> None:
    notes.execute("insert into public.notes values (1, 'a')")
    receipt(notes, None, "done")
    for sub in ("00000000-0000-0000-0000-000000000000", None):
        with as_user(notes, uuid.uuid4()):
            claims = "{}" if sub is None else f'{{"sub": "{sub}"}}'
            notes.execute("select set_config('request.jwt.claims', %s, true)", [claims])
            with refused(notes, "PT401", "NOT_SIGNED_IN"):
                notes.execute("select * from public.prediction_status()")


def test_it_needs_a_user(db: Connection) -> None:
    for persona in (as_anon(db), as_service(db)):
        with persona, refused(db, DENIED):
            db.execute("select * from public.prediction_status()")


def test_the_newest_thousand_are_listed(db: Connection, rider: UUID) -> None:
    pickups(db, rider, 1001)
    # The one that is owed for longest has a receipt that is newer than all: it is cut, not shown.
    db.execute("""
        update ml.jobs set enqueued_at = now() - interval '1 h'
        where row_key = (select min(row_key) from ml.jobs)
    """)
    oldest = value(db, "select row_key from ml.jobs order by enqueued_at limit 1")
    receipt(db, rider, "done", key=oldest, ago=-60)
    lines = status(db, rider)
    assert len(lines) == 1000
    assert {line[1] for line in lines} == {"pending"}
    assert oldest not in {line[0] for line in lines}
    assert [line[:2] for line in status(db, rider, None, oldest)] == [(oldest, "pending")]


def test_lines_come_newest_first(db: Connection, rider: UUID) -> None:
    for ago in (30, 10, 20):
        receipt(db, rider, "done", key=f"k{ago}", ago=ago)
    assert [line[0] for line in status(db, rider)] == ["k10", "k20", "k30"]
