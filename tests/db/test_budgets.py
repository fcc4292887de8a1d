"""What may be spent in a day: the claim sees to it, and what is over stays pending."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.db.pipeline import (
    ETA,
    Connection,
    Job,
    Worker,
    column,
    come_back,
    due_now,
    edit,
    eta,
    in_background,
    owed,
    pickups,
    reclaim,
    value,
)
from tests.personas import make_user

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID


def allow(conn: Connection, per_day: int, unit: str = "calls", scope: str = "model") -> None:
    """A budget of the ETA model."""
    conn.execute(
        "insert into ml.budgets values ('eta', %s, %s, %s)"
        " on conflict (model, scope, unit) do update set per_day = excluded.per_day",
        [scope, unit, per_day],
    )


def used(conn: Connection, owner: UUID | None = None) -> tuple[int, int]:
    """Calls and tokens of today, of an owner or of all."""
    row = conn.execute(
        "select calls, tokens from ml.usage"
        " where model = 'eta' and owner_id is not distinct from %s"
        " and day = (now() at time zone 'UTC')::date",
        [owner],
    ).fetchone()
    return (row[0], row[1]) if row else (0, 0)


def next_day(conn: Connection) -> None:
    conn.execute("update ml.usage set day = day - 1")


def commit(worker: Worker, jobs: list[Job], tokens: int) -> None:
    """Answer a whole batch; its server counted these tokens."""
    worker.conn.execute(
        "select * from ml.commit(%s, %s, '1', p_tokens => %s)",
        [jobs[0].token, json.dumps([eta(600)] * len(jobs)), tokens],
    )


def owners(conn: Connection, jobs: list[Job]) -> list[UUID]:
    """Whose these rows are."""
    found = "select user_id from public.pickup_requests where id = any (%s::uuid[])"
    return column(conn, found, [[job.row_key for job in jobs]])


# Calls


def test_no_more_calls_than_the_day_allows(db: Connection, rider: UUID, worker: Worker) -> None:
    pickups(db, rider, 10)
    allow(db, 7)
    assert [len(worker.claim(limit=5)) for _ in range(3)] == [5, 2, 0]
    assert len(owed(db, "pending")) == 3
    assert used(db) == used(db, rider) == (7, 0)
    allow(db, 8)  # a raised budget acts at once
    assert len(worker.claim(limit=5)) == 1


def test_the_next_day_is_free_again(db: Connection, rider: UUID, worker: Worker) -> None:
    pickups(db, rider, 10)
    allow(db, 4)
    allow(db, 4, scope="owner")
    assert [len(worker.claim()) for _ in range(2)] == [4, 0]
    next_day(db)
    assert [len(worker.claim()) for _ in range(2)] == [4, 0]


def test_a_budget_of_nothing_stops_retries_too(db: Connection, rider: UUID, worker: Worker) -> None:
    pickups(db, rider, 4)
    come_back(db)
    pickups(db, rider, 2)
    allow(db, 0)
    assert worker.claim() == []
    allow(db, 3)
    assert len(worker.claim()) == 3  # retries and fresh ones together
    assert worker.claim() == []


def test_predictions_of_one_model_share_its_budget(
    notes: Connection, rider: UUID, worker: Worker
) -> None:
    notes.execute(
        "select ml.attach('notes', 'public.notes', 'eta', 'to_jsonb(t.body)', array['body'],"
        " 'private.apply_notes')"
    )
    notes.execute("insert into public.notes select n, 'x' from generate_series(1, 5) as n")
    pickups(notes, rider, 5)
    allow(notes, 6)
    assert len(worker.claim(limit=5)) == 6
    assert worker.claim() == []


def test_a_row_that_needs_no_call_costs_none(
    connect: Callable[[], Connection],
) -> None:
    session = connect()
    worker = Worker(session, ETA)
    answered, edited = pickups(session, make_user(session), 2)
    session.execute("update ml.attachments set updated_at = now() - interval '1 hour'")
    worker.commit(*worker.claim())
    allow(session, 10)
    session.execute("select ml.backfill('pickup_eta', p_restart => true)")
    session.execute(
        "insert into ml.jobs (attachment_id, row_key) select id, gen_random_uuid()"
        " from ml.attachments where name = 'pickup_eta'"
    )  # of a row that is gone
    assert worker.claim() == []
    assert owed(session) == []
    assert used(session) == (0, 0)
    edit(session, edited, 50)
    session.execute(
        "select ml.enqueue(id, array[%s]) from ml.attachments where name = 'pickup_eta'",
        [str(answered)],
    )
    assert [job.row_key for job in worker.claim()] == [str(edited)]
    assert used(session) == (1, 0)


def test_a_model_without_budget_is_not_counted(db: Connection, rider: UUID, worker: Worker) -> None:
    pickups(db, rider, 2)
    commit(worker, worker.claim(), tokens=10)
    assert value(db, "select count(*) from ml.usage") == 0


# Who bears it


def test_an_owner_whose_budget_is_spent_blocks_nobody(
    db: Connection, rider: UUID, other: UUID, worker: Worker
) -> None:
    pickups(db, rider, 10)
    allow(db, 4, scope="owner")
    assert len(worker.claim(limit=4)) == 4
    assert worker.claim() == []
    theirs = pickups(db, other, 3)
    assert {job.row_key for job in worker.claim()} == {str(p) for p in theirs}
    assert (used(db, rider), used(db, other), used(db)) == ((4, 0), (3, 0), (7, 0))
    assert len(owed(db, "pending")) == 6


def test_no_owner_takes_more_calls_than_the_day_allows(
    db: Connection, rider: UUID, other: UUID, worker: Worker
) -> None:
    pickups(db, rider, 6)
    come_back(db, attempts=1)
    pickups(db, rider, 20)
    pickups(db, other, 3)
    allow(db, 10, scope="owner")
    age = "select row_key, state, attempts, enqueued_at, is_background from ml.queue"
    before = set(db.execute(age).fetchall())
    jobs = worker.claim(limit=64)
    assert sorted(owners(db, jobs)) == sorted([rider] * 10 + [other] * 3)
    assert sum(job.attempts for job in jobs) == 6  # what came back goes first
    left = db.execute(f"{age} where state <> 'running'").fetchall()
    assert len(left) == 16
    assert set(left) <= before  # as they were
    assert worker.claim(limit=64) == []
    allow(db, 12, scope="owner")
    assert owners(db, worker.claim(limit=64)) == [rider] * 2


def test_retries_beyond_an_owners_calls_go_back_as_they_were(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    pickups(db, rider, 8)
    come_back(db, attempts=2, deferrals=1)
    allow(db, 3, scope="owner")
    assert len(worker.claim()) == 3
    kept = (
        "select distinct (attempts, deferrals, run_at <= clock_timestamp())::text from ml.retries"
    )
    assert column(db, kept) == ["(2,1,t)"]
    assert len(owed(db, "waiting")) == 5


def test_nor_do_their_retries(db: Connection, rider: UUID, other: UUID, worker: Worker) -> None:
    pickups(db, rider, 4)
    allow(db, 4, scope="owner")
    worker.fail(*worker.claim(), fault="item")
    theirs = pickups(db, other, 2)
    worker.fail(*worker.claim(), fault="item")
    due_now(db)
    assert {job.row_key for job in worker.claim()} == {str(p) for p in theirs}
    assert len(owed(db, "waiting")) == 4


def test_retries_that_wait_for_a_fresh_job_keep_no_room_from_it(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    rows = pickups(db, rider, 4)
    come_back(db)
    for row in rows:
        edit(db, row, 50)
    allow(db, 100, scope="owner")
    assert len(worker.claim(limit=4)) == 4
    assert owed(db, "pending", "waiting") == []


def test_retries_of_a_spent_owner_keep_no_room_from_others(
    db: Connection, rider: UUID, other: UUID, worker: Worker
) -> None:
    pickups(db, rider, 4)
    allow(db, 4, scope="owner")
    worker.fail(*worker.claim(), fault="item")
    due_now(db)
    theirs = pickups(db, other, 2)
    assert {job.row_key for job in worker.claim(limit=4)} == {str(p) for p in theirs}


def test_retries_of_running_rows_keep_no_room_from_others(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    rows = pickups(db, rider, 4)
    come_back(db)
    allow(db, 100)
    for row in rows:
        edit(db, row, 50)
    db.execute("create table public.kept as select * from ml.retries")
    assert len(worker.claim(limit=4)) == 4
    db.execute("insert into ml.retries select * from public.kept")
    fresh = pickups(db, rider, 2)
    assert {job.row_key for job in worker.claim(limit=4)} == {str(p) for p in fresh}


def test_rows_of_nobody_have_no_budget_of_their_own(notes: Connection) -> None:
    notes.execute("insert into public.notes select n, 'x' from generate_series(1, 5) as n")
    notes.execute("insert into ml.budgets values ('echo', 'owner', 'calls', 2)")
    worker = Worker(notes, {"echo": "1"})
    assert len(worker.claim()) == 5
    assert worker.claim() == []
    notes.execute("update public.notes set body = 'y'")
    assert len(worker.claim()) == 5


# Tokens


def test_tokens_are_counted_when_they_are_known_and_then_bind(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    pickups(db, rider, 40)
    allow(db, 100, unit="tokens")
    first = worker.claim(limit=5)
    commit(worker, first, tokens=50)
    assert used(db) == used(db, rider) == (5, 50)
    second = worker.claim(limit=20)
    assert len(second) == 5  # what fits at ten tokens a call
    commit(worker, second, tokens=70)
    assert used(db) == (10, 120)
    assert worker.claim() == []
    next_day(db)
    assert len(worker.claim(limit=20)) == 20


def test_an_owners_tokens_bind_that_owner(
    db: Connection, rider: UUID, other: UUID, worker: Worker
) -> None:
    pickups(db, rider, 6)
    pickups(db, other, 2)
    allow(db, 30, unit="tokens", scope="owner")
    commit(worker, worker.claim(limit=4), tokens=80)
    assert (used(db, rider), used(db, other), used(db)) == ((2, 40), (2, 40), (4, 80))
    assert worker.claim() == []
    (theirs,) = pickups(db, make_user(db))
    assert [job.row_key for job in worker.claim()] == [str(theirs)]


def test_the_tightest_of_several_budgets_binds(db: Connection, rider: UUID, worker: Worker) -> None:
    pickups(db, rider, 20)
    allow(db, 1000, unit="tokens")
    allow(db, 3)
    assert [len(worker.claim()) for _ in range(2)] == [3, 0]


# What comes back


@pytest.mark.parametrize("fault", ["provider", "release"])
def test_calls_that_were_not_made_are_given_back(
    db: Connection, rider: UUID, worker: Worker, fault: str
) -> None:
    pickups(db, rider, 5)
    allow(db, 5)
    allow(db, 5, scope="owner")
    jobs = worker.claim()
    assert used(db, rider) == (5, 0)
    worker.fail(*jobs[:2], fault=fault)
    assert used(db) == used(db, rider) == (3, 0)
    db.execute("update ml.models set breaker_until = null")
    due_now(db)
    assert len(worker.claim()) == 2
    assert used(db) == used(db, rider) == (5, 0)


@pytest.mark.parametrize("fault", ["item", "batch", "lease_expired"])
def test_calls_that_were_made_are_not(
    db: Connection, rider: UUID, worker: Worker, fault: str
) -> None:
    pickups(db, rider, 5)
    allow(db, 5)
    jobs = worker.claim()
    if fault == "lease_expired":
        reclaim(db)
    else:
        worker.fail(*jobs, fault=fault)
    due_now(db)
    assert worker.claim() == []
    assert used(db) == used(db, rider) == (5, 0)


def test_what_was_spent_yesterday_is_not_given_back_today(
    db: Connection, rider: UUID, other: UUID, worker: Worker
) -> None:
    pickups(db, rider, 5)
    allow(db, 5)
    jobs = worker.claim()
    next_day(db)
    pickups(db, other, 1)
    assert len(worker.claim()) == 1
    next_day(db)  # and then a third day
    worker.fail(*jobs[:2], fault="release")
    assert used(db) == used(db, rider) == (0, 0)
    assert len(worker.claim()) == 2
    worker.fail(*jobs[2:], fault="release")
    assert used(db, rider) == (0, 0) or used(db, rider) == (2, 0)
    assert value(db, "select min(calls) from ml.usage") >= 0


# Two at once


def test_two_claims_cannot_spend_the_same_rest(connect: Callable[[], Connection]) -> None:
    one, two, watcher = connect(), connect(), connect()
    pickups(one, make_user(one), 11)
    allow(one, 7)
    assert len(Worker(one, ETA).claim(limit=1)) == 1
    with one.transaction():
        assert len(Worker(one, ETA).claim(limit=4)) == 4
        waiting = in_background(watcher, two, lambda: Worker(two, ETA).claim(limit=4))
        with waiting as late:
            one.execute("commit")
            assert len(late.result()) == 2
            one.execute("begin")
    assert used(watcher) == (7, 0)


def test_nor_when_the_first_has_only_looked(connect: Callable[[], Connection]) -> None:
    one, two, watcher = connect(), connect(), connect()
    pickups(one, make_user(one), 10)
    allow(one, 6)
    assert len(Worker(one, ETA).claim(limit=1)) == 1  # the day has begun
    one.execute("begin")
    one.execute("select ml.allowance('eta', 4)")  # as a claim begins
    with in_background(watcher, two, lambda: Worker(two, ETA).claim(limit=4)) as late:
        assert len(Worker(one, ETA).claim(limit=4)) == 4
        one.execute("commit")
    assert len(late.result()) == 1
    assert used(watcher) == (6, 0)


def test_claims_of_two_models_with_budgets_do_not_deadlock(
    connect: Callable[[], Connection],
) -> None:
    """They lock the days' sums in one order, whatever order the attachments come in."""
    session = connect()
    session.execute(
        "create table public.notes (id int primary key, body text);"
        "create function private.apply_notes(text[], jsonb[], text) returns void"
        " language sql as 'select';"
        "select ml.attach('notes', 'public.notes', 'echo', 'to_jsonb(t.body)', array['body'],"
        " 'private.apply_notes');"
        "insert into ml.budgets values ('echo', 'model', 'calls', 100000)"
    )
    try:
        session.execute("insert into public.notes select n, 'x' from generate_series(1, 1000) as n")
        pickups(session, make_user(session), 1000)
        allow(session, 100_000)

        def claims(worker: Worker) -> int:
            return sum(len(worker.lease(limit=2)) for _ in range(200))

        workers = [Worker(connect(), {"eta": "1", "echo": "1"}) for _ in range(4)]
        with ThreadPoolExecutor(len(workers)) as pool:
            assert sum(pool.map(claims, workers)) == 1000
        assert used(session) == (1000, 0)
    finally:
        session.execute("select ml.detach('notes')")
        session.execute("drop table public.notes; drop function private.apply_notes")
        session.execute("delete from ml.models where name = 'echo'")


def test_owners_who_spent_theirs_hide_nobody_behind_them(db: Connection, worker: Worker) -> None:
    spent = [make_user(db) for _ in range(10)]
    for user in spent:
        pickups(db, user, 2)
    allow(db, 1, scope="owner")
    assert set(owners(db, worker.claim(limit=10))) == set(spent)
    for _ in range(3):  # somewhere among the ten, and behind them
        last = make_user(db)
        pickups(db, last, 1)
        assert owners(db, worker.claim(limit=1)) == [last]
    assert worker.claim() == []


def test_a_spent_owners_suspect_hides_nobodys_retry(
    db: Connection, rider: UUID, other: UUID, worker: Worker
) -> None:
    pickups(db, rider)
    allow(db, 1, scope="owner")
    worker.claim_one()
    reclaim(db)
    (theirs,) = pickups(db, other)
    allow(db, 2, scope="owner")
    db.execute("update ml.usage set calls = 2 where owner_id = %s", [rider])
    worker.fail(worker.claim_one())
    due_now(db)
    db.execute("update ml.retries set run_at = run_at - interval '1 s' where suspicion > 0")
    assert [job.row_key for job in worker.claim()] == [str(theirs)]
