"""Profiles: one for each account, and never in the way of an account."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from tests.db.pipeline import Connection, column, value
from tests.personas import DENIED, as_anon, as_service, as_user, make_user, refused

if TYPE_CHECKING:
    from uuid import UUID

NAME = "select display_name from public.profiles where id = %s"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Ada", "Ada"),
        ("  Ada  ", "Ada"),
        ("", None),
        ("   ", None),
        ("x" * 200, "x" * 80),
        ({"a": 1}, '{"a": 1}'),
        (None, None),
    ],
)
def test_sign_up_makes_a_profile(db: Connection, given: object, kept: str | None) -> None:
    user = make_user(db, display_name=given)
    assert value(db, NAME, [user]) == kept


def test_a_broken_profiles_table_never_blocks_the_sign_up(db: Connection) -> None:
    db.execute("alter table public.profiles add constraint broken check (false) not valid")
    user = make_user(db)
    assert value(db, "select count(*) from auth.users where id = %s", [user]) == 1
    assert column(db, NAME, [user]) == []

    with as_user(db, user), refused(db, "PT404", "PROFILE_NOT_FOUND"):
        db.execute("select public.me()")
    db.execute("alter table public.profiles drop constraint broken")
    with as_user(db, user):
        assert value(db, "select id from public.sync_profile()") == user
        assert value(db, "select id from public.me()") == user


def test_even_a_missing_profiles_table_never_blocks_the_sign_up(db: Connection) -> None:
    db.execute("alter table public.profiles rename to lost")
    user = make_user(db)
    assert value(db, "select count(*) from auth.users where id = %s", [user]) == 1


def test_sync_profile_fills_an_empty_name_and_keeps_a_chosen_one(db: Connection) -> None:
    user = make_user(db, display_name="From the account")
    db.execute("update public.profiles set display_name = null where id = %s", [user])
    with as_user(db, user):
        assert value(db, "select display_name from public.sync_profile()") == "From the account"
        db.execute("update public.profiles set display_name = 'Chosen' where id = %s", [user])
        assert value(db, "select display_name from public.sync_profile()") == "Chosen"


def test_sync_profile_refuses_a_token_of_a_deleted_account(db: Connection) -> None:
    with as_user(db, uuid.uuid4()), refused(db, "PT404", "ACCOUNT_NOT_FOUND"):
        db.execute("select public.sync_profile()")


def test_me_is_the_callers_own_profile(db: Connection, rider: UUID, other: UUID) -> None:
    for user in (rider, other):
        with as_user(db, user):
            assert value(db, "select id from public.me()") == user


@pytest.mark.parametrize("function", ["me", "sync_profile"])
def test_my_profile_needs_a_user(db: Connection, function: str) -> None:
    with as_anon(db), refused(db, DENIED):
        db.execute(f"select public.{function}()")
    with as_service(db), refused(db, DENIED):
        db.execute(f"select public.{function}()")


def test_sync_profile_without_a_subject_says_so(db: Connection, rider: UUID) -> None:
    with as_user(db, rider):
        db.execute("select set_config('request.jwt.claims', '{}', true)")
        with refused(db, "PT401", "NOT_SIGNED_IN"):
            db.execute("select public.sync_profile()")


def test_people_rename_themselves_and_nobody_else(db: Connection, rider: UUID, other: UUID) -> None:
    rename = "update public.profiles set display_name = 'New' where id = %s"
    with as_user(db, rider):
        assert db.execute(rename, [rider]).rowcount == 1
        assert db.execute(rename, [other]).rowcount == 0
    assert value(db, NAME, [rider]) == "New"
    assert value(db, NAME, [other]) is None


def test_a_rename_is_stamped(db: Connection, rider: UUID) -> None:
    db.execute("update public.profiles set updated_at = 'epoch' where id = %s", [rider])
    with as_user(db, rider):
        db.execute("update public.profiles set display_name = 'New' where id = %s", [rider])
    assert value(db, "select updated_at = now() from public.profiles where id = %s", [rider])


@pytest.mark.parametrize("name", ["", "x" * 81])
def test_a_name_has_1_to_80_characters(db: Connection, rider: UUID, name: str) -> None:
    with as_user(db, rider), refused(db, "23514"):
        db.execute("update public.profiles set display_name = %s where id = %s", [name, rider])


@pytest.mark.parametrize("column_name", ["id", "created_at", "updated_at"])
def test_other_columns_are_refused_by_the_grant(
    db: Connection, rider: UUID, column_name: str
) -> None:
    with as_user(db, rider), refused(db, DENIED):
        db.execute(
            f"update public.profiles set {column_name} = {column_name} where id = %s", [rider]
        )


def test_a_deleted_account_takes_its_profile_along(db: Connection, rider: UUID) -> None:
    db.execute("delete from auth.users where id = %s", [rider])
    assert column(db, NAME, [rider]) == []
