"""Attaching a prediction to a table is one call in a migration, and detaching leaves no trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.db.pipeline import Connection, Worker, column, no_jobs, owed, pending, value
from tests.personas import refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NOTES = """
create table public.notes (
  id bigint generated always as identity primary key, body text, stars integer, answer jsonb
);
create function private.apply_notes(p_row_keys text[], p_outputs jsonb[], p_model_version text)
returns void language sql set search_path = '' as $$
  update public.notes as n set answer = o.output
  from unnest(p_row_keys, p_outputs) as o (row_key, output)
  where n.id = o.row_key::bigint
$$;
"""
CALL: Mapping[str, Any] = {
    "name": "notes",
    "table": "public.notes",
    "model": "echo",
    "input": "jsonb_build_object('body', t.body)",
    "watch": ["body"],
    "apply": "private.apply_notes",
    "owner": None,
}
GENERATED = """
select p.proname || '/' || l.lanname || '/' || p.prosecdef || '/' || p.prosrc
from pg_proc as p join pg_language as l on l.oid = p.prolang
where p.proname ~ '^(tg_)?notes__'
union all
select tgrelid::regclass || '/' || tgname || '/' || tgfoid::regproc
from pg_trigger where tgname ~ '_predict_notes_'
order by 1
"""


def attach(db: Connection, **changes: Any) -> int:
    """CALL with changes; the attachment's id."""
    call = {**CALL, **changes}
    found: int = value(
        db,
        "select ml.attach(%s, %s::regclass, %s, %s, %s, %s, %s)",
        [call[k] for k in ("name", "table", "model", "input", "watch", "apply", "owner")],
    )
    return found


@pytest.fixture
def notes(db: Connection) -> Connection:
    """A database with a plain table: a number as key and nobody as owner."""
    db.execute(NOTES)
    return db


@pytest.fixture
def worker(db: Connection) -> Worker:
    return Worker(db, {"echo": "1"})


def write(db: Connection, body: str) -> str:
    """A note; its key."""
    return str(value(db, "insert into public.notes (body) values (%s) returning id", [body]))


def test_a_table_with_a_number_as_key_and_no_owner(notes: Connection, worker: Worker) -> None:
    attach(notes)
    key = write(notes, "hello")
    job = worker.claim_one()
    assert (job.row_key, job.input) == (key, {"body": "hello"})
    assert worker.commit(job, output={"said": "hello"}) == ["done"]
    assert value(notes, "select answer from public.notes") == {"said": "hello"}
    assert value(notes, "select owner_id from public.predictions") is None


def test_the_same_call_again_changes_nothing(notes: Connection) -> None:
    first = attach(notes)
    before = column(notes, GENERATED)
    assert len(before) == 7  # how to read, three trigger functions, three triggers
    write(notes, "waits")
    assert attach(notes) == first
    assert column(notes, GENERATED) == before
    assert len(pending(notes)) == 1


def test_a_changed_call_replaces_the_old_one(notes: Connection, worker: Worker) -> None:
    first = attach(notes)
    second = attach(
        notes, input="jsonb_build_object('stars', t.stars)", watch=["stars"], model="other"
    )
    assert second == first
    key = write(notes, "hello")
    no_jobs(notes)
    notes.execute("update public.notes set body = 'no longer watched'")
    assert pending(notes) == []
    notes.execute("update public.notes set stars = 5")
    assert pending(notes) == [key]
    assert worker.claim() == []
    assert Worker(notes, {"other": "1"}).claim_one().input == {"stars": 5}


def test_moving_to_another_table_frees_the_first(notes: Connection) -> None:
    attach(notes)
    notes.execute("create table public.others (like public.notes including all)")
    attach(notes, table="public.others")
    write(notes, "nobody looks")
    assert pending(notes) == []


def test_two_predictions_on_one_table(notes: Connection, worker: Worker) -> None:
    attach(notes)
    attach(notes, name="rating", input="jsonb_build_object('stars', t.stars)", watch=["stars"])
    key = write(notes, "hello")
    assert [(j.prediction, j.row_key) for j in worker.claim()] == [("notes", key), ("rating", key)]
    value(notes, "select ml.detach('notes')")
    notes.execute("update public.notes set stars = 5, body = 'new'")
    assert [j.prediction for j in worker.claim()] == ["rating"]


def test_a_column_that_is_not_there_is_named(notes: Connection) -> None:
    for change in ({"watch": ["body", "colour"]}, {"owner": "colour"}):
        with refused(notes, "P0001", "ATTACH_NO_COLUMN"):
            attach(notes, **change)


