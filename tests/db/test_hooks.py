"""Auth's hooks, called as Auth calls them: by its own role, with one jsonb, for one jsonb."""

from __future__ import annotations

import json
import tomllib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from rowcast.stack.paths import CHECKOUT
from tests.conftest import TEMPLATE
from tests.db.pipeline import Connection, value
from tests.personas import DENIED, as_anon, as_service, as_user, make_user, refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from tests.conftest import Server

REQUIRED_CLAIMS = {
    "aud": "authenticated", "exp": 1_900_000_000, "iat": 1_800_000_000, "sub": "x",
    "email": "a@b.c", "phone": "", "role": "authenticated", "aal": "aal1", "session_id": "y",
    "is_anonymous": False,
    "app_metadata": {"provider": "email"}, "user_metadata": {"app_roles": ["admin"]},
}  # fmt: skip


@pytest.fixture
def hooks(server: Server) -> Iterator[Connection]:
    """A session that may become Auth's role, which `postgres` may not."""
    url = psycopg.conninfo.make_conninfo(server.admin_url, dbname=TEMPLATE)
    with psycopg.connect(url) as connection:
        yield connection
        connection.rollback()


@contextmanager
def as_auth(conn: Connection) -> Iterator[None]:
    with conn.transaction():
        conn.execute("set local role supabase_auth_admin")
        yield
        conn.execute("reset role")


def before_user_created(conn: Connection, **user: Any) -> Any:
    event = {"metadata": {"name": "before-user-created"}, "user": user}
    with as_auth(conn):
        return value(conn, "select private.hook_before_user_created(%s)", [json.dumps(event)])


def switch(conn: Connection, name: str, enabled: bool) -> None:
    conn.execute("update public.feature_flags set enabled = %s where name = %s", [enabled, name])


def app_roles(conn: Connection, user: UUID, claims: dict[str, Any] | None = None) -> Any:
    event = {
        "user_id": str(user),
        "claims": claims or REQUIRED_CLAIMS,
        "authentication_method": "password",
    }
    with as_auth(conn):
        answer = value(conn, "select private.hook_custom_access_token(%s)", [json.dumps(event)])
    assert set(answer) == {"claims"}
    return answer["claims"]


def by(provider: str) -> dict[str, Any]:
    return {"app_metadata": {"provider": provider, "providers": [provider]}}


def test_a_sign_up_passes_while_everything_is_on(hooks: Connection) -> None:
    for provider in ("email", "phone", "google", "sso:1"):
        assert before_user_created(hooks, **by(provider)) == {}
    assert before_user_created(hooks, app_metadata={}) == {}


def test_registration_off_refuses_every_sign_up(hooks: Connection) -> None:
    switch(hooks, "registration", False)
    users: tuple[dict[str, Any], ...] = (by("email"), by("google"), {"app_metadata": {}}, {})
    for user in users:
        answer = before_user_created(hooks, **user)
        assert answer["error"]["http_code"] == 403
        assert answer["error"]["message"]


def test_social_login_off_refuses_other_providers_only(hooks: Connection) -> None:
    switch(hooks, "social_login", False)
    for provider in ("google", "github", "sso:1", "Email", ""):
        assert before_user_created(hooks, **by(provider))["error"]["http_code"] == 403, provider
    for provider in ("email", "phone"):
        assert before_user_created(hooks, **by(provider)) == {}
    assert before_user_created(hooks, app_metadata={}) == {}, "anonymous"


def test_the_provider_is_not_read_from_what_the_person_wrote(hooks: Connection) -> None:
    switch(hooks, "social_login", False)
    forged = {**by("google"), "user_metadata": {"provider": "email"}}
    assert "error" in before_user_created(hooks, **forged)


def test_the_claim_names_the_roles_held_now_and_changes_nothing_else(hooks: Connection) -> None:
    user = make_user(hooks)
    assert app_roles(hooks, user) == {**REQUIRED_CLAIMS, "app_roles": []}
    hooks.execute(
        "insert into public.user_roles (user_id, role, granted_at, expires_at) values"
        " (%(u)s, 'admin', now(), now() + interval '1 h'),"
        " (%(u)s, 'support', now() - interval '2 s', now() - interval '1 s')",
        {"u": user},
    )
    assert app_roles(hooks, user) == {**REQUIRED_CLAIMS, "app_roles": ["admin"]}
    forged = {**REQUIRED_CLAIMS, "app_roles": ["support", "admin"]}
    hooks.execute("delete from public.user_roles")
    assert app_roles(hooks, user, forged)["app_roles"] == []


def test_a_forged_or_stale_claim_gives_nothing(db: Connection, rider: UUID) -> None:
    claims = {"app_roles": ["admin"], "app_metadata": {"app_roles": ["admin"]}}
    with as_user(db, rider, **claims), refused(db, "PT403", "PERMISSION_DENIED"):
        db.execute("select public.set_flag('registration', false)")


def test_nothing_in_the_database_reads_the_claim(db: Connection) -> None:
    found = db.execute(
        "select oid::regproc::text from pg_proc where prosrc like '%app_roles%'"
        " and prosrc ~ 'jwt' and pronamespace in"
        " ('public'::regnamespace, 'private'::regnamespace, 'ml'::regnamespace)"
        " union all select policyname::text from pg_policies"
        " where concat(qual, with_check) ~ 'jwt.*app_roles'"
    ).fetchall()
    assert found == []


@pytest.mark.parametrize("hook", ["hook_before_user_created", "hook_custom_access_token"])
def test_only_auth_calls_the_hooks(db: Connection, rider: UUID, hook: str) -> None:
    call = f"select private.{hook}('{{}}')".encode()
    with as_anon(db), refused(db, DENIED):
        db.execute(call)
    with as_user(db, rider), refused(db, DENIED):
        db.execute(call)
    with as_service(db), refused(db, DENIED):
        db.execute(call)


def test_auths_role_may_call_the_hooks_and_nothing_else_of_ours(db: Connection) -> None:
    found = db.execute(
        "select p.proname from pg_proc as p"
        " where p.pronamespace"
        " in ('public'::regnamespace, 'private'::regnamespace, 'ml'::regnamespace)"
        " and has_schema_privilege('supabase_auth_admin', p.pronamespace, 'usage')"
        " and has_function_privilege('supabase_auth_admin', p.oid, 'execute') order by 1"
    ).fetchall()
    assert [row[0] for row in found] == [
        "hook_before_user_created",
        "hook_custom_access_token",
        "hook_password_verification_attempt",
    ]
    tables = db.execute(
        "select c.oid::regclass::text from pg_class as c"
        " where c.relkind in ('r', 'p', 'v') and c.relnamespace in"
        " ('public'::regnamespace, 'private'::regnamespace, 'ml'::regnamespace)"
        " and has_table_privilege('supabase_auth_admin', c.oid, 'select, insert, update, delete')"
    ).fetchall()
    assert tables == []


def test_auth_is_told_of_functions_that_exist(db: Connection) -> None:
    """With a hook that is not there, nobody could sign up or in."""
    config = tomllib.loads((CHECKOUT / "supabase/config.toml").read_text())
    hooks = config["auth"]["hook"]
    assert set(hooks) == {"before_user_created", "custom_access_token"}
    for hook in hooks.values():
        assert hook["enabled"] is True
        schema, function = hook["uri"].removeprefix("pg-functions://postgres/").split("/")
        assert value(db, "select to_regprocedure(%s) is not null", [f"{schema}.{function}(jsonb)"])
