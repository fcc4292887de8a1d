"""Feature flags: everybody may know them, holders of flags.write switch them, SQL asks by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.db.pipeline import Connection, value
from tests.personas import DENIED, as_anon, as_service, as_user, make_user, refused

if TYPE_CHECKING:
    from uuid import UUID

BUILT_IN = ["affiliate_tracking", "ml_recommendations", "registration", "social_login"]


@pytest.fixture
def admin(db: Connection) -> UUID:
    """A person who holds flags.write through the role admin."""
    user = make_user(db)
    db.execute("insert into public.user_roles (user_id, role) values (%s, 'admin')", [user])
    return user


def switch(db: Connection, name: str | None, enabled: bool | None) -> tuple[Any, ...]:
    row = db.execute(
        "select name, enabled, updated_at, updated_by from public.set_flag(%s, %s)", [name, enabled]
    ).fetchone()
    assert row is not None
    return row


def test_anybody_may_ask_what_is_on(db: Connection) -> None:
    with as_anon(db):
        rows = db.execute("select name, enabled from public.feature_flags()").fetchall()
        assert value(db, "select public.flag('registration')") is True
    assert rows == [(name, True) for name in BUILT_IN]


def test_a_switched_flag_counts_at_once(db: Connection, admin: UUID) -> None:
    with as_user(db, admin):
        name, enabled, _, by = switch(db, "ml_recommendations", False)
    assert (name, enabled, by) == ("ml_recommendations", False, admin)
    with as_anon(db):
        assert value(db, "select public.flag('ml_recommendations')") is False
        assert value(db, "select public.flag('registration')") is True


def test_saying_it_twice_is_no_second_change(db: Connection, admin: UUID) -> None:
    with as_user(db, admin):
        switch(db, "social_login", False)
    with as_service(db):
        assert switch(db, "social_login", False)[3] == admin
        assert switch(db, "social_login", True)[3] is None


def test_an_unknown_flag_is_an_error_and_not_off(db: Connection, admin: UUID) -> None:
    for name in ("registratoin", "", None, "REGISTRATION", "x" * 10_000):
        with as_anon(db), refused(db, "PT404", "FLAG_NOT_FOUND"):
            db.execute("select public.flag(%s)", [name])
        with as_user(db, admin), refused(db, "PT404", "FLAG_NOT_FOUND"):
            switch(db, name, True)
    with as_user(db, admin), refused(db, "PT422", "FLAG_VALUE_MISSING"):
        switch(db, "registration", None)


def test_only_holders_of_the_permission_switch(db: Connection, rider: UUID, admin: UUID) -> None:
    with as_user(db, rider), refused(db, "PT403", "PERMISSION_DENIED"):
        switch(db, "registration", False)
    with as_anon(db), refused(db, DENIED):
        switch(db, "registration", False)
    # A right that ran out is no right, whatever the token still says.
    past = "granted_at = now() - interval '2 s', expires_at = now() - interval '1 s'"
    db.execute("insert into public.user_roles (user_id, role) values (%s, 'admin')", [rider])
    db.execute(f"update public.user_roles set {past} where user_id = %s", [admin])
    with (
        as_user(db, admin, app_roles=["admin"], app_metadata={"app_roles": ["admin"]}),
        refused(db, "PT403", "PERMISSION_DENIED"),
    ):
        switch(db, "registration", False)
    assert value(db, "select private.flag('registration')") is True


@pytest.mark.parametrize(
    "statement",
    [
        "update public.feature_flags set enabled = false",
        "insert into public.feature_flags values ('x', true, 'x')",
        "delete from public.feature_flags",
    ],
)
def test_switching_past_the_function(db: Connection, admin: UUID, statement: str) -> None:
    with as_user(db, admin), refused(db, DENIED):
        db.execute(statement.encode())
    with as_service(db), refused(db, DENIED):
        db.execute(statement.encode())


def test_asking_is_one_index_probe(db: Connection) -> None:
    db.execute(
        "insert into public.feature_flags"
        " select 'f' || n, true, 'x' from generate_series(1, 5000) as n"
    )
    db.execute("analyze public.feature_flags")
    plan = db.execute(
        "explain select enabled from public.feature_flags where name = 'registration'"
    ).fetchall()
    assert "Index Scan using feature_flags_pkey" in plan[0][0]
    assert value(db, "select provolatile from pg_proc where oid = 'public.flag'::regproc") == "s"
