"""API keys: they act for their owner, within their scopes, and never on the account itself."""

from __future__ import annotations

import re
import secrets
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.db.pipeline import Connection, column, value
from tests.personas import DENIED, as_user, make_user, refused
from tests.requests import make_session, request, token_of

if TYPE_CHECKING:
    from uuid import UUID

LIVE = "select count(*) from private.api_keys where user_id = %s"


def make_key(db: Connection, user: UUID, scopes: list[str] | None = None) -> str:
    with as_user(db, user):
        key: str = value(
            db, "select (public.create_api_key('robot', %s)).key", [scopes or ["read"]]
        )
    return key


def with_key(key: str) -> dict[str, Any]:
    return {"headers": {"x-api-key": key}}


def test_a_key_acts_as_its_owner(db: Connection, rider: UUID) -> None:
    key = make_key(db, rider)
    with request(db, method="GET", **with_key(key)):
        assert value(db, "select current_user") == "authenticated"
        assert column(db, "select id from public.profiles") == [rider]
        worth = db.execute(
            "select user_id, credential, scopes, session_id, roles from public.verify_token()"
        ).fetchone()
    assert worth == (rider, "api_key", ["read"], None, [])


def test_the_plain_key_is_nowhere_but_in_the_answer(db: Connection, rider: UUID) -> None:
    key = make_key(db, rider)
    assert re.fullmatch(r"rck_[0-9a-f]{8}_[0-9a-f]{64}", key)
    secret = key.rpartition("_")[2]
    assert secret not in str(db.execute("table private.api_keys").fetchall())
    with as_user(db, rider):
        listed = db.execute("select * from public.my_api_keys()").fetchall()
        assert [row[2] for row in listed] == [key[:12]]
        for attack in ("table private.api_keys", "select digest from private.api_keys"):
            with refused(db, DENIED):
                db.execute(attack)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_key_that_may_read_does_not_write(db: Connection, rider: UUID, method: str) -> None:
    readable, writable = make_key(db, rider), make_key(db, rider, ["write"])
    for read in ("GET", "HEAD"):
        with request(db, method=read, **with_key(readable)):
            pass
    with (
        refused(db, "PT403", "API_KEY_READ_ONLY"),
        request(db, method=method, **with_key(readable)),
    ):
        pytest.fail("it was admitted")
    with request(db, method=method, **with_key(writable)):
        assert db.execute("update public.profiles set display_name = 'robot'").rowcount == 1


def broken(key: str) -> dict[str, str]:
    prefix, public, secret = key.split("_")
    return {
        "empty": "",
        "another secret": f"{prefix}_{public}_{secrets.token_hex(32)}",
        "another prefix": f"{prefix}_00000000_{secret}",
        "secret alone": secret,
        "upper case": key.upper(),
        "with a space": f"{key} ",
        "its own digest": "\\x" + secret,
        "sql": "' or true --",
        "long": "x" * 8000,
        "not ascii": "rck_ä_\U0001f511",
    }


@pytest.mark.parametrize("attack", broken("a_b_c"))
def test_what_is_not_a_key_is_refused(db: Connection, rider: UUID, attack: str) -> None:
    key = broken(make_key(db, rider))[attack]
    for method in ("GET", "POST"):
        with refused(db, "PT401", "INVALID_API_KEY"), request(db, method=method, **with_key(key)):
            pytest.fail("it was admitted")