def test_a_dropped_column_is_not_there(notes: Connection) -> None:
    notes.execute("alter table public.notes drop column stars")
    with refused(notes, "P0001", "ATTACH_NO_COLUMN"):
        attach(notes, watch=["stars"])


def test_a_key_of_one_column_is_needed(notes: Connection) -> None:
    notes.execute("create table public.keyless (body text)")
    notes.execute("create table public.pairs (a int, b int, body text, primary key (a, b))")
    for table in ("public.keyless", "public.pairs"):
        with refused(notes, "P0001", "ATTACH_NO_KEY"):
            attach(notes, table=table)


@pytest.mark.parametrize("name", ["private.nothing", "private.tg_profiles__touch", "pg_sleep"])
def test_the_apply_function_must_be_there(notes: Connection, name: str) -> None:
    with refused(notes, "P0001", "ATTACH_NO_APPLY"):
        attach(notes, apply=name)


@pytest.mark.parametrize("name", ["", "1st", "Upper", "a-b", "a" * 41, "x'; drop table y; --"])
def test_a_name_is_a_plain_identifier(notes: Connection, name: str) -> None:
    with refused(notes, "23514"):
        attach(notes, name=name)


def test_the_longest_name_keeps_its_triggers_apart(notes: Connection, worker: Worker) -> None:
    attach(notes, name="a" * 40)
    write(notes, "hello")
    assert len(worker.claim()) == 1
    assert value(notes, "select count(*) from pg_trigger where tgname ~ '_predict_aaa'") == 3
    assert value(notes, "select ml.detach(%s)", ["a" * 40]) is True


def test_an_expression_that_is_no_sql_leaves_nothing_behind(notes: Connection) -> None:
    with refused(notes, "42703"):
        attach(notes, input="jsonb_build_object('x', t.colour)")
    assert value(notes, "select count(*) from ml.attachments where name = 'notes'") == 0


def test_a_name_that_begins_like_another_is_left_alone(notes: Connection) -> None:
    attach(notes, name="notes")
    attach(notes, name="notes_2")
    assert value(notes, "select ml.detach('notes')") is True
    key = write(notes, "hello")
    assert pending(notes) == [key]


def test_detach_removes_all_that_attach_made(notes: Connection) -> None:
    attach(notes)
    write(notes, "waits")
    assert value(notes, "select ml.detach('notes')") is True
    assert column(notes, GENERATED) == []
    assert pending(notes) == []
    write(notes, "nobody looks")
    assert pending(notes) == []


def test_detach_calls_off_what_runs_and_keeps_receipts(notes: Connection, worker: Worker) -> None:
    attach(notes)
    write(notes, "first")
    assert worker.commit(worker.claim_one()) == ["done"]
    write(notes, "second")
    running = worker.claim_one()
    value(notes, "select ml.detach('notes')")
    assert owed(notes) == []
    assert worker.commit(running) == ["stale"]
    assert column(notes, "select status from public.predictions") == ["done"]


def test_detaching_what_is_not_attached_says_so(notes: Connection) -> None:
    assert value(notes, "select ml.detach('nothing')") is False


def test_dropping_an_attached_table_leaves_the_others_working(
    notes: Connection, worker: Worker
) -> None:
    attach(notes)
    notes.execute("create table public.others (like public.notes including all)")
    attach(notes, name="others", table="public.others")
    write(notes, "waits")
    notes.execute("select ml.detach('notes')")
    notes.execute("drop table public.notes cascade")
    notes.execute("insert into public.others (body) values ('hello')")
    assert [job.prediction for job in worker.claim()] == ["others"]


def test_names_that_need_quotes(db: Connection, worker: Worker) -> None:
    db.execute("""
        create schema "My Schema";
        create table "My Schema"."Weird ""Table" (
          "Key Col" text primary key, "Watch; it" text, "Who's" uuid, "new_rows" int, answer jsonb
        );
        create function "My Schema"."Apply It"(text[], jsonb[], text) returns void
        language sql set search_path = '' as $$
          update "My Schema"."Weird ""Table" as t set answer = o.output
          from unnest($1, $2) as o (row_key, output) where t."Key Col" = o.row_key
        $$;
    """)
    attach(
        db,
        name="weird",
        table='"My Schema"."Weird ""Table"',
        input="""jsonb_build_object('it''s', t."Watch; it")""",
        watch=["Watch; it", "new_rows"],
        apply='"My Schema"."Apply It"',
        owner="Who's",
    )
    odd = "a\"b'c %s; \\ ü"
    owner = "00000000-0000-0000-0000-000000000001"
    insert = 'insert into "My Schema"."Weird ""Table" values (%s, %s, %s, 1)'
    db.execute(insert, [odd, "x", owner])
    job = worker.claim_one()
    assert (job.row_key, job.input) == (odd, {"it's": "x"})
    assert worker.commit(job, output={"ok": 1}) == ["done"]
    assert value(db, "select owner_id::text from public.predictions") == owner

    db.execute('update "My Schema"."Weird ""Table" set "Watch; it" = %s', ["y"])
    assert pending(db) == [odd]
    assert value(db, "select finished from ml.backfill('weird')") is True
    change = {"schema": "My Schema", "table": 'Weird "Table', "record": {"Key Col": odd}}
    assert [j.row_key for j in worker.claim(p_webhook_id="w", p_change=change)] == [odd]
    db.execute('update "My Schema"."Weird ""Table" set "Watch; it" = %s', ["z"])
    assert pending(db) == [odd]
    db.execute('delete from "My Schema"."Weird ""Table"')
    assert pending(db) == []
    assert value(db, "select ml.detach('weird')") is True


