"""Every table says what it holds of people; an export is whole, one's own, and restorable."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.db.people import Person, fill_every_table, make_person
from tests.db.pipeline import Connection, column, value
from tests.personas import DENIED, as_anon, as_service, as_user, refused

if TYPE_CHECKING:
    from uuid import UUID

# Partitions go by their parent.
TABLES = """
  select c.oid::regclass as name, n.nspname || '.' || c.relname as full_name
  from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
  where n.nspname in ('public', 'private', 'ml') and c.relkind in ('r', 'p', 'm', 'f')
    and not c.relispartition
"""
UNDECLARED = f"""
  select t.full_name from ({TABLES}) as t
  where not exists (select from private.personal_data as d where d.table_name = t.full_name)
"""
# A column that names an account, by its foreign key or by its name.
UNDECLARED_OWNERS = f"""
  select t.full_name || '.' || a.attname
  from ({TABLES}) as t
  join pg_attribute as a on a.attrelid = t.name and a.attnum > 0 and not a.attisdropped
  where (
    a.atttypid = 'uuid'::regtype and a.attname ~ '^(user|owner|actor|rider|person)_id$|_by$'
    or exists (
      select from pg_constraint as c
      where c.conrelid = t.name and c.contype = 'f' and a.attnum = any (c.conkey)
        and c.confrelid in ('auth.users'::regclass, 'public.profiles'::regclass)
    )
  )
  and not exists (
    select from private.personal_data as d
    where d.table_name = t.full_name and (d.column_name = a.attname or d.left_out ? a.attname)
      and d.on_erase <> 'none'
  )
"""
GONE = """
  select d.table_name || '.' || c.name
  from private.personal_data as d
  cross join lateral (
    select d.column_name as name where d.column_name <> ''
    union select jsonb_object_keys(d.left_out)
    union select jsonb_object_keys(coalesce(d.blank, '{}'))
  ) as c
  where d.table_name ~ '^(public|private|ml)\\.' and not exists (
    select from pg_attribute as a
    where a.attrelid = to_regclass(d.table_name) and a.attname = c.name and not a.attisdropped
  )
  union all
  select d.table_name from private.personal_data as d
  where d.table_name ~ '^(public|private|ml)\\.' and to_regclass(d.table_name) is null
"""
COLUMNS = """
  select a.attname from pg_attribute as a
  where a.attrelid = %s::regclass and a.attnum > 0 and not a.attisdropped
"""


@pytest.fixture
def person(db: Connection) -> Person:
    return make_person(db)


@pytest.fixture
def bystander(db: Connection) -> Person:
    return make_person(db)


def export(conn: Connection, user: UUID) -> dict[str, Any]:
    """Ask for one's export, as a client does."""
    with as_user(conn, user):
        document: dict[str, Any] = value(conn, "select public.request_export()")
    return document


def all_pages(conn: Connection, user: UUID) -> dict[str, Any]:
    """An export with every page, as the edge function puts it together."""
    document = export(conn, user)
    with as_user(conn, user):
        for table in document["tables"]:
            rows = document["data"][table["table"]]
            while len(rows) < table["rows"]:
                page = value(
                    conn,
                    "select public.export_page(%s, %s, %s)",
                    [document["export_id"], table["table"], json.dumps(rows[-1])],
                )
                assert page, table
                rows.extend(page)
    return {**document, "complete": True}


def restore(conn: Connection, document: dict[str, Any]) -> Any:
    with as_service(conn):
        return value(conn, "select public.import_account(%s)", [json.dumps(document)])


# Declarations


def test_every_table_declares_what_it_holds_of_people(db: Connection) -> None:
    assert column(db, UNDECLARED) == [], "declare them: docs/how-to/personal-data.md"
    assert column(db, UNDECLARED_OWNERS) == []


def test_what_is_declared_is_there(db: Connection) -> None:
    assert column(db, GONE) == []


def test_these_checks_notice_a_new_table_and_a_column_that_went(db: Connection) -> None:
    db.execute("create table public.diaries (id int, user_id uuid)")
    db.execute("create table ml.kept (by_whom uuid references auth.users (id))")
    assert set(column(db, UNDECLARED)) == {"public.diaries", "ml.kept"}
    assert set(column(db, UNDECLARED_OWNERS)) == {"public.diaries.user_id", "ml.kept.by_whom"}
    db.execute("alter table public.prediction_outcomes rename column truth to facts")
    assert column(db, GONE) == ["public.prediction_outcomes.truth"]


def test_an_export_has_every_column_that_is_not_left_out_with_a_reason(
    db: Connection, person: Person, bystander: Person
) -> None:
    fill_every_table(db, person, bystander.id)
    document = export(db, person.id)
    declared = db.execute(
        "select table_name, array(select jsonb_object_keys(left_out)) from private.personal_data"
        " where is_exported and only_columns is null"
    ).fetchall()
    assert len(declared) >= 6
    for table, left_out in declared:
        rows = document["data"][table]
        # The request itself is written before it is answered.
        assert rows, f"the test left nothing in {table}"
        assert set(rows[0]) == set(column(db, COLUMNS, [table])) - set(left_out), table
    said = {(x["table"], x["column"]) for x in document["left_out"]}
    assert ("public.user_roles", "granted_by") in said
    assert all(len(x["why"]) >= 10 for x in document["left_out"])


