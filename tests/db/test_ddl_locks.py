"""Attaching and detaching while the pipeline runs: migrations wait, and nothing deadlocks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.db.pipeline import Connection, Worker, due_now, eta, in_background, reclaim, value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ECHO = {"echo": "1"}
NOTES = """
create table public.notes (id integer primary key, body text, answer jsonb);
create function private.apply_notes(p_row_keys text[], p_outputs jsonb[], p_model_version text)
returns void language sql set search_path = '' as $$
  update public.notes as n set answer = o.output
  from unnest(p_row_keys, p_outputs) as o (row_key, output) where n.id = o.row_key::integer
$$;
"""
ATTACH = """
select ml.attach('notes', 'public.notes', 'echo', 'to_jsonb(t.{0})', array['{0}'],
  'private.apply_notes')
"""
HARMFUL = """
create or replace function ml.tg_notes__update() returns trigger
language plpgsql as 'begin return null; end'
"""
DETACH = "select ml.detach('notes')"


@pytest.fixture
def notes(connect: Callable[[], Connection]) -> Iterator[Connection]:
    """Three rows that are owed a prediction."""
    session = connect()
    session.execute(NOTES)
    session.execute(ATTACH.format("body").encode())
    session.execute("insert into public.notes values (1, 'a'), (2, 'b'), (3, 'c')")
    try:
        yield session
    finally:
        session.execute(DETACH)
        session.execute("drop table if exists public.notes, public.others")
        session.execute("drop function private.apply_notes")
        session.execute("delete from ml.models where name = 'echo'")


def nothing_is_left(conn: Connection) -> None:
    """Nor of what was in somebody's hands, once that has come to its end."""
    reclaim(conn)
    conn.execute("select ml.maintain()")
    for table in ("jobs", "retries", "leases"):
        assert value(conn, f"select count(*) from ml.{table}") == 0


@pytest.mark.parametrize("table", ["notes", "others"])
def test_a_changed_attachment_waits_for_a_step_of_its_backfill(
    notes: Connection, connect: Callable[[], Connection], table: str
) -> None:
    stepping, migrating = connect(), connect()
    notes.execute("create table public.others (like public.notes including all)")
    notes.execute("select ml.backfill('notes', 1)")
    stepping.execute("begin")
    stepping.execute("select from ml.backfills for update")  # as a step begins
    attach = ATTACH.format("id").replace("public.notes", f"public.{table}").encode()
    with in_background(notes, migrating, lambda: migrating.execute(attach)) as attached:
        stepping.execute("select ml.backfill('notes', 1)")  # and goes on
        stepping.execute("commit")
    attached.result()
    found = notes.execute(
        "select source_table = %s::regclass, input_expression from ml.attachments"
        " where name = 'notes'",
        [f"public.{table}"],
    )
    assert found.fetchall() == [(True, "to_jsonb(t.id)")]


@pytest.mark.parametrize(("column", "outcome"), [("body", "done"), ("id", "superseded")])
def test_a_commit_that_is_under_way_survives_an_attach(
    notes: Connection, connect: Callable[[], Connection], column: str, outcome: str
) -> None:
    writer, migrating, committing = connect(), connect(), connect()
    worker = Worker(committing, ECHO)
    jobs = worker.claim(limit=2)
    writer.execute("begin")
    writer.execute("update public.notes set answer = '1' where id = 3")
    attach = ATTACH.format(column).encode()
    with (
        in_background(notes, migrating, lambda: migrating.execute(attach)) as attached,
        ThreadPoolExecutor(1) as pool,
    ):
        committed = pool.submit(lambda: worker.commit(*jobs, output=eta(1)))
        writer.execute("commit")
    assert attached.result() is not None
    assert set(committed.result()) <= {"done", outcome}
    notes.execute("select ml.advance_backfills()")
    due_now(notes)
    for job in worker.claim():
        assert worker.commit(job, output=eta(2)) == ["done"]
    assert value(notes, "select count(*) from public.notes where answer is null") == 0


def test_attaching_again_repairs_what_was_changed_by_hand(notes: Connection) -> None:
    sound = "select generated_hash = ml.generated_hash(a) from ml.attachments as a"
    sound += " where name = 'notes'"
    for damage in (
        "alter table public.notes disable trigger _800_predict_notes_insert",
        "drop trigger _800_predict_notes_delete on public.notes",
        HARMFUL,
        "drop function ml.notes__read",
    ):
        notes.execute(damage.encode())
        assert value(notes, sound) is False
        notes.execute(ATTACH.format("body").encode())
        assert value(notes, sound) is True
        worker = Worker(notes, ECHO)
        worker.claim()
        notes.execute("insert into public.notes select max(id) + 1, 'x' from public.notes")
        notes.execute("update public.notes set body = body || 'y' where id = 1")
        assert len(worker.claim()) == 2


def test_detaching_waits_for_no_commit_that_waits_for_it(
    notes: Connection, connect: Callable[[], Connection]
) -> None:
    writer, migrating, committing = connect(), connect(), connect()
    worker = Worker(committing, ECHO)
    jobs = worker.claim(limit=2)
    writer.execute("begin")
    writer.execute("update public.notes set body = 'x' where id = 3")  # holds the migration up
    with (
        in_background(notes, migrating, lambda: migrating.execute(DETACH)) as detached,
        # The commit has its lease, and queues up for the table behind the migration.
        in_background(notes, committing, lambda: worker.commit(*jobs, output=eta(1))) as commit,
    ):
        writer.execute("commit")
    assert detached.result() is not None
    # There is nothing left to write, and the lease runs out.
    assert isinstance(commit.exception(), psycopg.errors.InternalError_)
    nothing_is_left(notes)


def test_nor_for_a_claim(notes: Connection, connect: Callable[[], Connection]) -> None:
    writer, migrating, claiming = connect(), connect(), connect()
    writer.execute("begin")
    writer.execute("update public.notes set body = body where id = 3")
    with (
        in_background(notes, migrating, lambda: migrating.execute(DETACH)) as detached,
        in_background(notes, claiming, lambda: Worker(claiming, ECHO).lease(limit=2)) as claimed,
    ):
        writer.execute("commit")
    assert detached.result() is not None
    assert claimed.result() == []
    nothing_is_left(notes)
