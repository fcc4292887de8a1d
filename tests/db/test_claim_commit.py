"""The rules of the pipeline that SQL alone can show, mostly by being late, twice or in the way."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.db.pipeline import (
    Connection,
    Worker,
    column,
    due_now,
    edit,
    eta,
    eta_of,
    expire_leases,
    in_background,
    pending,
    pickups,
    receipts,
    value,
    weaken,
)
from tests.personas import as_user, make_user, refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

ETA = {"eta": "1"}
COMMIT = "ml.commit(uuid, jsonb, text, text)"


@pytest.fixture
def worker(db: Connection) -> Worker:
    return Worker(db, ETA)


@pytest.fixture
def notes(db: Connection) -> Connection:
    """A second attached table, whose model is `echo`."""
    db.execute("""
        create table public.notes (id int primary key, body text, answer jsonb);
        create function private.apply_notes(text[], jsonb[], text) returns void language sql as $$
          update public.notes as n set answer = o.output
          from unnest($1, $2) as o (row_key, output) where n.id = o.row_key::int
        $$;
        select ml.attach('notes', 'public.notes', 'echo', 'jsonb_build_object(''body'', t.body)',
          array['body'], 'private.apply_notes');
    """)
    return db


def dead(conn: Connection) -> list[tuple[Any, ...]]:
    return conn.execute(
        "select row_key, reason, attempts from ml.dead_letters order by id"
    ).fetchall()


# What a claim gives


def test_a_claim_gives_the_row_as_it_is_and_how_to_call_the_model(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    (pickup,) = pickups(db, rider)
    job = worker.claim_one()
    assert (job.prediction, job.model, job.row_key) == ("pickup_eta", "eta", str(pickup))
    assert (job.attempts, job.batch_size, job.timeout_ms, job.lease_seconds) == (0, 256, 5000, 15)
    assert job.input["dest_lat"] == 52.4
    assert set(job.input) == {
        "origin_lat", "origin_lng", "dest_lat", "dest_lng", "kind", "estimate_seconds",
        "requested_at",
    }  # fmt: skip
    assert worker.claim() == []


def test_a_claim_takes_models_that_the_worker_serves(notes: Connection, rider: UUID) -> None:
    pickups(notes, rider)
    notes.execute("insert into public.notes values (1, 'a')")
    assert [j.model for j in Worker(notes, {"echo": "1"}).claim()] == ["echo"]
    assert Worker(notes, {}).claim() == []
    assert [j.model for j in Worker(notes, {"echo": "1", "eta": "1"}).claim()] == ["eta"]


def test_each_model_of_a_claim_has_its_own_token(notes: Connection, rider: UUID) -> None:
    pickups(notes, rider, 2)
    notes.execute("insert into public.notes values (1, 'a'), (2, 'b')")
    jobs = Worker(notes, {"echo": "1", "eta": "1"}).claim()
    tokens = {(job.model, job.token) for job in jobs}
    assert len(jobs) == 4
    assert len(tokens) == len({token for _, token in tokens}) == 2


def test_a_claim_takes_the_urgent_first_and_no_more_than_asked(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    pickups(db, rider, 5)
    db.execute("update ml.jobs set priority = 200 where id < (select max(id) from ml.jobs)")
    urgent = value(db, "select row_key from ml.jobs where priority = 100")
    assert [job.row_key for job in worker.claim(limit=1)] == [urgent]
    assert len(worker.claim(limit=3)) == 3
    assert len(worker.claim(limit=3)) == 1


@pytest.mark.parametrize("limit", [0, -1, 10001, None])
def test_a_claim_without_measure_is_refused(worker: Worker, limit: int) -> None:
    with refused(worker.conn, "PT422", "LIMIT_OUT_OF_RANGE"):
        worker.claim(limit=limit)


def test_what_is_not_due_waits(db: Connection, rider: UUID, worker: Worker) -> None:
    pickups(db, rider)
    db.execute("update ml.jobs set run_at = clock_timestamp() + interval '1 hour'")
    assert worker.claim() == []
    due_now(db)
    assert len(worker.claim()) == 1


def test_two_workers_never_share_a_job(connect: Callable[[], Connection]) -> None:
    one, two = connect(), connect()
    pickups(one, make_user(one), 6)
    with one.transaction():
        mine = Worker(one, ETA).claim(limit=4)
        theirs = Worker(two, ETA).claim(limit=4)  # returns at once: locked jobs are skipped
    assert (len(mine), len(theirs)) == (4, 2)
    assert {j.job_id for j in mine}.isdisjoint(j.job_id for j in theirs)


def test_a_crowd_of_workers_shares_out_every_job_once(connect: Callable[[], Connection]) -> None:
    sessions = [connect() for _ in range(4)]
    made = pickups(sessions[0], make_user(sessions[0]), 200)

    def drain(session: Connection) -> list[str]:
        worker = Worker(session, ETA)
        taken: list[str] = []
        while jobs := worker.claim(limit=7):
            taken += [job.row_key for job in jobs]
            assert set(worker.commit(*jobs)) == {"done"}
        return taken

    with ThreadPoolExecutor(4) as pool:
        taken = [key for keys in pool.map(drain, sessions) for key in keys]
    # SKIP LOCKED may let the last one leave early, so a straggler looks once more.
    taken += drain(sessions[0])
    assert sorted(taken) == sorted(str(p) for p in made)


# Rule 1: the output is fenced by its input


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


# The same input is not predicted twice


def test_an_unchanged_input_costs_no_call(db: Connection, rider: UUID, worker: Worker) -> None:
    (pickup,) = pickups(db, rider)
    assert worker.commit(worker.claim_one()) == ["done"]
    db.execute("select ml.enqueue(id, array[%s]) from ml.attachments", [str(pickup)])
    assert len(pending(db)) == 1
    assert worker.claim() == []
    assert pending(db) == []
    assert receipts(db, pickup) == ["done"]


def test_a_new_version_of_the_model_predicts_again(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    (pickup,) = pickups(db, rider)
    worker.commit(worker.claim_one())
    db.execute("select ml.enqueue(id, array[%s]) from ml.attachments", [str(pickup)])
    second = Worker(db, {"eta": "2"})
    assert second.commit(second.claim_one(), output=eta(800)) == ["done"]
    assert eta_of(db, pickup) == (800, "model")
    assert column(db, "select model_version from public.predictions order by id") == ["1", "2"]


@pytest.mark.parametrize("status", ["superseded", "failed", "cancelled"])
def test_only_an_answer_that_was_written_spares_the_call(
    db: Connection, rider: UUID, worker: Worker, status: str
) -> None:
    (pickup,) = pickups(db, rider)
    worker.commit(worker.claim_one())
    db.execute("update public.predictions set status = %s", [status])
    db.execute("select ml.enqueue(id, array[%s]) from ml.attachments", [str(pickup)])
    assert len(worker.claim()) == 1


def test_an_input_that_returns_to_an_older_state_is_predicted_again(
    connect: Callable[[], Connection],
) -> None:
    """The row holds the answer to the input between, so the older receipt must not count."""
    conn = connect()
    (pickup,) = pickups(conn, make_user(conn))
    worker = Worker(conn, ETA)
    for lat, seconds in ((52.4, 600), (50, 700), (52.4, 601)):
        edit(conn, pickup, lat)
        assert worker.commit(worker.claim_one(), output=eta(seconds)) == ["done"]
        assert eta_of(conn, pickup) == (seconds, "model")


def test_nothing_to_predict_is_superseded(db: Connection, rider: UUID, worker: Worker) -> None:
    (pickup,) = pickups(db, rider)
    db.execute("update public.pickup_requests set status = 'cancelled'")
    db.execute(
        "insert into ml.jobs (attachment_id, row_key) select id, %s from ml.attachments",
        [str(uuid.UUID(int=0))],
    )
    assert worker.claim() == []
    assert pending(db) == []
    found = db.execute(
        "select row_key, status, error, request_id from public.predictions order by row_key"
    )
    assert found.fetchall() == [
        (str(uuid.UUID(int=0)), "superseded", "ROW_GONE", "request"),
        (str(pickup), "superseded", "NO_INPUT", "request"),
    ]


# Rule 2: lease, heartbeat, token


def a_zombie_changes_nothing(conn: Connection, user: UUID) -> None:
    (pickup,) = pickups(conn, user)
    zombie, heir = Worker(conn, ETA, "zombie"), Worker(conn, ETA, "heir")
    late = zombie.claim_one()
    expire_leases(conn)
    job = heir.claim_one()
    assert job.token != late.token
    assert zombie.commit(late, output=eta(600)) == ["stale"]
    assert zombie.fail(late) == 0
    lease = "select lease_until from ml.jobs where token is not null"
    before = value(conn, lease)
    assert zombie.heartbeat(late.token)[0][0] is None
    assert value(conn, lease) == before
    assert eta_of(conn, pickup) == (900, "estimate")
    assert heir.commit(job, output=eta(700)) == ["done"]
    assert eta_of(conn, pickup) == (700, "model")
    assert receipts(conn, pickup) == ["done"]


def test_a_zombie_changes_nothing(db: Connection, rider: UUID) -> None:
    a_zombie_changes_nothing(db, rider)


@pytest.mark.parametrize(
    ("function", "guard"),
    [
        (COMMIT, r"j\.token = p_token\s+and"),
        ("ml.fail(uuid, bigint[], text, text, real, text)", r"j\.token = p_token and"),
        ("ml.heartbeat(text, jsonb, uuid[])", r"j\.token = any \(p_tokens\)(?=\s+order by)"),
        ("ml.heartbeat(text, jsonb, uuid[])", r"j\.token = any \(p_tokens\)(?=\s+group by)"),
    ],
)
def test_without_the_token_the_zombie_would_do_harm(
    db: Connection, rider: UUID, function: str, guard: str
) -> None:
    weaken(db, function, guard, "j.token is not null" if "heartbeat" in function else "")
    with pytest.raises(AssertionError):
        a_zombie_changes_nothing(db, rider)


def test_a_zombie_is_still_late_after_the_heir_is_done(db: Connection, rider: UUID) -> None:
    (pickup,) = pickups(db, rider)
    worker = Worker(db, ETA)
    late = worker.claim_one()
    expire_leases(db)
    worker.commit(worker.claim_one(), output=eta(700))
    assert worker.commit(late, output=eta(600)) == ["stale"]
    assert eta_of(db, pickup) == (700, "model")


def test_a_heartbeat_keeps_the_lease(db: Connection, rider: UUID, worker: Worker) -> None:
    pickups(db, rider, 3)
    jobs = worker.claim()
    expire_leases(db)
    assert [row[:3] for row in worker.heartbeat(jobs[0].token)] == [(jobs[0].token, 3, 3)]
    assert Worker(db, ETA, "other").claim() == []
    left = value(db, "select extract(epoch from min(lease_until) - clock_timestamp()) from ml.jobs")
    assert 10 < left <= 15
    assert set(worker.commit(*jobs)) == {"done"}


def test_a_heartbeat_makes_the_worker_known(db: Connection, worker: Worker) -> None:
    db.execute("delete from ml.workers")
    worker.heartbeat()
    assert worker.heartbeat() == [(None, None, 0, 0.0)]
    assert db.execute("select name, models from ml.workers").fetchall() == [("worker", ETA)]
    assert value(db, "select workers_alive from private.health_report()") == 1


def test_a_second_commit_is_stale(db: Connection, rider: UUID, worker: Worker) -> None:
    (pickup,) = pickups(db, rider)
    job = worker.claim_one()
    assert worker.commit(job, output=eta(700)) == ["done"]
    assert worker.commit(job, output=eta(600)) == ["stale"]
    assert eta_of(db, pickup) == (700, "model")
    assert receipts(db, pickup) == ["done"]


def test_a_batch_may_be_committed_in_parts(db: Connection, rider: UUID, worker: Worker) -> None:
    pickups(db, rider, 3)
    first, *others = worker.claim()
    assert worker.commit(first) == ["done"]
    assert worker.commit(*others) == ["done", "done"]


def test_a_token_covers_its_own_jobs_only(db: Connection, rider: UUID, worker: Worker) -> None:
    pickups(db, rider, 2)
    (mine,), (theirs,) = worker.claim(limit=1), worker.claim(limit=1)
    results = json.dumps([{"job_id": theirs.job_id, "output": eta(600)}])
    found = db.execute("select * from ml.commit(%s, %s, '1')", [mine.token, results])
    assert found.fetchall() == [(theirs.job_id, "stale")]
    assert value(db, "select count(*) from ml.jobs where token is not null") == 2


def test_an_expired_lease_is_charged_and_finally_buried(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    (pickup,) = pickups(db, rider)
    for attempts in range(5):
        assert worker.claim_one().attempts == attempts
        expire_leases(db)
    assert worker.claim() == []
    assert dead(db) == [(str(pickup), "lease_expired", 5)]
    assert receipts(db, pickup) == ["failed"]
    assert value(db, "select count(*) from ml.jobs") == 0


def test_a_lease_that_still_runs_is_not_taken(db: Connection, rider: UUID, worker: Worker) -> None:
    pickups(db, rider)
    job = worker.claim_one()
    assert Worker(db, ETA, "other").claim() == []
    assert worker.commit(job) == ["done"]


# Rule 3: coalesce, never collide


def edits_merge_behind_a_running_job(
    conn: Connection, user: UUID, meanwhile: Callable[[], None] = lambda: None
) -> None:
    (pickup,) = pickups(conn, user)
    Worker(conn, ETA).claim_one()
    meanwhile()
    for lat in (50, 51, 52):
        edit(conn, pickup, lat)
    assert pending(conn) == [str(pickup)]


def test_edits_merge_behind_a_running_job(db: Connection, rider: UUID) -> None:
    edits_merge_behind_a_running_job(db, rider)


def test_without_merging_each_edit_would_be_a_job(db: Connection, rider: UUID) -> None:
    def stop_merging() -> None:
        db.execute("drop index ml.jobs_pending_key")
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
    newer = value(db, "select id from ml.jobs where token is null")
    assert worker.fail(job, fault=fault) == 1
    assert db.execute("select id, attempts, run_at <= now() from ml.jobs").fetchall() == [
        (newer, 0, True)
    ]


def test_an_expired_lease_merges_into_the_newer_job(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    (pickup,) = pickups(db, rider)
    worker.claim_one()
    edit(db, pickup, 50)
    expire_leases(db)
    assert worker.claim_one().attempts == 0
    assert value(db, "select count(*) from ml.jobs") == 1


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
    assert value(session, "select count(*) from ml.jobs") == 1


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
    expire_leases(session)
    due_now(session)
    assert worker.claim_one().input["dest_lat"] == 50
    assert value(session, "select count(*) from ml.jobs") == 1


def test_a_row_that_is_new_stays_so_when_its_job_yields(
    connect: Callable[[], Connection],
) -> None:
    session = connect()
    (pickup,) = pickups(session, make_user(session))
    worker = Worker(session, ETA)
    job = worker.claim_one()
    edit(session, pickup, 50)
    worker.fail(job)
    assert column(session, "select is_new from ml.jobs") == [True]


# Rule 6: faults have classes


def test_an_item_fault_backs_off_twice_as_long_each_time(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    pickups(db, rider)
    db.execute("update ml.models set max_attempts = 100")
    for attempt in range(14):
        due_now(db)
        job = worker.claim_one()
        assert job.attempts == attempt
        assert worker.fail(job) == 1
        wait = value(db, "select extract(epoch from run_at - clock_timestamp()) from ml.jobs")
        planned = min(3600, 2 * 2**attempt)
        assert 0.8 * planned - 0.5 <= wait <= 1.2 * planned
        assert worker.claim() == []


def test_the_wait_is_jittered(db: Connection, rider: UUID, worker: Worker) -> None:
    pickups(db, rider, 40)
    worker.fail(*worker.claim())
    waits = [
        float(w)
        for w in column(db, "select extract(epoch from run_at - clock_timestamp()) from ml.jobs")
    ]
    assert max(waits) - min(waits) > 0.2


def test_an_item_fault_ends_among_the_dead_letters(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    (pickup,) = pickups(db, rider)
    for _ in range(5):
        due_now(db)
        worker.fail(worker.claim_one())
    assert dead(db) == [(str(pickup), "item_fault", 5)]
    assert value(db, "select error from ml.dead_letters") == "no luck"
    assert value(db, "select count(*) from ml.jobs") == 0
    receipt = db.execute(
        "select status, attempts, error, request_id, owner_id, model from public.predictions"
    ).fetchall()
    assert receipt == [("failed", 5, "item_fault", "request", rider, "eta")]


def test_one_bad_item_costs_the_others_nothing(db: Connection, rider: UUID, worker: Worker) -> None:
    pickups(db, rider, 3)
    bad, *good = worker.claim()
    assert worker.fail(bad) == 1
    assert worker.commit(*good) == ["done", "done"]
    assert db.execute("select row_key, attempts from ml.jobs").fetchall() == [(bad.row_key, 1)]


def test_a_batch_fault_charges_nobody_until_the_sixth_time(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    pickups(db, rider, 2)
    for time in range(1, 8):
        due_now(db)
        jobs = worker.claim()
        assert worker.fail(*jobs, fault="batch") == 2
        assert set(column(db, "select attempts from ml.jobs")) == {max(0, time - 5)}
        assert worker.claim() == []
    for _ in range(3):
        due_now(db)
        worker.fail(*worker.claim(), fault="batch")
    assert [row[1:] for row in dead(db)] == [("batch_fault", 5)] * 2


def test_a_worn_job_does_not_drag_its_batch_along(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    pickups(db, rider, 2)
    db.execute("update ml.jobs set deferrals = 5 where id = (select min(id) from ml.jobs)")
    assert worker.fail(*worker.claim(), fault="batch") == 2
    found = db.execute("select attempts, deferrals from ml.jobs order by id").fetchall()
    assert found == [(1, 5), (0, 1)]


@pytest.mark.parametrize(("asked", "kept"), [(120, 120), (0, 1), (-5, 1), (1e9, 3600), (None, 30)])
def test_a_provider_fault_rests_that_model_alone(
    notes: Connection, rider: UUID, asked: float | None, kept: float
) -> None:
    pickups(notes, rider, 2)
    notes.execute("insert into public.notes values (1, 'a')")
    worker = Worker(notes, {"eta": "1", "echo": "1"})
    first, second = Worker(notes, ETA).claim()
    assert worker.fail(first, fault="provider", retry_after=asked) == 1
    rest = "select extract(epoch from breaker_until - clock_timestamp()) from ml.models"
    assert kept - 1 < value(notes, f"{rest} where name = 'eta'") <= kept
    assert value(notes, "select breaker_reason from ml.models where name = 'eta'") == "no luck"
    assert value(notes, "select sum(attempts) from ml.jobs") == 0

    due_now(notes)
    assert [job.model for job in worker.claim()] == ["echo"]
    assert worker.commit(second) == ["done"]  # who has its answer already may give it
    notes.execute("update ml.models set breaker_until = clock_timestamp()")
    assert [job.row_key for job in worker.claim()] == [first.row_key]


def test_a_release_frees_the_jobs_at_once_and_charges_nobody(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    pickups(db, rider, 3)
    jobs = worker.claim()
    assert worker.fail(*jobs, fault="release") == 3
    again = Worker(db, ETA, "other").claim()
    assert {j.job_id for j in again} == {j.job_id for j in jobs}
    assert column(db, "select distinct (attempts, deferrals)::text from ml.jobs") == ["(0,0)"]


def test_a_release_wakes_a_sleeper(connect: Callable[[], Connection]) -> None:
    session, sleeper = connect(), connect()
    pickups(session, make_user(session))
    worker = Worker(session, ETA)
    job = worker.claim_one()
    sleeper.execute("listen rowcast_jobs")
    sleeper.execute("select pg_advisory_lock(20261120, 1)")
    worker.fail(job, fault="release")
    sleeper.execute("select 1")
    assert len(list(sleeper.notifies(timeout=0))) == 1


def test_an_unknown_class_of_fault_is_refused(db: Connection, rider: UUID, worker: Worker) -> None:
    pickups(db, rider)
    job = worker.claim_one()
    for fault in ("", "other", None):
        with refused(db, "PT422", "UNKNOWN_FAULT_CLASS"):
            worker.fail(job, fault=fault)  # type: ignore[arg-type]
    assert worker.commit(job) == ["done"]


# Cancelling and redriving


def test_cancel_says_whether_anything_was_owed(db: Connection, rider: UUID, worker: Worker) -> None:
    pending_one, running, done = (str(p) for p in pickups(db, rider, 3))
    db.execute("update ml.jobs set priority = 1 where row_key <> %s", [pending_one])
    for job in worker.claim(limit=2):
        if job.row_key == done:
            worker.commit(job)
    cancel = "select ml.cancel('pickup_eta', %s, 'why')"
    assert [value(db, cancel, [key]) for key in (pending_one, running, done)] == [True, True, False]
    assert value(db, "select ml.cancel('no such prediction', %s)", [pending_one]) is False
    assert [receipts(db, key) for key in (pending_one, running, done)] == [
        ["cancelled"], ["cancelled"], ["done"],
    ]  # fmt: skip
    assert value(db, "select count(*) from ml.jobs") == 0


def test_cancelling_while_a_commit_is_under_way_is_no_deadlock(
    connect: Callable[[], Connection],
) -> None:
    rider, session, watcher = connect(), connect(), connect()
    user = make_user(rider)
    (pickup,) = pickups(rider, user)
    worker = Worker(session, ETA)
    job = worker.claim_one()
    with rider.transaction():
        rider.execute("select from public.pickup_requests for update")
        assert worker.commit(job) == ["busy"]
        with as_user(rider, user):
            rider.execute("select public.cancel_pickup(%s)", [pickup])
    assert value(watcher, "select status from public.pickup_requests") == "cancelled"
    assert value(watcher, "select count(*) from ml.jobs") == 0


def bury(db: Connection, worker: Worker) -> None:
    """Let everything that is owed die."""
    db.execute("update ml.models set max_attempts = 1")
    worker.fail(*worker.claim())
    db.execute("update ml.models set max_attempts = 5")


def test_a_redrive_gives_dead_letters_a_new_life(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    made = pickups(db, rider, 3)
    bury(db, worker)
    assert len(dead(db)) == 3
    with refused(db, "P0001", "PREDICTION_NOT_FOUND"):
        db.execute("select ml.redrive('other')")
    assert value(db, "select ml.redrive('pickup_eta', 2)") == 2
    assert value(db, "select ml.redrive()") == 1
    assert dead(db) == []
    jobs = worker.claim()
    assert {job.row_key for job in jobs} == {str(p) for p in made}
    assert {job.attempts for job in jobs} == {0}
    assert set(worker.commit(*jobs)) == {"done"}
    assert set(column(db, "select owner_id from public.predictions")) == {rider}


def test_a_redrive_merges_with_what_is_owed(db: Connection, rider: UUID, worker: Worker) -> None:
    (pickup,) = pickups(db, rider)
    bury(db, worker)
    edit(db, pickup, 50)
    bury(db, worker)
    assert len(dead(db)) == 2
    edit(db, pickup, 51)
    assert value(db, "select ml.redrive()") == 2
    assert pending(db) == [str(pickup)]


# Backfill


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


# Rule 8: webhooks are taken once, together with their effect


def change(key: Any, table: str = "pickup_requests", **more: Any) -> dict[str, Any]:
    return {"schema": "public", "table": table, "record": {"id": key}, **more}


def test_a_webhook_owes_its_row_and_claims_it(db: Connection, rider: UUID, worker: Worker) -> None:
    first, _ = pickups(db, rider, 2)
    db.execute("delete from ml.jobs")
    jobs = worker.claim(p_webhook_id="msg_1", p_change=change(str(first)))
    assert [job.row_key for job in jobs] == [str(first)]


def test_a_replayed_webhook_is_refused(db: Connection, rider: UUID, worker: Worker) -> None:
    pickups(db, rider)
    assert len(worker.claim(p_webhook_id="msg_1")) == 1
    pickups(db, rider)
    with refused(db, "PT409", "WEBHOOK_REPLAYED"):
        worker.claim(p_webhook_id="msg_1")
    assert len(worker.claim(p_webhook_id="msg_2")) == 1


def test_two_deliveries_at_once_are_one(connect: Callable[[], Connection]) -> None:
    one, two, watcher = connect(), connect(), connect()
    one.execute("begin")
    Worker(one, ETA).claim(p_webhook_id="msg_1")
    with in_background(watcher, two, lambda: Worker(two, ETA).claim(p_webhook_id="msg_1")) as late:
        one.execute("commit")
    with pytest.raises(psycopg.Error, match="received before"):
        late.result()


def test_an_id_is_forgotten_when_its_effect_is_rolled_back(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    (pickup,) = pickups(db, rider)
    with refused(db, "PT404", "TABLE_NOT_ATTACHED"):
        worker.claim(p_webhook_id="msg_1", p_change=change("x", table="profiles"))
    assert column(db, "select id from ml.webhook_deliveries") == []
    assert len(worker.claim(p_webhook_id="msg_1", p_change=change(str(pickup)))) == 1


@pytest.mark.parametrize(
    "payload",
    [
        change("1", table="profiles"),
        change("1", table="nothing"),
        change("1", table='x"; drop table y; --'),
        change("1", schema="nowhere"),
        {"schema": "public", "record": {"id": "1"}},
        {"table": "pickup_requests", "record": {"id": "1"}},
        {"schema": "", "table": ""},
        {},
        [],
        "text",
        None,
    ],
)
def test_a_table_that_is_not_attached_is_refused(
    db: Connection, worker: Worker, payload: Any
) -> None:
    with refused(db, "PT404", "TABLE_NOT_ATTACHED"):
        worker.claim(p_webhook_id="msg_1", p_change=payload)


@pytest.mark.parametrize(
    "payload",
    [
        change("not a uuid"),
        change(None),
        change(["x"]),
        change(str(uuid.UUID(int=0))),
        {"schema": "public", "table": "pickup_requests"},
        {"schema": "public", "table": "pickup_requests", "record": None},
        {"schema": "public", "table": "pickup_requests", "record": [1]},
    ],
)
def test_a_key_that_names_no_row_owes_nothing(
    db: Connection, rider: UUID, worker: Worker, payload: dict[str, Any]
) -> None:
    pickups(db, rider)
    db.execute("delete from ml.jobs")
    assert worker.claim(p_webhook_id="msg_1", p_change=payload) == []
    assert pending(db) == []


# Results, receipts and events


def test_a_receipt_tells_the_whole_story(db: Connection, rider: UUID, worker: Worker) -> None:
    (pickup,) = pickups(db, rider)
    db.execute("update ml.jobs set enqueued_at = clock_timestamp() - interval '2 s'")
    worker.commit(worker.claim_one(), output=eta(700))
    row = db.execute(
        "select prediction, source_table, row_key, owner_id, model, model_version, status, output,"
        " interval_low, interval_high, attempts, error, request_id, latency_ms"
        " from public.predictions"
    ).fetchone()
    assert row is not None
    assert row[:-1] == (
        "pickup_eta", "public.pickup_requests", str(pickup), rider, "eta", "1", "done", eta(700),
        1, 2, 0, None, "request",
    )  # fmt: skip
    assert 2000 <= row[-1] < 10000


@pytest.mark.parametrize(
    "output",
    [
        {**eta(600), "eta_low_seconds": 601},
        {**eta(600), "eta_seconds": -1},
        {**eta(600), "eta_seconds": None},
        {"something": "else"},
        {**eta(600), "eta_seconds": "soon"},
    ],
)
def test_a_result_that_the_table_refuses_rolls_everything_back(
    db: Connection, rider: UUID, worker: Worker, output: dict[str, Any]
) -> None:
    pickups(db, rider, 2)
    jobs = worker.claim()
    good, bad = (
        {"job_id": j.job_id, "output": o} for j, o in zip(jobs, (eta(600), output), strict=True)
    )
    with pytest.raises(psycopg.Error) as caught, db.transaction():
        db.execute("select * from ml.commit(%s, %s, '1')", [jobs[0].token, json.dumps([good, bad])])
    assert caught.value.sqlstate in {"23514", "23502", "22P02"}
    assert set(column(db, "select eta_source from public.pickup_requests")) == {"estimate"}
    assert column(db, "select status from public.predictions") == []
    assert worker.commit(jobs[0]) == ["done"]
    assert worker.fail(jobs[1]) == 1


def events(conn: Connection, user: UUID) -> list[tuple[str, str]]:
    """(row, status) of each message on somebody's private channel."""
    return conn.execute(
        "select payload ->> 'row_key', payload ->> 'status' from realtime.messages"
        " where topic = %s and private and event = 'prediction' order by 1",
        [f"user:{user}"],
    ).fetchall()