def test_secrets_of_the_account_are_not_exported(
    db: Connection, person: Person, bystander: Person
) -> None:
    fill_every_table(db, person, bystander.id)
    db.execute(
        "update auth.users set encrypted_password = 'HASH', recovery_token = 'TOKEN' where id = %s",
        [person.id],
    )
    text = json.dumps(export(db, person.id))
    assert "HASH" not in text
    assert "TOKEN" not in text
    assert person.email in text


# Export


def test_an_export_holds_nothing_of_anybody_else(
    db: Connection, person: Person, bystander: Person
) -> None:
    fill_every_table(db, bystander, person.id)  # who gives the person a role
    db.execute(
        "delete from public.user_roles where user_id = %s and granted_by is null", [person.id]
    )
    db.execute("delete from public.user_roles where user_id = %s", [bystander.id])
    held = json.dumps(export(db, person.id), ensure_ascii=False)
    assert not [needle for needle in bystander.needles if needle in held]
    assert str(person.id) in held


def test_pages_join_to_the_whole(db: Connection, person: Person, bystander: Person) -> None:
    fill_every_table(db, person, bystander.id)
    for n in range(7):
        db.execute(
            "insert into public.predictions"
            " (prediction, source_table, row_key, owner_id, model, status)"
            " values ('p', 't', %s, %s, 'eta', 'done')",
            [f"same {n // 3}", person.id],
        )
    whole = export(db, person.id)
    assert whole["complete"]
    db.execute("update private.personal_data_settings set export_page_rows = 2")
    first = export(db, person.id)
    assert not first["complete"]
    assert len(first["data"]["public.predictions"]) == 2
    joined = all_pages(db, person.id)
    for table in set(whole["data"]) - {"public.export_requests"}:
        assert joined["data"][table] == whole["data"][table], table
    assert [e["state"] for e in joined["data"]["public.export_requests"]].count("paged") >= 1


def test_exports_are_rationed_by_person(db: Connection, person: Person, bystander: Person) -> None:
    db.execute("update private.personal_data_settings set exports_per_day = 2")
    export(db, person.id)
    export(db, person.id)
    with as_user(db, person.id), refused(db, "PT429", "EXPORT_LIMIT_REACHED"):
        db.execute("select public.request_export()")
    export(db, bystander.id)
    db.execute("update public.export_requests set requested_at = now() - interval '25 hours'")
    export(db, person.id)
    with as_user(db, person.id):
        assert len(column(db, "select id from public.export_requests")) == 3


def test_refusals_of_pages(db: Connection, person: Person, bystander: Person) -> None:
    mine = export(db, person.id)["export_id"]
    page = "select public.export_page(%s, %s, %s)"
    with as_user(db, bystander.id), refused(db, "PT404", "EXPORT_NOT_FOUND"):
        db.execute(page, [mine, "public.profiles", "{}"])
    with as_user(db, person.id):
        for table, after in (
            ("private.account_words", "{}"),
            ("auth.users as t; drop table x", "{}"),
            ("public.profiles", "[]"),
            ("public.profiles", None),
            (None, "{}"),
        ):
            with refused(db, "PT422", "EXPORT_PAGE_UNKNOWN"):
                db.execute(page, [mine, table, after])
        with refused(db, "22P02"):
            db.execute(page, [mine, "public.profiles", '{"id": "x\' or true --"}'])
        everything = '{"id": "00000000-0000-0000-0000-000000000000"}'
        (found,) = value(db, page, [mine, "public.profiles", everything])
        assert found["id"] == str(person.id)
    db.execute("update public.export_requests set requested_at = now() - interval '25 hours'")
    with as_user(db, person.id), refused(db, "PT404", "EXPORT_NOT_FOUND"):
        db.execute(page, [mine, "public.profiles", "{}"])


def test_who_is_not_there_exports_nothing(db: Connection, person: Person) -> None:
    with as_anon(db), refused(db, DENIED):
        db.execute("select public.request_export()")
    db.execute("delete from auth.users where id = %s", [person.id])
    with as_user(db, person.id), refused(db, "PT404", "ACCOUNT_NOT_FOUND"):
        db.execute("select public.request_export()")


# Restoring

text = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=30)
json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
lives = st.fixed_dictionaries(
    {
        "name": text.filter(lambda t: t.strip() == t and t != ""),
        "reason": text,
        "outputs": st.lists(json_values, max_size=4),
        "interval": st.floats(allow_nan=False),
        "hash": st.binary(max_size=8),
    }
)


