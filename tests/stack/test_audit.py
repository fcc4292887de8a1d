"""The audit log from outside: a request over HTTP, and `./rowcast audit verify`."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest
from typer.testing import CliRunner, Result

from rowcast.cli import app
from rowcast.errors import RowcastError
from tests.personas import make_user

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rowcast.stack.stack import Status
    from tests.conftest import Server
    from tests.stack.support import Person

Connection = psycopg.Connection[tuple[Any, ...]]


def test_a_request_is_found_again_by_its_id(platform: Status, alice: Person) -> None:
    request = secrets.token_hex(8)
    headers = {
        "apikey": platform.publishable_key,
        "authorization": f"Bearer {alice.token}",
        "x-request-id": request,
    }
    with httpx.Client(base_url=f"{platform.api_url}/rest/v1", headers=headers) as api:
        body = {"display_name": request}
        assert api.patch("/profiles", params={"id": f"eq.{alice.id}"}, json=body).is_success
        page = api.get("/rpc/audit_trail", params={"p_action": "update", "p_limit": "1"}).json()
        refusal = api.get("/rpc/verify_audit_log")
    (entry,) = page
    assert entry["request_id"] == request
    assert entry["new_values"] == body
    assert (entry["subject_id"], entry["actor_id"]) == (alice.id, alice.id)
    assert (refusal.status_code, refusal.json()["details"]) == (403, "PERMISSION_DENIED")


def test_verify_over_http(platform: Status) -> None:
    headers = {"apikey": platform.secret_key}
    with httpx.Client(base_url=f"{platform.api_url}/rest/v1/rpc", headers=headers) as api:
        found = api.get("/verify_audit_log").json()
        assert [row["ok"] for row in found] == [True] * len(found)
        heads = [row["head"] for row in found]
        again = api.post("/verify_audit_log", json={"p_heads": heads})
        assert all(row["ok"] for row in again.json())
        refusal = api.post("/verify_audit_log", json={"p_heads": ["x"]})
        many = api.post("/verify_audit_log", json={"p_heads": ["x"] * 101})
    assert (refusal.status_code, refusal.json()["details"]) == (422, "AUDIT_HEAD_MALFORMED")
    assert (many.status_code, many.json()["details"]) == (422, "TOO_MANY_HEADS")


# The command line


@pytest.fixture
def conn(fresh_db: str) -> Iterator[Connection]:
    """A database of the test's own."""
    with psycopg.connect(fresh_db, autocommit=True) as connection:
        yield connection


@pytest.fixture
def verify(fresh_db: str) -> Callable[..., Result]:
    """Runs `audit verify` with these arguments."""

    def run(*arguments: str, db_url: str = fresh_db) -> Result:
        return CliRunner().invoke(app, ["audit", "verify", *arguments, "--db-url", db_url])

    return run


def heads(printed: str) -> list[str]:
    """The options that the command says to keep."""
    return [word for line in printed.splitlines() if "--head" in line for word in line.split()]


def test_the_heads_that_it_prints_are_those_that_it_takes(
    conn: Connection, verify: Callable[..., Result]
) -> None:
    conn.execute("select private.redact_audit(%s)", [make_user(conn)])
    first = verify()
    assert first.exit_code == 0, first.output
    assert "ok  2 entries, 1 redacted" in first.stdout
    kept = heads(first.stdout)
    assert len(kept) == 2
    make_user(conn)
    second = verify(*kept)
    assert "ok  3 entries" in second.stdout
    assert heads(second.stdout) != kept
    (row,) = json.loads(verify("--json").stdout)
    assert row["head"] == heads(second.stdout)[1]


def test_a_broken_log_is_status_one_and_has_no_head_to_keep(
    conn: Connection, verify: Callable[..., Result]
) -> None:
    make_user(conn)
    make_user(conn)
    kept = heads(verify().stdout)
    conn.execute("drop trigger _100_guard on private.audit_log")
    (last,) = conn.execute("select max(id) from private.audit_log").fetchone() or ()
    conn.execute("delete from private.audit_log where id = %s", [last])
    done = verify()
    assert done.exit_code == 1
    assert f"entry {last}: it is gone" in done.stdout
    assert heads(done.stdout) == []
    conn.execute("drop trigger _100_guard on private.audit_links")
    conn.execute("delete from private.audit_links where entry_id = %s", [last])
    assert verify().exit_code == 0
    done = verify(*kept)
    assert done.exit_code == 1
    assert kept[1] in done.stdout


def test_what_cannot_be_verified_says_so(
    verify: Callable[..., Result], conn: Connection, server: Server
) -> None:
    conn.execute("delete from auth.users")
    assert "is empty" in verify().stdout
    bad = verify("--head", "2026-11").exception
    assert isinstance(bad, RowcastError)
    assert "2026-11:1234:" in bad.hint
    nowhere = verify(db_url=server.of("template1")).exception
    assert isinstance(nowhere, RowcastError)
    assert "no audit log" in nowhere.message