def test_each_done_row_is_told_once_to_its_owner_alone(
    db: Connection, rider: UUID, other: UUID, worker: Worker
) -> None:
    mine, theirs = pickups(db, rider, 2), pickups(db, other, 1)
    assert set(worker.commit(*worker.claim(), output=eta(700))) == {"done"}
    assert events(db, rider) == [(str(p), "done") for p in mine]
    assert events(db, other) == [(str(theirs[0]), "done")]
    assert value(db, "select count(*) from realtime.messages") == 3
    assert value(
        db, "select payload -> 'output' from realtime.messages where topic = %s", [f"user:{other}"]
    ) == eta(700)


def test_what_was_superseded_or_cancelled_is_not_told(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    edited, cancelled = pickups(db, rider, 2)
    jobs = worker.claim()
    edit(db, edited, 50)
    db.execute("select ml.cancel('pickup_eta', %s)", [str(cancelled)])
    assert set(worker.commit(*jobs)) == {"superseded", "stale"}
    assert events(db, rider) == []


def test_a_failure_is_told(db: Connection, rider: UUID, worker: Worker) -> None:
    (pickup,) = pickups(db, rider)
    bury(db, worker)
    assert events(db, rider) == [(str(pickup), "failed")]


def test_a_row_of_nobody_is_told_to_nobody(notes: Connection) -> None:
    notes.execute("insert into public.notes values (1, 'a')")
    worker = Worker(notes, {"echo": "1"})
    assert worker.commit(worker.claim_one()) == ["done"]
    assert value(notes, "select count(*) from realtime.messages") == 0


def test_an_owner_who_is_gone_takes_no_result_down(db: Connection, worker: Worker) -> None:
    user = make_user(db)
    pickups(db, user)
    job = worker.claim_one()
    db.execute("delete from auth.users where id = %s", [user])
    assert worker.commit(job) == ["superseded"]


# Maintenance


def partitions(conn: Connection) -> list[str]:
    return column(
        conn,
        "select c.relname from pg_inherits as i join pg_class as c on c.oid = i.inhrelid"
        " where i.inhparent = 'public.predictions'::regclass order by 1",
    )


def month(conn: Connection, ahead: int) -> str:
    found: str = value(
        conn, "select to_char(now() + make_interval(months => %s), 'YYYYMM')", [ahead]
    )
    return f"predictions_{found}"


def test_maintenance_makes_the_coming_partitions_once(db: Connection) -> None:
    wanted = [month(db, n) for n in range(3)]
    db.execute(f"drop table ml.{wanted[1]}, ml.{wanted[2]}")
    for _ in range(2):
        db.execute("select ml.maintain()")
        assert partitions(db) == [*wanted, "predictions_default"]
    for name in wanted:
        open_to = "select has_table_privilege(%s, %s, 'select')"
        assert value(db, "select relrowsecurity from pg_class where relname = %s", [name])
        for role in ("anon", "authenticated", "service_role", "rowcast_service"):
            assert value(db, open_to, [role, f"ml.{name}"]) is False


def test_a_receipt_goes_to_the_partition_of_its_month(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    pickups(db, rider)
    worker.commit(worker.claim_one())
    partition = "select tableoid::regclass::text from public.predictions"
    assert value(db, partition) == f"ml.{month(db, 0)}"


def test_maintenance_drops_what_is_past_its_keep(db: Connection) -> None:
    for ahead in (-13, -12, -1):
        db.execute(
            f"create table ml.{month(db, ahead)} partition of public.predictions for values"
            " from (date_trunc('month', now()) + make_interval(months => %s))"
            " to (date_trunc('month', now()) + make_interval(months => %s + 1))".replace(
                "%s", str(ahead)
            )
        )
    db.execute("select ml.maintain(12)")
    assert month(db, -13) not in partitions(db)
    assert {month(db, -12), month(db, -1), "predictions_default"} <= set(partitions(db))


def test_a_month_that_began_in_the_default_partition_stays_there(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    db.execute(f"drop table ml.{month(db, 0)}")
    pickups(db, rider)
    worker.commit(worker.claim_one())
    db.execute("select ml.maintain()")
    assert month(db, 0) not in partitions(db)
    assert column(db, "select status from public.predictions") == ["done"]


def test_maintenance_forgets_old_webhooks_and_silent_workers(db: Connection) -> None:
    db.execute("""
        delete from ml.workers;
        insert into ml.webhook_deliveries values
        ('old', now() - interval '11 min'), ('young', now() - interval '9 min');
        insert into ml.workers (name, seen_at) values
        ('old', now() - interval '25 hours'), ('young', now() - interval '23 hours');
    """)
    db.execute("select ml.maintain()")
    assert column(db, "select id from ml.webhook_deliveries") == ["young"]
    assert column(db, "select name from ml.workers") == ["young"]


# Health


def test_health_tells_a_dead_service_from_a_living_one(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    db.execute("delete from ml.workers")
    report = "select status, queue_depth, workers_alive from public.health_detailed()"
    with as_user(db, rider):
        assert db.execute(report).fetchone() == ("degraded", 0, 0)
    worker.heartbeat()
    pickups(db, rider, 2)
    with as_user(db, rider):
        assert db.execute(report).fetchone() == ("ok", 2, 1)
    db.execute("update ml.jobs set enqueued_at = now() - interval '61 s'")
    with as_user(db, rider):
        assert db.execute(report).fetchone() == ("degraded", 2, 1)
