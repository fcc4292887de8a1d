"""Sessions: a token is worth something for as long as the session it came from, and no longer."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.db.pipeline import Connection, column, value
from tests.personas import as_anon, as_service, as_user, make_user, refused
from tests.requests import make_session, request, token_of

if TYPE_CHECKING:
    from uuid import UUID


def may_call(db: Connection, claims: dict[str, Any], method: str = "POST") -> None:
    with request(db, claims, method=method):
        assert value(db, "select current_user") == claims["role"]


def is_refused(db: Connection, claims: dict[str, Any]) -> None:
    for method in ("GET", "POST"):
        with refused(db, "PT401", "SESSION_REVOKED"), request(db, claims, method=method):
            pytest.fail("it was admitted")


ENDINGS = {
    "signed out": "delete from auth.sessions where id = %(session)s",
    "the account is gone": "delete from auth.users where id = %(user)s",
    "banned": "update auth.users set banned_until = now() + interval '1 hour' where id = %(user)s",
    "deleted softly": "update auth.users set deleted_at = now() where id = %(user)s",
    "timed out": "update auth.sessions set not_after = now() where id = %(session)s",
    "somebody else's": "update auth.sessions set user_id = %(other)s where id = %(session)s",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_token_ends_with_its_session(
    db: Connection, rider: UUID, other: UUID, ending: str
) -> None:
    session = make_session(db, rider)
    token = token_of(rider, session)
    for method in ("GET", "POST"):
        may_call(db, token, method)
    db.execute(ENDINGS[ending], {"user": rider, "other": other, "session": session})
    is_refused(db, token)


def test_a_ban_that_is_over_and_a_session_with_time_left_are_no_obstacle(
    db: Connection, rider: UUID
) -> None:
    db.execute("update auth.users set banned_until = now() where id = %s", [rider])
    may_call(db, token_of(rider, make_session(db, rider, not_after="infinity")))


def test_a_token_without_a_session_lives_as_long_as_its_account(
    db: Connection, rider: UUID
) -> None:
    may_call(db, token_of(rider))
    is_refused(db, token_of(uuid.uuid4()))


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "1 or 1=1"},
        {"sub": ""},
        {"session_id": "x"},
        {"session_id": ""},
        {"session_id": str(uuid.uuid4()), "sub": None},
    ],
)
def test_claims_of_another_shape_are_refused_and_break_nothing(
    db: Connection, rider: UUID, claims: dict[str, Any]
) -> None:
    is_refused(db, token_of(rider) | claims)


@pytest.mark.parametrize("audience", ["another-project", ["another-project"], "", None, {}, 1])
def test_a_token_for_another_audience_is_refused(
    db: Connection, rider: UUID, audience: Any
) -> None:
    claims = token_of(rider, make_session(db, rider))
    is_refused(db, claims | {"aud": audience})
    for ours in ("authenticated", ["another-project", "authenticated"]):
        may_call(db, claims | {"aud": ours})


def test_the_keys_of_the_project_have_no_session(db: Connection) -> None:
    for role in ("anon", "service_role"):
        may_call(db, {"role": role})


def test_a_channel_closes_with_the_session(db: Connection, rider: UUID) -> None:
    session = make_session(db, rider)
    topic = f"user:{rider}"
    db.execute(
        "insert into realtime.messages (topic, extension, private) values (%s, 'broadcast', true)",
        [topic],
    )

    def hears() -> bool:
        with as_user(db, rider, session_id=str(session)):
            db.execute("select set_config('realtime.topic', %s, true)", [topic])
            return db.execute("select from realtime.messages").rowcount == 1

    assert hears()
    db.execute("delete from auth.sessions where id = %s", [session])
    assert not hears()


# The functions


def test_my_sessions_are_mine(db: Connection, rider: UUID, other: UUID) -> None:
    old = make_session(db, rider, created_at="2026-01-01", refreshed_at="2026-01-02 12:00")
    new = make_session(db, rider, user_agent="phone", ip="2001:db8::1", aal="aal2")
    make_session(db, rider, not_after="2026-01-01")
    make_session(db, other)
    with as_user(db, rider, session_id=str(old)):
        rows = db.execute("select * from public.my_sessions()").fetchall()
    assert [row[0] for row in rows] == [new, old]
    assert [row[6] for row in rows] == [False, True]
    assert rows[0][3:6] == ("phone", "2001:db8::1", "aal2")
    assert rows[1][2].isoformat() == "2026-01-02T12:00:00+00:00"


def test_my_sessions_reads_an_index(db: Connection, rider: UUID) -> None:
    db.execute("set local enable_seqscan = off")
    plan = db.execute(
        "explain (format json) select from auth.sessions where user_id = %s", [rider]
    ).fetchone()
    assert "Index" in json.dumps(plan)


def test_ending_one_session_and_no_other(db: Connection, rider: UUID) -> None:
    kept, ended = make_session(db, rider), make_session(db, rider)
    with as_user(db, rider, session_id=str(kept)):
        db.execute("select public.revoke_session(%s)", [ended])
        with refused(db, "PT404", "SESSION_NOT_FOUND"):
            db.execute("select public.revoke_session(%s)", [ended])
    assert column(db, "select id from auth.sessions where user_id = %s", [rider]) == [kept]


def test_ending_another_persons_session_by_its_id(db: Connection, rider: UUID, other: UUID) -> None:
    theirs = make_session(db, other)
    for session in (theirs, None):
        with as_user(db, rider), refused(db, "PT404", "SESSION_NOT_FOUND"):
            db.execute("select public.revoke_session(%s)", [session])
    may_call(db, token_of(other, theirs))


@pytest.mark.parametrize("keep", [True, False, None])
def test_signing_out_everywhere(
    db: Connection, rider: UUID, other: UUID, keep: bool | None
) -> None:
    mine = [make_session(db, rider) for _ in range(3)]
    theirs = make_session(db, other)
    with as_user(db, rider, session_id=str(mine[0])):
        ended = value(db, "select public.sign_out_everywhere(%s)", [keep])
    assert ended == (2 if keep else 3)
    left = column(db, "select id from auth.sessions where user_id = any (%s)", [[rider, other]])
    assert set(left) == ({mine[0], theirs} if keep else {theirs})


def test_an_ended_session_cannot_be_refreshed(db: Connection, rider: UUID) -> None:
    session = make_session(db, rider)
    db.execute(
        "insert into auth.refresh_tokens (id, token, user_id, session_id, revoked)"
        " values ('1', 'x', %s, %s, false)",
        [rider, session],
    )
    with as_user(db, rider, session_id=str(session)):
        db.execute("select public.sign_out_everywhere()")
    assert column(db, "select token from auth.refresh_tokens where user_id = %s", [rider]) == []


def give_role(db: Connection, user: UUID, role: str) -> UUID:
    db.execute("insert into public.user_roles (user_id, role) values (%s, %s)", [user, role])
    return user


def test_an_admin_signs_somebody_out(db: Connection, rider: UUID) -> None:
    admin = give_role(db, make_user(db), "admin")
    token = token_of(rider, make_session(db, rider))
    with as_user(db, rider):
        db.execute("select public.create_api_key('x')")
    with as_user(db, admin):
        assert value(db, "select public.admin_sign_out(%s)", [rider]) == 1
        with refused(db, "PT404", "ACCOUNT_NOT_FOUND"):
            db.execute("select public.admin_sign_out(gen_random_uuid())")
    is_refused(db, token)
    assert column(db, "select id from private.api_keys where user_id = %s", [rider]) == []
    with as_service(db):
        assert value(db, "select public.admin_sign_out(%s)", [rider]) == 0


def test_ends_and_keys_are_in_the_audit_log(db: Connection, rider: UUID) -> None:
    admin = give_role(db, make_user(db), "admin")
    make_session(db, rider)
    with as_user(db, rider):
        db.execute("select public.create_api_key('robot')")
        for _ in range(3):  # of which two end nothing, and are not worth an entry
            db.execute("select public.sign_out_everywhere()")
    with as_user(db, admin):
        db.execute("select public.admin_sign_out(%s)", [rider])
    entries = db.execute(
        "select action, actor_id, table_name, new_values from private.audit_log"
        " where subject_id = %s and coalesce(table_name, 'private.api_keys') = 'private.api_keys'"
        " order by id",
        [rider],
    ).fetchall()
    assert [row[:3] for row in entries] == [
        ("insert", rider, "private.api_keys"),
        ("sessions.ended", rider, None),
        ("delete", admin, "private.api_keys"),
        ("sessions.ended", admin, None),
    ]
    assert "\\x" not in json.dumps(entries[0][3]), "the digest is not in it"


def test_nobody_signs_out_who_is_above(db: Connection, rider: UUID, other: UUID) -> None:
    admin = give_role(db, make_user(db), "admin")
    token = token_of(admin, make_session(db, admin))
    db.execute("insert into public.app_roles (name, description) values ('bouncer', 'x')")
    db.execute(
        "insert into public.role_permissions (role, permission) values ('bouncer', 'users.write')"
    )
    give_role(db, other, "bouncer")
    with as_user(db, other), refused(db, "PT403", "ABOVE_YOURSELF"):
        db.execute("select public.admin_sign_out(%s)", [admin])
    with as_user(db, rider), refused(db, "PT403", "PERMISSION_DENIED"):
        db.execute("select public.admin_sign_out(%s)", [other])
    may_call(db, token)


def test_what_a_token_is_worth(db: Connection, rider: UUID) -> None:
    session = make_session(db, rider)
    give_role(db, rider, "support")
    worth = "select role, user_id, credential, session_id, roles, expires_at = to_timestamp(9)"
    with as_user(db, rider, session_id=str(session), exp=9):
        row = db.execute(f"{worth} from public.verify_token()").fetchone()
    assert row == ("authenticated", rider, "session", session, ["support"], True)
    with as_anon(db):
        row = db.execute(f"{worth} from public.verify_token()").fetchone()
    assert row == ("anon", None, "key", None, [], None)
