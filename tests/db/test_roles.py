"""Who may give what to whom, and that somebody can always run the place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.db.pipeline import Connection, in_background, value
from tests.personas import DENIED, as_anon, as_service, as_user, make_user, refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

HOUR = "now() + interval '1 hour'"


def grant(conn: Connection, user: UUID, role: str = "admin", until: str = "null") -> UUID:
    """Give a role as an operator would, in SQL."""
    conn.execute(
        f"insert into public.user_roles (user_id, role, expires_at) values (%s, %s, {until})"
        " on conflict (user_id, role) do update set expires_at = excluded.expires_at",
        [user, role],
    )
    return user


def set_role(
    conn: Connection, user: UUID, role: str, *, granted: bool = True, until: str = "null"
) -> Any:
    return value(conn, f"select public.set_role(%s, %s, %s, {until})", [user, role, granted])


@pytest.fixture
def admin(db: Connection) -> UUID:
    return grant(db, make_user(db))


@pytest.fixture
def support(db: Connection) -> UUID:
    return grant(db, make_user(db), "support")


def may(conn: Connection, user: UUID, permission: str, **claims: Any) -> bool:
    with as_user(conn, user, **claims):
        return bool(value(conn, "select private.has_permission(%s)", [permission]))


@pytest.fixture(autouse=True)
def callable_private(db: Connection) -> None:
    # Tests call what policies call; no role of the API has USAGE there.
    db.execute("grant usage on schema private to authenticated")


# What a role allows


def test_a_role_allows_what_the_table_says(db: Connection, support: UUID, rider: UUID) -> None:
    assert may(db, support, "users.read")
    assert not may(db, support, "users.write")
    assert not may(db, rider, "users.read")


def test_a_right_that_is_taken_is_gone_with_the_next_statement(
    db: Connection, admin: UUID, support: UUID
) -> None:
    assert may(db, support, "users.read", app_roles=["support"])
    with as_user(db, admin):
        assert set_role(db, support, "support", granted=False) == []
    assert not may(db, support, "users.read", app_roles=["support"])


def test_a_role_ends_by_itself(db: Connection, rider: UUID) -> None:
    grant(db, rider, "support", HOUR)
    assert may(db, rider, "users.read")
    db.execute(
        "update public.user_roles set"
        " granted_at = now() - interval '2 hours', expires_at = now() - interval '1 hour'"
    )
    assert not may(db, rider, "users.read")
    with as_user(db, rider):
        assert value(db, "select roles from public.me()") == []


def test_an_api_key_holds_no_permission(db: Connection, admin: UUID) -> None:
    assert not may(db, admin, "users.read", api_key_id="1")


def test_a_claim_in_the_token_gives_nothing(db: Connection, rider: UUID) -> None:
    claims = {
        "app_roles": ["admin"],
        "user_metadata": {"role": "admin"},
        "app_metadata": {"role": "admin"},
    }
    assert not may(db, rider, "users.read", **claims)


def test_a_permission_may_take_a_second_factor(db: Connection, admin: UUID, rider: UUID) -> None:
    db.execute("update public.permissions set requires_mfa = true where name = 'roles.grant'")
    assert not may(db, admin, "roles.grant")
    assert not may(db, admin, "roles.grant", aal="aal1")
    assert may(db, admin, "roles.grant", aal="aal2")
    assert may(db, admin, "users.read")
    with as_user(db, admin, aal="aal1"), refused(db, "PT403", "MFA_REQUIRED"):
        set_role(db, rider, "support")
    with as_user(db, rider, aal="aal2"), refused(db, "PT403", "PERMISSION_DENIED"):
        set_role(db, rider, "support")
    with as_user(db, admin, aal="aal2", api_key_id="1"), refused(db, "PT403", "PERMISSION_DENIED"):
        set_role(db, rider, "support")
    with as_user(db, admin, aal="aal2"):
        assert set_role(db, rider, "support") == ["support"]


# Giving


def test_an_admin_gives_and_takes(db: Connection, admin: UUID, rider: UUID) -> None:
    with as_user(db, admin):
        assert set_role(db, rider, "support") == ["support"]
        assert set_role(db, rider, "admin") == ["admin", "support"]
        assert set_role(db, rider, "support", granted=False) == ["admin"]
    assert (
        value(db, "select granted_by from public.user_roles where user_id = %s", [rider]) == admin
    )


def test_the_secret_key_makes_the_first_admin(db: Connection, rider: UUID) -> None:
    with as_service(db):
        assert set_role(db, rider, "admin") == ["admin"]
    assert may(db, rider, "roles.grant")


@pytest.mark.parametrize("who", ["rider", "support"])
def test_nobody_promotes_himself(db: Connection, request: pytest.FixtureRequest, who: str) -> None:
    person = request.getfixturevalue(who)
    with as_user(db, person), refused(db, "PT403", "PERMISSION_DENIED"):
        set_role(db, person, "admin")
    with as_anon(db), refused(db, DENIED):
        set_role(db, person, "admin")
    for write in (
        "insert into public.user_roles (user_id, role) select id, 'admin' from public.profiles",
        "update public.user_roles set role = 'admin'",
        "delete from public.user_roles",
        "insert into public.role_permissions values ('support', 'roles.grant')",
    ):
        with as_user(db, person), refused(db, DENIED):
            db.execute(write)


@pytest.fixture
def deputy(db: Connection) -> UUID:
    """May grant and support, and nothing else."""
    db.execute(
        "insert into public.app_roles values ('deputy', 'Grants support.');"
        "insert into public.role_permissions select 'deputy', name from public.permissions"
        " where name in ('roles.grant', 'users.read', 'audit.read', 'users.write')"
    )
    return grant(db, make_user(db), "deputy")


def test_nobody_gives_more_than_he_has(db: Connection, deputy: UUID, rider: UUID) -> None:
    with as_user(db, deputy):
        assert set_role(db, rider, "support") == ["support"]
        for person in (rider, deputy):
            with refused(db, "PT403", "ABOVE_YOURSELF"):
                set_role(db, person, "admin")


def test_nobody_touches_who_is_above_him(db: Connection, deputy: UUID, admin: UUID) -> None:
    with as_user(db, deputy):
        for role, granted in (("support", True), ("support", False), ("admin", False)):
            with refused(db, "PT403", "ABOVE_YOURSELF"):
                set_role(db, admin, role, granted=granted)
        with refused(db, "PT403", "ABOVE_YOURSELF"):
            db.execute('select public.admin_update_user(%s, \'{"display_name": "x"}\')', [admin])


def test_nobody_gives_for_longer_than_he_has(db: Connection, admin: UUID, rider: UUID) -> None:
    guest = grant(db, make_user(db), "admin", HOUR)
    with as_user(db, guest):
        for person in (guest, rider):
            for until in ("null", "now() + interval '2 hours'"):
                with refused(db, "PT403", "GRANT_OUTLASTS_YOURS"):
                    set_role(db, person, "admin", until=until)
        assert set_role(db, rider, "support", until="now() + interval '30 minutes'") == ["support"]


def test_a_guest_admin_touches_no_lasting_one(db: Connection, admin: UUID) -> None:
    guest = grant(db, make_user(db), "admin", HOUR)
    grant(db, make_user(db))
    with as_user(db, guest):
        with refused(db, "PT403", "ABOVE_YOURSELF"):
            set_role(db, admin, "admin", granted=False)
        with refused(db, "PT403", "ABOVE_YOURSELF"):
            db.execute('select public.admin_update_user(%s, \'{"locale": "de"}\')', [admin])


@pytest.mark.parametrize(
    "until", ["now()", "now() - interval '1 s'", "now() + interval '11 years'", "'infinity'"]
)
def test_a_role_ends_in_the_future(db: Connection, admin: UUID, rider: UUID, until: str) -> None:
    with as_user(db, admin), refused(db, "PT422", "EXPIRY_OUT_OF_RANGE"):
        set_role(db, rider, "support", until=until)


def test_there_are_no_other_roles_and_people(db: Connection, admin: UUID, rider: UUID) -> None:
    with as_user(db, admin):
        with refused(db, "PT404", "ROLE_NOT_FOUND"):
            set_role(db, rider, "king")
        with refused(db, "PT404", "ACCOUNT_NOT_FOUND"):
            db.execute("select public.set_role(gen_random_uuid(), 'admin')")


# The last admin


LAST = [
    "delete from public.user_roles where user_id = '{0}'",
    "update public.user_roles set role = 'support' where user_id = '{0}'",
    "update public.user_roles set expires_at = now() + interval '1 day' where user_id = '{0}'",
    "delete from public.profiles; delete from auth.users where id = '{0}'",
]


@pytest.mark.parametrize("way", LAST)
def test_the_last_admin_stays(db: Connection, admin: UUID, way: str) -> None:
    grant(db, make_user(db), "admin", HOUR)  # who will not stay
    with refused(db, "PT409", "LAST_ADMIN"):
        db.execute(way.format(admin).encode(), prepare=False)
    grant(db, make_user(db))
    db.execute(way.format(admin).encode(), prepare=False)


def test_the_last_admin_is_not_banned(db: Connection, admin: UUID) -> None:
    other = grant(db, make_user(db), "admin", HOUR)
    ban = 'select public.admin_update_user(%s, \'{"banned_until": "2100-01-01"}\')'
    with as_service(db), refused(db, "PT409", "LAST_ADMIN"):
        db.execute(ban, [admin])
    with as_user(db, admin):
        db.execute(ban, [other])


def test_two_admins_who_remove_each_other_leave_one(connect: Callable[[], Connection]) -> None:
    one, two, watcher = connect(), connect(), connect()
    first, second = grant(one, make_user(one)), grant(one, make_user(one))

    def leave(conn: Connection, who: UUID) -> Any:
        return conn.execute("delete from public.user_roles where user_id = %s", [who])

    one.execute("begin")
    leave(one, first)
    with in_background(watcher, two, lambda: leave(two, second)) as late:
        one.execute("commit")
    with pytest.raises(psycopg.Error) as caught:
        late.result()
    assert caught.value.diag.message_detail == "LAST_ADMIN"
    assert value(watcher, "select array_agg(user_id) from public.user_roles") == [second]


def test_a_right_that_is_being_taken_gives_nothing_more(connect: Callable[[], Connection]) -> None:
    taker, giver, watcher = connect(), connect(), connect()
    admin, other, friend = (
        grant(taker, make_user(taker)),
        grant(taker, make_user(taker)),
        make_user(taker),
    )
    taker.execute("begin")
    taker.execute("delete from public.user_roles where user_id = %s", [other])

    def give() -> Any:
        with giver.transaction(), as_user(giver, other):
            return set_role(giver, friend, "admin")

    with in_background(watcher, giver, give) as late:
        taker.execute("commit")
    with pytest.raises(psycopg.Error) as caught:
        late.result()
    assert caught.value.diag.message_detail == "PERMISSION_DENIED"
    assert value(watcher, "select array_agg(user_id) from public.user_roles") == [admin]


def test_the_role_of_a_new_account_is_asked_for_before_it_is_made(db: Connection) -> None:
    maker = make_user(db)
    db.execute("insert into public.app_roles values ('maker', 'Makes accounts')")
    db.execute(
        "insert into public.role_permissions values"
        " ('maker', 'users.write'), ('maker', 'roles.grant')"
    )
    db.execute("insert into public.user_roles (user_id, role) values (%s, 'maker')", [maker])
    may = "select public.may_create_user(%s)"
    with as_user(db, maker):
        for role in (None, "maker"):
            db.execute(may, [role])
        with refused(db, "PT403", "ABOVE_YOURSELF"):
            db.execute(may, ["admin"])
        with refused(db, "PT404", "ROLE_NOT_FOUND"):
            db.execute(may, ["no such role"])
    db.execute(
        "update public.user_roles set expires_at = now() + interval '1 day' where user_id = %s",
        [maker],
    )
    with as_user(db, maker), refused(db, "PT403", "GRANT_OUTLASTS_YOURS"):
        db.execute(may, ["maker"])
