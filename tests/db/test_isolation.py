"""One row's trouble, or one writer's lock, stays its own."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.db.pipeline import Worker, column, due_now, edit, eta, owed, pickups, receipts, value
from tests.personas import as_user, make_user, refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

Connection = psycopg.Connection[tuple[Any, ...]]

ETA = {"eta": "1"}
RATIOS = """
create table public.ratios (id {key} primary key, n integer, score double precision);
create function private.apply_ratios(p_row_keys text[], p_outputs jsonb[], p_model_version text)
returns void language sql set search_path = '' as $$
  update public.ratios as r set score = (o.output ->> 'eta_seconds')::double precision
  from unnest(p_row_keys, p_outputs) as o (row_key, output) where r.id::text = o.row_key
$$;
"""
ATTACH = """
select ml.attach(
  'ratio', 'public.ratios', 'echo', $$jsonb_build_object('x', 10 / t.n)$$, array['n'],
  'private.apply_ratios'
)
"""


@pytest.fixture
def ratios(db: Connection) -> Connection:
    """A table whose input expression raises for n = 0."""
    db.execute(RATIOS.format(key="integer").encode())
    db.execute(ATTACH.encode())
    return db


def test_an_input_that_raises_is_that_rows_fault(ratios: Connection, rider: UUID) -> None:
    ratios.execute("insert into public.ratios values (1, 5), (2, 0), (3, 10)")
    pickups(ratios, rider)
    jobs = Worker(ratios, {"echo": "1", **ETA}).claim()
    assert sorted(job.input.get("x", 0) for job in jobs) == [0, 1, 2]
    waiting = ratios.execute("select row_key, attempts, reason from ml.retries").fetchall()
    assert waiting == [("2", 1, "input_fault")]


def test_an_input_that_keeps_raising_ends_among_the_dead_letters(ratios: Connection) -> None:
    ratios.execute("insert into public.ratios values (2, 0)")
    for _ in range(5):
        assert Worker(ratios, {"echo": "1"}).claim() == []
        due_now(ratios)
    found = ratios.execute("select reason, error from ml.dead_letters").fetchall()
    assert found == [("input_fault", "division by zero")]
    receipt = ratios.execute("select status, error, attempts, request_id from public.predictions")
    assert receipt.fetchall() == [("failed", "input_fault", 5, "request")]


def test_a_dropped_table_stops_nobody_else(ratios: Connection, rider: UUID) -> None:
    ratios.execute("insert into public.ratios values (1, 5)")
    ratios.execute("drop table public.ratios cascade")
    pickups(ratios, rider)
    assert [job.model for job in Worker(ratios, {"echo": "1", **ETA}).claim()] == ["eta"]


def test_moving_to_a_table_with_other_keys_forgets_the_old_jobs(ratios: Connection) -> None:
    ratios.execute("insert into public.ratios values (1, 5)")
    ratios.execute("create table public.others (id uuid primary key, n integer)")
    ratios.execute(ATTACH.replace("ratios'", "others'", 1).encode())
    assert owed(ratios) == []


@pytest.mark.parametrize("key", ["char(3)", "timestamptz", "numeric", "bit(4)", "bytea"])
def test_a_key_whose_text_depends_on_the_session_is_refused(db: Connection, key: str) -> None:
    db.execute(RATIOS.format(key=key).encode())
    with pytest.raises(psycopg.errors.RaiseException) as raised:
        db.execute(ATTACH.encode())
    assert raised.value.diag.message_detail == "ATTACH_KEY_TYPE"


def answer_all(conn: Connection, version: str = "1") -> int:
    """Claim and commit whatever is due; how many."""
    worker = Worker(conn, {"echo": version})
    jobs = worker.claim()
    if jobs:
        worker.commit(*jobs)
    return len(jobs)


def test_a_row_that_comes_again_under_its_old_key_is_predicted(ratios: Connection) -> None:
    ratios.execute("insert into public.ratios values (7, 5)")
    assert answer_all(ratios) == 1
    ratios.execute("delete from public.ratios")
    ratios.execute("insert into public.ratios values (7, 5)")
    assert answer_all(ratios) == 1
    assert value(ratios, "select score from public.ratios") == 600


def test_a_row_that_comes_again_is_predicted_also_after_a_release(ratios: Connection) -> None:
    ratios.execute("insert into public.ratios values (7, 5)")
    answer_all(ratios)
    ratios.execute("truncate public.ratios")
    ratios.execute("insert into public.ratios values (7, 5)")
    worker = Worker(ratios, {"echo": "1"})
    worker.fail(worker.claim_one(), fault="release")
    assert answer_all(ratios) == 1


def test_another_model_of_the_same_version_is_asked(ratios: Connection) -> None:
    ratios.execute("insert into public.ratios values (7, 5)")
    answer_all(ratios)
    ratios.execute("update public.predictions set created_at = created_at - interval '1 s'")
    ratios.execute(ATTACH.replace("'echo'", "'other'").encode())
    ratios.execute("select ml.backfill('ratio')")
    assert len(Worker(ratios, {"other": "1"}).claim()) == 1


def test_the_same_attach_again_spares_the_calls(ratios: Connection) -> None:
    ratios.execute("insert into public.ratios values (7, 5)")
    ratios.execute("update ml.attachments set updated_at = updated_at - interval '1 s'")
    answer_all(ratios)
    ratios.execute(ATTACH.encode())
    ratios.execute("select ml.backfill('ratio')")
    assert answer_all(ratios) == 0


def test_a_dead_letter_that_is_redriven_is_asked_even_if_answered_before(
    ratios: Connection,
) -> None:
    ratios.execute("insert into public.ratios values (7, 5)")
    ratios.execute("update ml.attachments set updated_at = updated_at - interval '1 s'")
    answer_all(ratios)
    ratios.execute(
        "insert into ml.dead_letters (attachment_id, row_key, attempts, reason)"
        " select id, '7', 5, 'item_fault' from ml.attachments where name = 'ratio'"
    )
    ratios.execute("select ml.redrive('ratio')")
    assert answer_all(ratios) == 1


def test_two_leases_on_one_row_never_wait_for_each_other(db: Connection, rider: UUID) -> None:
    """The older yields to the newer without a charge; the newer, superseded too, is owed again."""
    (pickup,) = pickups(db, rider)
    worker = Worker(db, ETA)
    db.execute("update ml.models set max_attempts = 1 where name = 'eta'")
    older = worker.claim_one()
    edit(db, pickup, 50)
    newer = worker.claim_one()
    assert worker.commit(older) == ["superseded"]
    assert value(db, "select count(*) from ml.dead_letters") == 0
    assert worker.commit(newer, output=eta(700)) == ["done"]
    assert receipts(db, pickup) == ["superseded", "done"]


def test_the_operators_error_text_is_not_the_owners(db: Connection, rider: UUID) -> None:
    pickups(db, rider)
    worker = Worker(db, ETA)
    db.execute("update ml.models set max_attempts = 1 where name = 'eta'")
    worker.fail(worker.claim_one())
    with as_user(db, rider):
        assert column(db, "select error from public.predictions") == ["item_fault"]
    assert value(db, "select error from ml.dead_letters") == "no luck"


def test_a_word_of_the_model_on_the_input_is(db: Connection, rider: UUID) -> None:
    pickups(db, rider)
    db.execute("update ml.models set max_attempts = 1 where name = 'eta'")
    worker = Worker(db, ETA)
    worker.fail(worker.claim_one(), error="INVALID_INPUT: too far")
    with as_user(db, rider):
        assert column(db, "select error from public.predictions") == ["INVALID_INPUT: too far"]


def test_provider_faults_do_not_wear_a_job(db: Connection, rider: UUID) -> None:
    pickups(db, rider)
    worker = Worker(db, ETA)
    for _ in range(6):
        worker.fail(worker.claim_one(), fault="provider")
        db.execute("update ml.models set breaker_until = null")
        due_now(db)
    worker.fail(worker.claim_one(), fault="batch")
    assert db.execute("select attempts, deferrals from ml.retries").fetchall() == [(0, 1)]


def test_a_pickup_for_a_deleted_account_has_a_token(db: Connection) -> None:
    user = make_user(db)
    db.execute("delete from auth.users where id = %s", [user])
    with as_user(db, user), refused(db, "PT404", "ACCOUNT_NOT_FOUND"):
        db.execute("select public.request_pickup(1, 1, 2, 2)")


def test_writers_and_workers_do_not_deadlock(connect: Callable[[], Connection]) -> None:
    """Bulk updates in heap order beside claims, commits, faults and heartbeats of the same rows."""
    writer, beating, *workers = (connect() for _ in range(4))
    user = make_user(writer)
    pickups(writer, user, 200)
    writer.execute(
        "update ml.models set backoff_seconds = 0, max_attempts = 100 where name = 'eta'"
    )
    stop = threading.Event()

    def work(session: Connection, fault: bool) -> None:
        worker = Worker(session, ETA)
        while not stop.is_set():
            jobs = worker.claim(100)
            if jobs and fault:
                worker.fail(*jobs, fault="batch")
            elif jobs:
                worker.commit(*jobs)

    def beat() -> None:
        worker = Worker(beating, ETA)
        while not stop.is_set():
            tokens = column(beating, "select token from ml.leases")
            worker.heartbeat(*tokens)

    def write() -> None:
        try:
            for turn in range(40):
                order = "desc" if turn % 2 else "asc"
                writer.execute(
                    "update public.pickup_requests as p set dest_lat = p.dest_lat + 0.001 from"
                    f" (select id from public.pickup_requests order by md5(id::text) {order}) as o"
                    " where p.id = o.id"
                )
        finally:
            stop.set()

    with ThreadPoolExecutor(4) as pool:
        running = [
            pool.submit(write),
            pool.submit(beat),
            pool.submit(work, workers[0], fault=False),
            pool.submit(work, workers[1], fault=True),
        ]
    for task in running:
        task.result()
    assert value(writer, "select count(*) from ml.dead_letters") == 0
