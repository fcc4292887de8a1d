"""One's own account, and those of others for who may see them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.db.pipeline import Connection, column, value
from tests.db.test_roles import grant
from tests.personas import DENIED, as_anon, as_service, as_user, make_user, refused

if TYPE_CHECKING:
    from uuid import UUID


@pytest.fixture
def ann(db: Connection) -> UUID:
    return make_user(db, "ann@example.com", display_name="Ann")


@pytest.fixture
def admin(db: Connection) -> UUID:
    return grant(db, make_user(db, "root@example.com"))


@pytest.fixture
def support(db: Connection) -> UUID:
    return grant(db, make_user(db, "help@example.com"), "support")


def update_me(conn: Connection, **changes: Any) -> None:
    conn.execute("select public.update_me(%s)", [json.dumps(changes)])


def test_me_is_the_account_with_what_it_may_do(db: Connection, support: UUID) -> None:
    with as_user(db, support):
        row = db.execute(
            "select email, roles, permissions, banned_until from public.me()"
        ).fetchone()
    assert row == ("help@example.com", ["support"], ["audit.read", "users.read"], None)


def test_a_profile_is_changed_field_by_field(db: Connection, ann: UUID) -> None:
    read = "select display_name, username, locale, time_zone, avatar_url from public.me()"
    with as_user(db, ann):
        update_me(db, username="ann_1", time_zone="Europe/Zurich", locale="de-CH")
        assert db.execute(read).fetchone() == ("Ann", "ann_1", "de-CH", "Europe/Zurich", None)
        update_me(db, username=None, avatar_url="https://example.com/a.png")
        assert db.execute(read).fetchone() == (
            "Ann", None, "de-CH", "Europe/Zurich", "https://example.com/a.png",
        )  # fmt: skip
        update_me(db)
        assert db.execute(read).fetchone() == (
            "Ann", None, "de-CH", "Europe/Zurich", "https://example.com/a.png",
        )  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "00000000-0000-0000-0000-000000000000"},
        {"role": "admin"},
        {"tier": "premium"},
        {"banned_until": None},
        {"created_at": "2000-01-01"},
        {"display_name": 7},
        {"display_name": {"a": 1}},
    ],
)
def test_no_other_field_is_changed(db: Connection, ann: UUID, changes: dict[str, Any]) -> None:
    with as_user(db, ann), refused(db, "PT422", "FIELD_REFUSED"):
        update_me(db, **changes)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("display_name", ""),
        ("display_name", "x" * 81),
        ("username", "An"),
        ("username", "ann!"),
        ("username", "ANN"),
        ("locale", "german"),
        ("time_zone", "Mars/Base"),
        ("time_zone", "x" * 65),
        ("avatar_url", "http://example.com/a.png"),
        ("avatar_url", "javascript:alert(1)"),
        ("avatar_url", 'https://example.com/"onload=x'),
        ("avatar_url", "https://" + "x" * 500),
    ],
)
def test_a_field_has_a_form(db: Connection, ann: UUID, field: str, text: str) -> None:
    with as_user(db, ann), refused(db, "PT422", "FIELD_OUT_OF_RANGE"):
        update_me(db, **{field: text})
    with as_user(db, ann), refused(db, "23514"):
        db.execute(f"update public.profiles set {field} = %s", [text])


@pytest.mark.parametrize("payload", ["null", "[]", '"x"', "1"])
def test_changes_are_an_object(db: Connection, ann: UUID, payload: str) -> None:
    with as_user(db, ann), refused(db, "PT422", "INVALID_PAYLOAD"):
        db.execute("select public.update_me(%s)", [payload])


def test_a_user_name_is_one_persons(db: Connection, ann: UUID, rider: UUID) -> None:
    with as_user(db, ann):
        update_me(db, username="first")
    with as_user(db, rider), refused(db, "PT409", "USERNAME_TAKEN"):
        update_me(db, username="first")


# Others


def test_who_may_not_ask_learns_nothing_of_others(db: Connection, ann: UUID, rider: UUID) -> None:
    with as_user(db, rider):
        assert value(db, "select email from public.get_user(%s)", [rider]) is not None
        for other in (ann, "00000000-0000-4000-8000-000000000000"):
            with refused(db, "PT403", "PERMISSION_DENIED"):
                db.execute("select public.get_user(%s)", [other])
        with refused(db, "PT403", "PERMISSION_DENIED"):
            db.execute("select public.list_users()")
        with refused(db, "PT403", "PERMISSION_DENIED"):
            db.execute("select public.admin_update_user(%s, '{}')", [rider])
        assert column(db, "select id from public.profiles") == [rider]
        assert column(db, "select user_id from public.user_roles") == []
    for call in ("get_user(null)", "list_users()", "admin_update_user(null, null)", "me()"):
        with as_anon(db), refused(db, DENIED):
            db.execute(f"select public.{call}".encode())


def test_support_reads_and_does_not_write(db: Connection, support: UUID, ann: UUID) -> None:
    with as_user(db, support):
        assert value(db, "select display_name from public.get_user(%s)", [ann]) == "Ann"
        with refused(db, "PT403", "PERMISSION_DENIED"):
            db.execute("select public.admin_update_user(%s, '{}')", [ann])
        db.execute("update public.profiles set display_name = 'x'")
    assert value(db, "select display_name from public.profiles where id = %s", [ann]) == "Ann"


def listed(
    conn: Connection, search: str | None = None, page: int = 1, size: int = 20
) -> tuple[int, list[str]]:
    row = conn.execute(
        "select total, array(select u.email from unnest(users) as u)"
        " from public.list_users(%s, %s, %s)",
        [search, page, size],
    ).fetchone()
    assert row
    return row[0], row[1]


def test_accounts_are_listed_in_pages_with_their_number(db: Connection, support: UUID) -> None:
    before = int(value(db, "select count(*) from public.profiles"))
    for n in range(5):
        user = make_user(db, f"u{n}@example.com")
        db.execute(
            "update public.profiles set created_at = now() + %s * interval '1 s' where id = %s",
            [n + 1, user],
        )
    with as_user(db, support):
        assert listed(db, size=2) == (before + 5, ["u4@example.com", "u3@example.com"])
        assert listed(db, page=2, size=2) == (before + 5, ["u2@example.com", "u1@example.com"])
        assert listed(db, page=1000) == (before + 5, [])


def test_accounts_are_found_by_what_is_in_them(db: Connection, support: UUID, ann: UUID) -> None:
    make_user(db, "under_score@example.com", display_name="100% Bo")
    with as_user(db, support):
        for words in ("ANN@", " ann@example", "n@ex"):
            assert listed(db, words) == (1, ["ann@example.com"])
        assert listed(db, "0%") == (1, ["under_score@example.com"])
        assert listed(db, "r_s") == (1, ["under_score@example.com"])
        assert listed(db, "%") == (1, ["under_score@example.com"])
        assert listed(db, "nobody at all") == (0, [])
        assert listed(db, "\\") == (0, [])
    db.execute("update auth.users set email = 'anna@example.org' where id = %s", [ann])
    db.execute("update public.profiles set username = 'queen' where id = %s", [ann])
    with as_service(db):
        assert listed(db, "anna@example.org") == (1, ["anna@example.org"])
        assert listed(db, "queen") == (1, ["anna@example.org"])
        assert listed(db, "ann@example.com") == (0, [])


@pytest.mark.parametrize(
    ("search", "page", "size"),
    [
        (None, 0, 20),
        (None, 1, 0),
        (None, 1, 101),
        (None, 100001, 1),
        ("x" * 101, 1, 1),
        (None, None, 1),
    ],
)
def test_a_page_has_a_range(
    db: Connection, support: UUID, search: Any, page: Any, size: Any
) -> None:
    with as_user(db, support), refused(db, "PT422", "PAGE_OUT_OF_RANGE"):
        listed(db, search, page, size)


def test_an_admin_changes_a_profile(db: Connection, admin: UUID, ann: UUID) -> None:
    with as_user(db, admin):
        change = (
            'select display_name from public.admin_update_user(%s, \'{"display_name": "Anna"}\')'
        )
        assert value(db, change, [ann]) == "Anna"
        with refused(db, "PT404", "ACCOUNT_NOT_FOUND"):
            db.execute("select public.admin_update_user(gen_random_uuid(), '{}')")


def test_a_ban_ends_the_sessions_and_is_lifted(db: Connection, admin: UUID, ann: UUID) -> None:
    db.execute("insert into auth.sessions (id, user_id) values (gen_random_uuid(), %s)", [ann])
    ban = "select banned_until > now() from public.admin_update_user(%s, %s)"
    with as_user(db, admin):
        assert value(db, ban, [ann, '{"banned_until": "2100-01-01T00:00:00Z"}']) is True
    assert value(db, "select count(*) from auth.sessions where user_id = %s", [ann]) == 0
    with as_user(db, admin):
        assert value(db, ban, [ann, '{"banned_until": null}']) is None
        with refused(db, "PT409", "SELF_BAN"):
            db.execute(
                'select public.admin_update_user(%s, \'{"banned_until": "2100-01-01"}\')', [admin]
            )


def test_bans_are_in_the_audit_log(db: Connection, admin: UUID, ann: UUID) -> None:
    for until in ('"2100-01-01T00:00:00Z"', '"2100-01-01T00:00:00Z"', "null"):
        with as_user(db, admin):
            db.execute(
                "select public.admin_update_user(%s, %s)", [ann, f'{{"banned_until": {until}}}']
            )
    noted = db.execute(
        "select actor_id, subject_id, left(new_values ->> 'banned_until', 10)"
        " from private.audit_log where action = 'account.banned' order by id"
    ).fetchall()
    assert noted == [(admin, ann, "2100-01-01"), (admin, ann, None)]


def test_an_admin_whose_account_is_gone_is_no_last_admin(db: Connection, admin: UUID) -> None:
    """Auth can delete softly: the row stays, with its roles."""
    ghost = make_user(db)
    role = "insert into public.user_roles (user_id, role) values (%s, 'admin')"
    db.execute(role, [ghost])
    db.execute("delete from public.user_roles where user_id not in (%s, %s)", [admin, ghost])
    db.execute("update auth.users set deleted_at = now() where id = %s", [ghost])
    for statement in (
        "select private.check_erasable(%s)",
        "delete from public.user_roles where user_id = %s",
    ):
        with refused(db, "PT409", "LAST_ADMIN"):
            db.execute(statement, [admin])


@pytest.mark.parametrize("until", ["2000-01-01", "infinity", "soon", "2300-01-01", ""])
def test_a_ban_ends_in_the_future(db: Connection, admin: UUID, ann: UUID, until: str) -> None:
    with as_user(db, admin), refused(db, "PT422", "EXPIRY_OUT_OF_RANGE"):
        db.execute(
            "select public.admin_update_user(%s, %s)", [ann, json.dumps({"banned_until": until})]
        )