@given(life=lives)
@settings(
    max_examples=8,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_exported_erased_and_imported_is_the_same(db: Connection, life: dict[str, Any]) -> None:
    with db.transaction(force_rollback=True):
        person, bystander = make_person(db, life["name"]), make_person(db)
        fill_every_table(db, person, bystander.id)
        _live(db, person, life)
        before = all_pages(db, person.id)
        with as_service(db):
            db.execute("select public.erase_user(%s)", [person.id])
        counts = restore(db, before)["rows"]
        after = export(db, person.id)
        restored = [table["table"] for table in before["tables"] if table["restored"]]
        assert len(restored) >= 5
        for table in restored:
            assert after["data"][table] == before["data"][table], table
            assert counts.get(table, 1) == len(before["data"][table])
        assert not any(
            after["data"][table["table"]]
            for table in before["tables"]
            if not table["restored"] and table["table"] not in MADE_ANEW
        )


# By restoring the account, and by asking for the second export.
MADE_ANEW = {"auth.identities", "public.export_requests"}


def _live(db: Connection, person: Person, life: dict[str, Any]) -> None:
    db.execute(
        "update public.pickup_requests set cancel_reason = %s where user_id = %s",
        [life["reason"], person.id],
    )
    for output in life["outputs"]:
        db.execute(
            "insert into public.predictions (prediction, source_table, row_key, owner_id, model,"
            " status, output, interval_low, interval_high, input_hash)"
            " values ('p', 't', 'k', %s, 'eta', 'done', %s, %s, 'infinity', %s)",
            [person.id, json.dumps(output), life["interval"], life["hash"]],
        )
        db.execute(
            "insert into public.prediction_outcomes (prediction, row_key, owner_id, truth)"
            " values ('p', gen_random_uuid(), %s, %s)",
            [person.id, json.dumps(output)],
        )


def test_a_restored_account_is_told_nothing_old(
    db: Connection, person: Person, bystander: Person
) -> None:
    fill_every_table(db, person, bystander.id)
    db.execute("update public.predictions set created_at = created_at - interval '2 days'")
    before = export(db, person.id)
    with as_service(db):
        db.execute("select public.erase_user(%s)", [person.id])
    restore(db, before)
    topic = "select count(*) from realtime.messages where topic = 'user:' || %s"
    assert value(db, topic, [str(person.id)]) == 0


def test_a_username_that_was_taken_meanwhile_stays_with_who_has_it(
    db: Connection, person: Person, bystander: Person
) -> None:
    name = "update public.profiles set username = 'ann_1' where id = %s"
    db.execute(name, [person.id])
    before = export(db, person.id)
    with as_service(db):
        db.execute("select public.erase_user(%s)", [person.id])
    db.execute(name, [bystander.id])
    restore(db, before)
    found = db.execute(
        "select username, display_name from public.profiles where id = %s", [person.id]
    ).fetchone()
    assert found == (None, person.name)


def test_a_document_gives_no_right_and_no_row_of_anybody_else(
    db: Connection, person: Person, bystander: Person
) -> None:
    good = export(db, person.id)
    with as_service(db):
        db.execute("select public.erase_user(%s)", [person.id])
    admin = {
        **good,
        "data": {
            **good["data"],
            "public.user_roles": [{"user_id": str(person.id), "role": "admin"}],
        },
    }
    with db.transaction(force_rollback=True):
        restore(db, admin)
        assert (
            column(db, "select role from public.user_roles where user_id = %s", [person.id]) == []
        )
    theirs = {"id": str(bystander.id), "display_name": "Taken"}
    refusals: tuple[Any, ...] = (
        {**good, "data": {**good["data"], "public.profiles": [theirs]}},
        {**good, "data": {**good["data"], "public.profiles": [{"display_name": "x"}]}},
        {**good, "data": {**good["data"], "public.profiles": ["x"]}},
        {**good, "user_id": str(bystander.id)},
        {**good, "user_id": "x"},
        {**good, "version": 2},
        {**good, "complete": False},
        {**good, "format": None},
        {**good, "data": []},
        {},
        [],
        None,
        "x",
    )
    for bad in refusals:
        with refused(db, "PT422", "IMPORT_REFUSED"):
            restore(db, bad)
    assert value(db, "select display_name from public.profiles where id = %s", [bystander.id])


def test_an_account_that_is_there_is_not_overwritten(db: Connection, person: Person) -> None:
    document = export(db, person.id)
    with refused(db, "PT409", "ACCOUNT_EXISTS"):
        restore(db, document)


@pytest.mark.parametrize(
    ("account", "password", "token"),
    [
        ({"email": "no address"}, "correct horse", "EMAIL_INVALID"),
        ({"email": "a@b.c\r\nbcc: x@y.z"}, "correct horse", "EMAIL_INVALID"),
        ({"email": "a@" + "b" * 250 + ".com"}, "correct horse", "EMAIL_INVALID"),
        ({}, "correct horse", "EMAIL_INVALID"),
        ({"email": "a@example.com"}, "short", "PASSWORD_INVALID"),
        ({"email": "a@example.com"}, "å" * 37, "PASSWORD_INVALID"),
    ],
)
def test_an_account_takes_an_address_and_a_password(
    db: Connection, account: dict[str, str], password: str, token: str
) -> None:
    with as_service(db), refused(db, "PT422", token):
        db.execute("select public.make_account(%s, %s)", [json.dumps(account), password])
