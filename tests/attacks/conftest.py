"""Fixtures of the attacks: an attacker, a victim with rows everywhere, and a database made weak."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from rowcast.fuzz import people
from rowcast.fuzz.people import Site, Victim
from tests.personas import make_user

# The stack's own fixtures serve here too.
from tests.stack.conftest import admin, alice, http, mallory, platform, postgres, sign_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from uuid import UUID

    from rowcast.stack.stack import Status
    from tests.conftest import Connection
    from tests.stack.support import Person

__all__ = ["admin", "alice", "http", "mallory", "platform", "postgres", "sign_up"]


@pytest.fixture(scope="session")
def site(platform: Status) -> Site:
    """The running stack, as the fuzzer's helpers take it."""
    return Site(platform.api_url, platform.publishable_key, platform.secret_key, platform.db_url)


@pytest.fixture(scope="session")
def victim(site: Site) -> Victim:
    """Somebody with marked rows in every table, whose half of the ids the attacker has guessed."""
    with httpx.Client(base_url=site.api_url, timeout=20) as client:
        return people.plant(client, site)


@pytest.fixture
def attacker(platform: Status, mallory: Person) -> Iterator[httpx.Client]:
    """The Data API as somebody signed in, who wants what is not hers."""
    with _client(platform, mallory.token) as client:
        yield client


@pytest.fixture
def nobody(platform: Status) -> Iterator[httpx.Client]:
    """The Data API under the publishable key alone."""
    with _client(platform, None) as client:
        yield client


def _client(platform: Status, token: str | None) -> httpx.Client:
    headers = {"apikey": platform.publishable_key}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return httpx.Client(base_url=f"{platform.api_url}/rest/v1", headers=headers, timeout=20)


@pytest.fixture
def unharmed(site: Site, victim: Victim) -> Iterator[None]:
    """The victim's rows are after the test what they were before it."""
    with httpx.Client(base_url=site.api_url, timeout=20) as client:
        before = people.checksums(site, client, victim)
        yield
        assert people.checksums(site, client, victim) == before


@pytest.fixture
def weakened(postgres: Connection) -> Callable[[str, str], AbstractContextManager[None]]:
    """Commits a mistake to the running stack for the length of a `with`, and takes it back."""

    @contextmanager
    def make(mistake: str, undo: str) -> Iterator[None]:
        postgres.execute(mistake.encode())
        try:
            yield
        finally:
            postgres.execute(undo.encode())

    return make


@pytest.fixture
def me(db: Any) -> UUID:
    """An account in the rolled-back database."""
    return make_user(db)


@pytest.fixture
def other(db: Any) -> UUID:
    """Somebody else there."""
    return make_user(db)
