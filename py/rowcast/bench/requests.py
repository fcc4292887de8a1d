"""What `gate.before_request()` adds to a request: one rider's requests with and without it."""

from __future__ import annotations

import secrets
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rowcast.errors import RowcastError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from rowcast.stack.stack import Status

_SWITCHED_SECONDS = 10.0
_SET = "alter role authenticator set pgrst.db_pre_request = 'gate.before_request'"
_RESET = "alter role authenticator reset pgrst.db_pre_request"


@dataclass(slots=True)
class Kind:
    """One request, repeated: seconds each took without and with the pre-request."""

    name: str
    method: str
    path: str
    body: str | None = None
    without: list[float] = field(default_factory=list)
    with_it: list[float] = field(default_factory=list)


def measure(status: Status, requests: int, rounds: int) -> list[Kind]:
    """Send `requests` of each kind one after the other, turn about; `rounds` times each way.

    The pre-request is switched off for the whole stack meanwhile, and on again at the end.
    """
    import httpx

    with (
        httpx.Client(base_url=status.api_url, timeout=20) as client,
        _switch(status, client) as turn,
    ):
        _sign_up(client, status.publishable_key)
        kinds = [
            Kind("read", "GET", "/rest/v1/profiles"),
            # A write that no limit of its own bounds.
            Kind("write", "POST", "/rest/v1/rpc/mark_notifications_read", "{}"),
        ]
        for number in range(2 * rounds):
            on = number % 2 == 1
            turn(on)
            for kind in kinds:
                (kind.with_it if on else kind.without).extend(_times(client, kind, requests))
    return kinds


def _times(client: httpx.Client, kind: Kind, requests: int) -> Iterator[float]:
    headers = {"content-type": "application/json"}
    for _ in range(requests):
        started = time.perf_counter()
        answer = client.request(kind.method, kind.path, headers=headers, content=kind.body)
        yield time.perf_counter() - started
        if not answer.is_success:
            raise RowcastError(f"{kind.name}: {answer.status_code} {answer.text}")


def _sign_up(client: httpx.Client, key: str) -> None:
    account = {"email": f"bench-{secrets.token_hex(6)}@example.com", "password": "correct horse 7!"}
    answer = client.post("/auth/v1/signup", headers={"apikey": key}, json=account).json()
    client.headers.update({"apikey": key, "authorization": f"Bearer {answer['access_token']}"})


@contextmanager
def _switch(status: Status, client: httpx.Client) -> Iterator[Callable[[bool], None]]:
    """Gives what switches the pre-request on and off; it is on at the end."""
    import psycopg

    with psycopg.connect(status.db_url, autocommit=True) as connection:

        def order(on: bool) -> None:
            connection.execute(_SET if on else _RESET)
            connection.execute("notify pgrst, 'reload config'")

        def turn(on: bool) -> None:
            order(on)
            deadline = time.monotonic() + _SWITCHED_SECONDS
            while _is_on(client) is not on:
                if time.monotonic() > deadline:
                    raise RowcastError("PostgREST does not take the setting", "./rowcast logs rest")
                time.sleep(0.05)

        try:
            yield turn
        finally:
            order(True)


def _is_on(client: httpx.Client) -> bool:
    """A key beside a user's token is refused by the pre-request, and by nothing else."""
    answer = client.get("/rest/v1/profiles", headers={"x-api-key": "probe"})
    return answer.status_code == 400
