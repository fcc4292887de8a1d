"""Nothing of an erased person is left, anywhere; nothing of anybody else is touched."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.db.people import Person, fill_every_table, make_person
from tests.db.pipeline import Connection, column, value
from tests.personas import DENIED, as_anon, as_service, as_user, refused

if TYPE_CHECKING:
    from collections.abc import Callable

GRACE = "select extract(day from due_at - requested_at)::int from public.deletion_requests"


@pytest.fixture
def person(db: Connection) -> Person:
    return make_person(db)


@pytest.fixture
def bystander(db: Connection) -> Person:
    return make_person(db)


def traces(conn: Connection, person: Person) -> set[tuple[str, str]]:
    """Where the person can be found, by an eye that knows nothing of the declarations."""
    found = conn.execute(
        "select table_name, column_name from private.find_traces(%s)", [person.needles]
    ).fetchall()
    return {(str(table), str(column_)) for table, column_ in found}


def erase(conn: Connection, person: Person) -> Any:
    """Erase as the edge function does."""
    with as_service(conn):
        return conn.execute(
            "select (e).is_clean, (e).counts, (e).residue from public.erase_user(%s) as e",
            [person.id],
        ).fetchone()


def held(conn: Connection, person: Person) -> set[str]:
    """The declared tables that hold something of the person."""
    return {
        *column(conn, "select table_name from private.find_rows(%s)", [person.id]),
        *column(conn, "select 'auth.users' from auth.users where id = %s", [person.id]),
    }


def export(conn: Connection, person: Person) -> dict[str, Any]:
    document: dict[str, Any] = value(conn, "select private.export_document(%s, 1000)", [person.id])
    return {key: document[key] for key in ("data", "files")}


# The oracle


def test_the_test_leaves_something_in_every_declared_table(
    db: Connection, person: Person, bystander: Person
) -> None:
    fill_every_table(db, person, bystander.id)
    declared = db.execute(
        "select table_name, column_name from private.personal_data"
        " where on_erase in ('erase', 'anonymise') and by_function is null"
    ).fetchall()
    found = db.execute(
        "select table_name, column_name from private.find_rows(%s)", [person.id]
    ).fetchall()
    assert set(declared) - set(found) == set()
    by_function = column(
        db, "select table_name from private.personal_data where by_function is not null"
    )
    assert set(by_function) == {"auth.users", "private.audit_log"}, (
        "count the rows of the others here too"
    )


@pytest.mark.parametrize(
    "column_type",
    [
        *("text", "varchar(99)", "name", "extensions.citext", "json", "jsonb", "uuid"),
        *("uuid[]", "text[]", "bytea", "ml.owed", "ml.owed[]"),
    ],
)
def test_the_sweep_sees_every_kind_of_column(
    db: Connection, person: Person, column_type: str
) -> None:
    db.execute("create extension if not exists citext with schema extensions")
    db.execute(f"create table private.hidden (secret {column_type})")
    assert ("private.hidden", "secret") not in traces(db, person)
    written = {
        "json": "jsonb_build_object('a', jsonb_build_array(%s::text))::json",
        "jsonb": "jsonb_build_object('a', jsonb_build_array(%s::text))",
        "uuid[]": "array[%s]::uuid[]",
        "text[]": "array['a', %s]",
        "bytea": "convert_to(%s::text, 'UTF8') || '\\x00ff'::bytea",
        "ml.owed": "row(%s, null, null, null, null, null, null, null, null)::ml.owed",
        "ml.owed[]": "array[null, row('x', %s, null, null, null, null, null, null, null)::ml.owed]",
    }.get(column_type, f"%s::{column_type}")
    db.execute(f"insert into private.hidden values ({written})", [str(person.id)])
    assert ("private.hidden", "secret") in traces(db, person)


def test_the_sweep_finds_names_however_json_and_arrays_spell_them(
    db: Connection, person: Person
) -> None:
    db.execute("create table private.hidden (a jsonb, b text[], c text, d json)")
    db.execute(
        "insert into private.hidden values (%s, array[%s], upper(%s), %s)",
        [json.dumps([person.name]), person.name, person.email, json.dumps({person.name: 1})],
    )
    found = {name for table, name in traces(db, person) if table == "private.hidden"}
    assert found >= {"a", "b", "c"}


def test_the_sweep_says_what_it_could_not_read(db: Connection, person: Person) -> None:
    db.execute("create table private.locked (secret text)")
    db.execute("grant usage on schema private to authenticated")
    db.execute("grant execute on function private.find_traces(text[]) to authenticated")
    with as_user(db, person.id):
        found = db.execute(
            "select traces from private.find_traces(%s) where table_name = 'private.locked'",
            [person.needles],
        ).fetchall()
    assert found == [(None,)]


def test_the_sweep_wants_something_to_look_for(db: Connection) -> None:
    for nothing in ([], [""], None):
        with refused(db, "PT422", "NO_NEEDLES"):
            db.execute("select private.find_traces(%s::text[])", [nothing])


# Erasure


def test_nothing_is_left_of_an_erased_person(
    db: Connection, person: Person, bystander: Person
) -> None:
    fill_every_table(db, person, bystander.id)
    assert len(traces(db, person)) >= 25
    is_clean, counts, residue = erase(db, person)
    assert traces(db, person) == set()
    assert (is_clean, residue) == (True, [])
    assert counts["public.pickup_requests"] == 3
    assert counts["public.predictions"] >= 2
    assert counts["auth.users"] == 1
    assert held(db, person) == set()


def test_nothing_of_anybody_else_is_touched(
    db: Connection, person: Person, bystander: Person
) -> None:
    fill_every_table(db, bystander, person.id)
    db.execute("delete from public.user_roles where user_id = %s", [person.id])
    fill_every_table(db, person, make_person(db).id)
    before, queue = export(db, bystander), held(db, bystander)
    erase(db, person)
    assert export(db, bystander) == before
    assert held(db, bystander) == queue


def test_a_running_batch_keeps_its_places(
    db: Connection, person: Person, bystander: Person
) -> None:
    fill_every_table(db, person, bystander.id)
    erase(db, person)
    jobs = column(
        db,
        "select (jobs[i]).row_key from ml.leases, generate_subscripts(jobs, 1) as i"
        " where worker = 'w' order by i",
    )
    assert jobs == [None, None, "b"]


def test_what_quality_needs_stays_without_the_person(
    db: Connection, person: Person, bystander: Person
) -> None:
    fill_every_table(db, person, bystander.id)
    keys = column(db, "select row_key from public.prediction_outcomes")
    erase(db, person)
    stayed = db.execute(
        "select predicted, truth, owner_id, prediction_id, row_key,"
        " date_trunc('day', observed_at) = observed_at"
        " from public.prediction_outcomes where prediction = 'p'"
    ).fetchone()
    assert stayed is not None
    assert stayed[:4] == ({"eta": 7}, {"seconds": 9, "right": True}, None, None)
    assert stayed[4] not in keys
    assert stayed[5]
    assert value(db, "select calls from ml.usage where owner_id is null") == 3
    assert column(
        db, "select granted_by from public.user_roles where user_id = %s", [bystander.id]
    ) == [None]


def test_it_can_be_run_again(db: Connection, person: Person, bystander: Person) -> None:
    fill_every_table(db, person, bystander.id)
    erase(db, person)
    assert erase(db, person) == (None, None, None)
    assert value(db, "select count(*) from private.erasures") == 1


def test_an_account_that_was_deleted_elsewhere_is_erased_all_the_same(
    db: Connection, person: Person, bystander: Person
) -> None:
    fill_every_table(db, person, bystander.id)
    db.execute("delete from auth.users where id = %s", [person.id])
    assert "public.predictions" in held(db, person)
    erase(db, person)
    assert held(db, person) == set()


def test_what_is_left_is_reported(db: Connection, person: Person) -> None:
    db.execute("create table private.forgotten (note text)")
    db.execute("insert into private.forgotten values ('see ' || %s)", [person.email])
    is_clean, _, residue = erase(db, person)
    assert not is_clean
    assert residue == [{"table": "private.forgotten", "column": "note", "rows": 1}]


def test_who_owns_files_is_not_erased_before_them(db: Connection, person: Person) -> None:
    db.execute("insert into storage.buckets (id, name) values ('b', 'b')")
    for name, owner in (("x.png", str(person.id)), (f"{person.id}/y.png", None)):
        db.execute(
            "insert into storage.objects (id, bucket_id, name, owner_id, metadata)"
            " values (gen_random_uuid(), 'b', %s, %s, '{}')",
            [name, owner],
        )
    assert len(column(db, "select name from public.owned_objects(%s)", [person.id])) == 2
    with refused(db, "PT409", "STORAGE_NOT_EMPTY"):
        erase(db, person)
    assert held(db, person) >= {"auth.users", "public.profiles"}


def test_a_file_in_my_folder_that_somebody_else_uploaded_is_theirs(
    db: Connection, person: Person, bystander: Person
) -> None:
    db.execute("insert into storage.buckets (id, name) values ('b', 'b')")
    db.execute(
        "insert into storage.objects (id, bucket_id, name, owner_id, metadata)"
        " values (gen_random_uuid(), 'b', %s, %s, '{}')",
        [f"{person.id}/y.png", str(bystander.id)],
    )
    assert column(db, "select name from public.owned_objects(%s)", [person.id]) == []
    assert export(db, person)["files"] == []


def test_the_last_admin_stays(db: Connection, person: Person, bystander: Person) -> None:
    db.execute("insert into public.user_roles (user_id, role) values (%s, 'admin')", [person.id])
    with refused(db, "PT409", "LAST_ADMIN"):
        erase(db, person)
    with as_user(db, person.id), refused(db, "PT409", "LAST_ADMIN"):
        db.execute("select public.request_deletion()")
    db.execute("insert into public.user_roles (user_id, role) values (%s, 'admin')", [bystander.id])
    erase(db, person)
    assert held(db, person) == set()


def test_only_the_secret_key_erases(db: Connection, person: Person) -> None:
    calls = (
        "public.erase_user(%s)",
        "public.owned_objects(%s)",
        "public.note_deletion_failure(%s, 'x')",
        "public.import_account(jsonb_build_object('user_id', %s::uuid))",
        "public.make_account(jsonb_build_object('id', %s::uuid))",
    )
    for call in calls:
        with as_user(db, person.id), refused(db, DENIED):
            db.execute(f"select {call}", [person.id])
        with as_anon(db), refused(db, DENIED):
            db.execute(f"select {call}", [person.id])


# The grace period


def test_asking_starts_a_month_of_grace_and_asking_again_moves_nothing(
    db: Connection, person: Person
) -> None:
    with as_user(db, person.id):
        first = db.execute("select * from public.request_deletion('tired')").fetchone()
        again = db.execute("select * from public.request_deletion('really')").fetchone()
        assert first == again
        assert db.execute("select * from public.my_deletion_request()").fetchone() == first
    assert value(db, f"{GRACE} where user_id = %s", [person.id]) == 30


def test_the_grace_is_the_requests_own(db: Connection, person: Person, bystander: Person) -> None:
    with as_user(db, person.id):
        db.execute("select public.request_deletion()")
    db.execute("update private.personal_data_settings set deletion_grace = '7 days'")
    with as_user(db, bystander.id):
        db.execute("select public.request_deletion()")
    assert value(db, f"{GRACE} where user_id = %s", [person.id]) == 30
    assert value(db, f"{GRACE} where user_id = %s", [bystander.id]) == 7


def test_it_can_be_taken_back_and_asked_for_anew(db: Connection, person: Person) -> None:
    with as_user(db, person.id):
        with refused(db, "PT404", "DELETION_NOT_REQUESTED"):
            db.execute("select public.cancel_deletion()")
        db.execute("select public.request_deletion()")
        assert value(db, "select (public.cancel_deletion()).state") == "cancelled"
        with refused(db, "PT404", "DELETION_NOT_REQUESTED"):
            db.execute("select public.cancel_deletion()")
        assert value(db, "select (public.request_deletion('now')).state") == "pending"


def test_who_erased_somebody_stays_in_the_audit_log(db: Connection, person: Person) -> None:
    """The rows are erased by the service, and what names the person is blanked."""
    admin = make_person(db)
    db.execute("insert into public.user_roles (user_id, role) values (%s, 'admin')", [admin.id])
    with as_user(db, admin.id):
        db.execute("select public.may_delete_user(%s)", [person.id])
    erase(db, person)
    noted = "select actor_id from private.audit_log where action = 'account.erasure'"
    assert value(db, noted) == admin.id


def test_asking_over_and_over_fills_no_table(db: Connection, person: Person) -> None:
    with as_user(db, person.id):
        for _ in range(5):
            db.execute("select public.request_deletion()")
            db.execute("select public.cancel_deletion()")
        told = "select count(*) from public.notifications where kind = 'account_deletion'"
        assert value(db, told) == 1


def test_refusals_of_a_request(db: Connection, person: Person) -> None:
    with as_user(db, person.id), refused(db, "PT422", "REASON_TOO_LONG"):
        db.execute("select public.request_deletion(%s)", ["x" * 501])
    with as_anon(db), refused(db, DENIED):
        db.execute("select public.request_deletion()")
    erase(db, person)
    with as_user(db, person.id), refused(db, "PT404", "ACCOUNT_NOT_FOUND"):
        db.execute("select public.request_deletion()")


def test_nobody_puts_others_down_for_deletion_or_moves_a_date(
    db: Connection, person: Person, bystander: Person
) -> None:
    with as_user(db, person.id):
        db.execute("select public.request_deletion()")
    with as_user(db, bystander.id):
        assert column(db, "select user_id from public.my_deletion_request()") == []
        assert column(db, "select user_id from public.deletion_requests") == []
        for write in (
            f"insert into public.deletion_requests (user_id, due_at) values ('{person.id}', now())",
            "update public.deletion_requests set due_at = now()",
            "delete from public.deletion_requests",
        ):
            with refused(db, DENIED):
                db.execute(write.encode())


# Those that are due


def due(conn: Connection, *people: Person) -> None:
    for person in people:
        with as_user(conn, person.id):
            conn.execute("select public.request_deletion()")
    conn.execute("update public.deletion_requests set due_at = now()")


def test_who_is_due_is_erased_and_who_took_it_back_is_not(
    db: Connection, person: Person, bystander: Person
) -> None:
    with as_user(db, bystander.id):
        db.execute("select public.request_deletion()")
        db.execute("select public.cancel_deletion()")
    due(db, person)
    with as_user(db, person.id), refused(db, "PT404", "DELETION_NOT_REQUESTED"):
        db.execute("select public.cancel_deletion()")  # files may be gone already
    assert value(db, "select private.run_due_deletions()") == 1
    assert held(db, person) == set()
    assert "auth.users" in held(db, bystander)
    assert column(db, "select cause from private.erasures") == ["due"]


def test_one_that_fails_stops_no_other_and_waits(
    db: Connection, person: Person, bystander: Person
) -> None:
    due(db, person, bystander)
    db.execute("insert into public.user_roles (user_id, role) values (%s, 'admin')", [person.id])
    assert value(db, "select private.run_due_deletions()") == 1
    failed = db.execute("select user_id, failures, error from private.deletion_failures").fetchone()
    assert failed == (person.id, 1, "PT409: The last admin cannot go.")
    assert value(db, "select private.run_due_deletions()") == 0
    assert value(db, "select failures from private.deletion_failures") == 1
    db.execute("delete from private.deletion_failures")
    db.execute(
        "insert into public.user_roles (user_id, role) values (%s, 'admin')", [make_person(db).id]
    )
    assert value(db, "select private.run_due_deletions()") == 1


def test_files_are_left_to_the_edge_function_which_is_told_no_name(
    db: Connection, person: Person
) -> None:
    due(db, person)
    db.execute("insert into storage.buckets (id, name) values ('b', 'b')")
    db.execute(
        "insert into storage.objects (id, bucket_id, name, owner_id, metadata)"
        " values (gen_random_uuid(), 'b', 'x', %s, '{}')",
        [str(person.id)],
    )
    queue = "select url, headers ->> 'x-rowcast-erasure-secret', body from net.http_request_queue"
    db.execute(
        "delete from vault.secrets"
        " where name in ('rowcast_functions_url', 'rowcast_erasure_secret')"
    )
    assert value(db, "select private.run_due_deletions()") == 0
    assert db.execute(queue.encode()).fetchall() == []
    db.execute(
        "select vault.create_secret('http://127.0.0.1:9/functions/v1', 'rowcast_functions_url')"
    )
    db.execute("select vault.create_secret('s3cret', 'rowcast_erasure_secret')")
    assert value(db, "select private.run_due_deletions()") == 0
    ((url, secret, body),) = db.execute(queue.encode()).fetchall()
    assert (url, secret) == ("http://127.0.0.1:9/functions/v1/admin-delete-user", "s3cret")
    assert json.loads(body) == {"due": True}
    assert "auth.users" in held(db, person)


def test_two_runs_at_once_erase_once(connect: Callable[[], Connection]) -> None:
    first, second = connect(), connect()
    person = make_person(first)
    due(first, person)
    with first.transaction():
        first.execute(
            "select from public.deletion_requests where user_id = %s for update", [person.id]
        )
        assert value(second, "select private.run_due_deletions()") == 0
    assert value(second, "select private.run_due_deletions()") == 1
    assert value(first, "select count(*) from private.erasures where cause = 'due'") >= 1
    first.execute("delete from private.erasures")
    assert isinstance(first, psycopg.Connection)