def test_writers_need_no_right_on_the_generated_functions(notes: Connection) -> None:
    attach(notes)
    notes.execute("grant insert, update, delete on public.notes to authenticated")
    notes.execute("set local role authenticated")
    notes.execute("insert into public.notes (body) values ('hello')")
    notes.execute("reset role")
    assert len(pending(notes)) == 1
    granted = column(
        notes,
        "select p.oid::regprocedure::text from pg_proc as p, aclexplode(p.proacl) as a"
        " where p.proname ~ '^(tg_)?notes__' and a.grantee <> p.proowner",
    )
    assert granted == []


# A changed attachment asks again


def answer_all(notes: Connection, model: str = "echo") -> list[dict[str, Any]]:
    """Claim and commit whatever is due; the inputs."""
    worker = Worker(notes, {model: "1"})
    jobs = worker.claim()
    if jobs:
        assert set(worker.commit(*jobs)) == {"done"}
    return [job.input for job in jobs]


@pytest.fixture
def answered(notes: Connection) -> Connection:
    """Three notes, answered a while ago."""
    attach(notes)
    for body in "abc":
        write(notes, body)
    notes.execute("update ml.attachments set updated_at = updated_at - interval '1 hour'")
    assert len(answer_all(notes)) == 3
    assert owed(notes) == []
    return notes


@pytest.mark.parametrize(
    ("change", "model"),
    [
        ({"input": "jsonb_build_object('text', t.body)"}, "echo"),
        ({"model": "other"}, "other"),
        ({"apply": "private.apply_again"}, "echo"),
    ],
)
def test_a_changed_call_predicts_the_rows_that_are_there_again(
    answered: Connection, change: dict[str, str], model: str
) -> None:
    answered.execute("update public.predictions set created_at = created_at - interval '1 s'")
    answered.execute(NOTES[NOTES.index("create function") :].replace("apply_notes", "apply_again"))
    attach(answered, **change)
    assert set(column(answered, "select is_background from ml.jobs")) == {True}
    answered.execute("select ml.advance_backfills()")
    key = "text" if "input" in change else "body"
    inputs = answer_all(answered, model)
    assert sorted(inputs, key=str) == [{key: "a"}, {key: "b"}, {key: "c"}]
    assert answer_all(answered, model) == []


@pytest.mark.parametrize("change", [{}, {"watch": ["body", "stars"]}])
def test_a_call_that_changes_no_answer_asks_nobody(
    answered: Connection, change: dict[str, Any]
) -> None:
    attach(answered, **change)
    answered.execute("select ml.advance_backfills()")
    assert owed(answered) == []


def test_a_first_call_leaves_the_rows_that_are_there_alone(notes: Connection) -> None:
    write(notes, "old")
    attach(notes)
    notes.execute("select ml.advance_backfills()")
    assert owed(notes) == []


def test_a_batch_that_runs_while_the_expression_changes_is_asked_again(
    connect: Callable[[], Connection],
) -> None:
    """Its answer is to an input that no longer is one."""
    session = connect()
    session.execute(NOTES)
    try:
        attach(session)
        write(session, "hello")
        worker = Worker(session, {"echo": "1"})
        late = worker.claim_one()
        attach(session, input="jsonb_build_object('text', t.body)")
        assert worker.commit(late, output={"said": "old"}) == ["superseded"]
        job = worker.claim_one()
        assert job.input == {"text": "hello"}
        assert worker.commit(job, output={"said": "new"}) == ["done"]
        assert value(session, "select answer from public.notes") == {"said": "new"}
    finally:
        session.execute("select ml.detach('notes')")
        session.execute("drop table public.notes; drop function private.apply_notes")
        session.execute("delete from ml.models where name = 'echo'")