ENDINGS = {
    "expired": "update private.api_keys set expires_at = now() where user_id = %s",
    "banned": "update auth.users set banned_until = 'infinity' where id = %s",
    "deleted softly": "update auth.users set deleted_at = now() where id = %s",
    "the account is gone": "delete from auth.users where id = %s",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_key_ends_with_its_owner_or_its_time(db: Connection, rider: UUID, ending: str) -> None:
    key = make_key(db, rider)
    db.execute(ENDINGS[ending], [rider])
    with refused(db, "PT401", "INVALID_API_KEY"), request(db, method="GET", **with_key(key)):
        pytest.fail("it was admitted")


def test_a_revoked_key_is_refused_and_is_only_its_owners_to_revoke(
    db: Connection, rider: UUID, other: UUID
) -> None:
    key = make_key(db, rider)
    key_id = value(db, "select id from private.api_keys where user_id = %s", [rider])
    with as_user(db, other), refused(db, "PT404", "API_KEY_NOT_FOUND"):
        db.execute("select public.revoke_api_key(%s)", [key_id])
    with request(db, method="GET", **with_key(key)):
        pass
    with as_user(db, rider):
        db.execute("select public.revoke_api_key(%s)", [key_id])
    with refused(db, "PT401", "INVALID_API_KEY"), request(db, method="GET", **with_key(key)):
        pytest.fail("it was admitted")


@pytest.mark.parametrize("role", ["authenticated", "service_role"])
def test_two_credentials_are_no_request(
    db: Connection, rider: UUID, other: UUID, role: str
) -> None:
    key = make_key(db, rider)
    claims = token_of(other, make_session(db, other)) | {"role": role}
    with refused(db, "PT400", "TWO_CREDENTIALS"), request(db, claims, **with_key(key)):
        pytest.fail("it was admitted")


ACCOUNT = [
    "create_api_key('x', '{write}')",
    "my_api_keys()",
    "revoke_api_key(gen_random_uuid())",
    "my_sessions()",
    "revoke_session(gen_random_uuid())",
    "sign_out_everywhere()",
]


@pytest.mark.parametrize("function", ACCOUNT)
def test_a_leaked_key_does_not_take_the_account(db: Connection, rider: UUID, function: str) -> None:
    key = make_key(db, rider, ["write"])
    with request(db, **with_key(key)), refused(db, "PT403", "SESSION_REQUIRED"):
        db.execute(f"select public.{function}")


def test_a_key_holds_no_permission(db: Connection, rider: UUID) -> None:
    db.execute("insert into public.user_roles (user_id, role) values (%s, 'admin')", [rider])
    with request(db, token_of(rider)):
        assert db.execute("select public.rate_limits()").fetchall()
    with request(db, **with_key(make_key(db, rider, ["write"]))):
        for attack in ("rate_limits()", "admin_sign_out(gen_random_uuid())"):
            with refused(db, "PT403", "PERMISSION_DENIED"):
                db.execute(f"select public.{attack}")


def test_a_key_gets_the_time_limit_of_a_user(db: Connection, rider: UUID) -> None:
    wanted = "select unnest(rolconfig) from pg_roles where rolname = 'authenticated'"
    with request(db, method="GET", **with_key(make_key(db, rider))):
        found = value(db, "show statement_timeout")
    assert f"statement_timeout={found}" in column(db, wanted)


@pytest.mark.parametrize(
    ("arguments", "token"),
    [
        ("''", "KEY_NAME_OUT_OF_RANGE"),
        ("'  '", "KEY_NAME_OUT_OF_RANGE"),
        ("null", "KEY_NAME_OUT_OF_RANGE"),
        ("repeat('x', 81)", "KEY_NAME_OUT_OF_RANGE"),
        ("'x', '{}'", "UNKNOWN_SCOPE"),
        ("'x', null", "UNKNOWN_SCOPE"),
        ("'x', '{admin}'", "UNKNOWN_SCOPE"),
        ("'x', '{read,NULL}'", "UNKNOWN_SCOPE"),
        ("'x', '{read}', now() - interval '1 second'", "EXPIRY_OUT_OF_RANGE"),
        ("'x', '{read}', now() + interval '3 years'", "EXPIRY_OUT_OF_RANGE"),
        ("'x', '{read}', 'infinity'", "EXPIRY_OUT_OF_RANGE"),
        ("'x', '{read}', '-infinity'", "EXPIRY_OUT_OF_RANGE"),
    ],
)
def test_what_a_key_may_not_be(db: Connection, rider: UUID, arguments: str, token: str) -> None:
    with as_user(db, rider), refused(db, "PT422", token):
        db.execute(f"select public.create_api_key({arguments})")
    assert value(db, LIVE, [rider]) == 0


def test_a_key_ends_by_itself(db: Connection, rider: UUID) -> None:
    make_key(db, rider)
    ends = "select expires_at = now() + interval '1 year' from private.api_keys where user_id = %s"
    assert value(db, ends, [rider])


def test_twenty_keys_a_person_of_those_that_live(db: Connection, rider: UUID, other: UUID) -> None:
    for _ in range(20):
        make_key(db, rider)
    with as_user(db, rider), refused(db, "PT409", "TOO_MANY_API_KEYS"):
        db.execute("select public.create_api_key('x')")
    make_key(db, other)
    db.execute("update private.api_keys set expires_at = now() where user_id = %s", [rider])
    make_key(db, rider)
    assert value(db, LIVE, [rider]) == 1


def test_twenty_keys_also_when_all_are_asked_for_at_once(fresh_db: str) -> None:
    with psycopg.connect(fresh_db) as connection:
        user = make_user(connection)
        for _ in range(18):
            make_key(connection, user)

    def create(_: int) -> str | None:
        with psycopg.connect(fresh_db) as connection:
            try:
                make_key(connection, user)
            except psycopg.Error as error:
                return error.diag.message_detail
        return None

    with ThreadPoolExecutor(6) as pool:
        refusals = list(pool.map(create, range(6)))
    assert Counter(refusals) == {None: 2, "TOO_MANY_API_KEYS": 4}


def test_a_key_does_not_sign_in_nor_see_anothers_rows(
    db: Connection, rider: UUID, other: UUID
) -> None:
    with request(db, method="GET", **with_key(make_key(db, rider, ["write"]))):
        seen = column(db, "select id from public.profiles where id = %s", [other])
    assert seen == []


def test_a_users_own_claim_of_a_key_only_takes_rights_away(db: Connection, rider: UUID) -> None:
    """The claim comes from a verified token; were it ever in a user's, it would be no gain."""
    with (
        as_user(db, rider, api_key_id="00000000-0000-0000-0000-000000000000"),
        refused(db, "PT403", "SESSION_REQUIRED"),
    ):
        db.execute("select public.create_api_key('x')")
