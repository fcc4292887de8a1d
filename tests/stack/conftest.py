"""Fixtures of the tests that talk to a running embedded stack from outside."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest

from tests.stack.support import Person, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rowcast.stack.stack import Stack, Status

Connection = psycopg.Connection[tuple[Any, ...]]

# What the tests need in public and on realtime.messages; taken away again at the end.
SETUP = """
create function public.standin_whoami() returns jsonb
language sql stable set search_path = ''
return jsonb_build_object(
  'uid', auth.uid(), 'role', auth.role(), 'user', current_user,
  'headers', current_setting('request.headers', true)::jsonb
);
revoke all on function public.standin_whoami() from public;
grant execute on function public.standin_whoami() to anon, authenticated, service_role;
create policy "standin: read your own topic" on realtime.messages for select to authenticated
  using (realtime.topic() = 'standin:' || (select auth.uid())::text
         or realtime.topic() like 'standin-hall:%');
create policy "standin: write to your own topic" on realtime.messages for insert to authenticated
  with check (realtime.topic() = 'standin:' || (select auth.uid())::text);
"""
TEARDOWN = """
drop policy if exists "standin: read your own topic" on realtime.messages;
drop policy if exists "standin: write to your own topic" on realtime.messages;
drop function if exists public.standin_whoami();
"""


@pytest.fixture(scope="session")
def platform(stack: Stack) -> Status:
    """Addresses and keys of the running stack."""
    return stack.status()


@pytest.fixture(scope="session")
def postgres(platform: Status) -> Iterator[Connection]:
    """The stack's own database as role postgres; every statement commits."""
    with psycopg.connect(platform.db_url, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def admin(platform: Status) -> Iterator[Connection]:
    """The stack's own database as the cluster's owner."""
    with psycopg.connect(platform.admin_db_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def http(platform: Status) -> Iterator[httpx.Client]:
    """An HTTP client of the gateway without any key."""
    with httpx.Client(base_url=platform.api_url, timeout=20) as client:
        yield client


@pytest.fixture(scope="module")
def whoami(platform: Status, postgres: Connection) -> Iterator[str]:
    """Path of a function that tells as whom it was called; policies for topics `standin:<uid>`."""
    postgres.execute(TEARDOWN)
    postgres.execute(SETUP)
    path = "/rest/v1/rpc/standin_whoami"
    headers = {"apikey": platform.publishable_key}
    eventually(lambda: httpx.post(platform.api_url + path, headers=headers).status_code == 200)
    yield path
    postgres.execute(TEARDOWN)


@pytest.fixture(scope="session")
def sign_up(platform: Status) -> Any:
    """Make a user through Auth; gives a Person with id and token."""

    def make() -> Person:
        answer = httpx.post(
            f"{platform.api_url}/auth/v1/signup",
            headers={"apikey": platform.publishable_key},
            json={"email": f"{secrets.token_hex(8)}@example.com", "password": "correct horse 7!"},
        )
        assert answer.status_code == 200, answer.text
        return Person(answer.json()["user"]["id"], answer.json()["access_token"])

    return make


@pytest.fixture(scope="session")
def alice(sign_up: Any) -> Person:
    """A signed-up user."""
    person = sign_up()
    assert isinstance(person, Person)
    return person


@pytest.fixture(scope="session")
def mallory(sign_up: Any) -> Person:
    """Another one, who wants what is not hers."""
    person = sign_up()
    assert isinstance(person, Person)
    return person
