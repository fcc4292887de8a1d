"""Before every request, the real way: Auth, gateway, PostgREST, supabase-py and Realtime."""

from __future__ import annotations

import asyncio
import json
import socket
import uuid
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest
from supabase import AuthApiError, Client, ClientOptions, PostgrestAPIError, create_client

from rowcast.bench.requests import measure
from tests.stack.support import Person, Phone, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from supabase_auth.types import Session

    from rowcast.stack.stack import Status

POOL = 20  # database sessions of PostgREST, each with its own buckets for reads
SLOW = 0.001
DEEP = "[" * 100_000 + "]" * 100_000


@pytest.fixture
def rest(platform: Status) -> Iterator[httpx.Client]:
    """The Data API with the publishable key."""
    headers = {"apikey": platform.publishable_key}
    with httpx.Client(
        base_url=f"{platform.api_url}/rest/v1", headers=headers, timeout=20
    ) as client:
        yield client


@pytest.fixture
def limit(rest: httpx.Client, platform: Status) -> Iterator[Any]:
    """Sets a limit on one path with the secret key; it is lifted at the end."""
    secret = {"apikey": platform.secret_key}
    made: list[str] = []

    def make(path: str, capacity: int, caller: str, *, reads: bool) -> None:
        name = f"t{uuid.uuid4().hex[:8]}"
        answer = rest.post(
            "/rpc/set_rate_limit",
            headers=secret,
            json={
                "p_name": name,
                "p_capacity": capacity,
                "p_refill_per_second": SLOW,
                "p_caller": caller,
                "p_for_reads": reads,
                "p_path": path,
            },
        )
        assert answer.status_code == 200, answer.text
        made.append(name)

    yield make
    for name in made:
        done = rest.post("/rpc/remove_rate_limit", headers=secret, json={"p_name": name})
        assert done.status_code == 204


def bearer(person: Person) -> dict[str, str]:
    return {"Authorization": f"Bearer {person.token}"}


def is_refusal(answer: httpx.Response, status: int, token: str) -> bool:
    return (answer.status_code, answer.json()["details"]) == (status, token)


# Sessions


@contextmanager
def supabase(platform: Status, **headers: str) -> Iterator[Client]:
    """A client of supabase-py; nothing stays open."""
    with httpx.Client(timeout=20) as http:
        options = ClientOptions(
            auto_refresh_token=False,
            httpx_client=http,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )
        yield create_client(platform.api_url, platform.publishable_key, options)


def sign_in(client: Client, email: str | None = None) -> Session:
    """Sign up, or in where there is an address; gives the session."""
    password = "correct horse 7!"
    if email is None:
        client.auth.sign_up({"email": f"{uuid.uuid4()}@example.com", "password": password})
    else:
        client.auth.sign_in_with_password({"email": email, "password": password})
    session = client.auth.get_session()
    assert session is not None
    return session


def test_signing_out_ends_the_access_token_at_once(platform: Status, rest: httpx.Client) -> None:
    with supabase(platform) as client:
        headers = {"Authorization": f"Bearer {sign_in(client).access_token}"}
        assert rest.get("/profiles", headers=headers).status_code == 200
        client.auth.sign_out()
    for method in ("GET", "POST"):
        answer = rest.request(method, "/rpc/verify_token", headers=headers)
        assert is_refusal(answer, 401, "SESSION_REVOKED"), "the very next request is refused"


def test_a_person_ends_the_session_on_another_phone(platform: Status) -> None:
    with supabase(platform) as here, supabase(platform) as there, supabase(platform) as third:
        email = sign_in(here).user.email
        sign_in(there, email)
        found: Any = here.rpc("my_sessions", {}).execute().data
        assert sorted(row["is_current"] for row in found) == [False, True]
        (other,) = (row["id"] for row in found if not row["is_current"])

        here.rpc("revoke_session", {"p_session_id": other}).execute()
        with pytest.raises(PostgrestAPIError) as refusal:
            there.table("profiles").select("id").execute()
        assert refusal.value.details == "SESSION_REVOKED"
        with pytest.raises(AuthApiError):
            there.auth.refresh_session()
        assert len(here.table("profiles").select("id").execute().data) == 1

        sign_in(third, email)
        keep = {"p_keep_current": True}
        assert here.rpc("sign_out_everywhere", keep).execute().data == 1
        assert here.rpc("sign_out_everywhere", {}).execute().data == 1
        with pytest.raises(PostgrestAPIError, match="no session that goes on"):
            here.rpc("my_sessions", {}).execute()


async def test_an_ended_session_joins_no_private_channel(
    platform: Status, rest: httpx.Client, sign_up: Any
) -> None:
    person = sign_up()
    topic = f"user:{person.id}"
    async with Phone(platform) as phone:
        assert (await phone.join(topic, person.token, private=True))["status"] == "ok"
    sign_out = partial(rest.post, "/rpc/sign_out_everywhere", headers=bearer(person))
    assert (await asyncio.to_thread(sign_out)).json() == 1
    async with Phone(platform) as phone:
        answer = await phone.join(topic, person.token, private=True)
    assert answer["status"] == "error"
    assert "Unauthorized" in answer["response"]["reason"]


# API keys


def test_an_api_key_through_every_part(
    platform: Status, rest: httpx.Client, sign_up: Any, alice: Person
) -> None:
    owner = sign_up()
    made = rest.post("/rpc/create_api_key", headers=bearer(owner), json={"p_name": "robot"}).json()
    with supabase(platform, x_api_key=made["key"]) as robot:
        assert robot.table("profiles").select("id").execute().data == [{"id": owner.id}]
        worth: Any = robot.rpc("verify_token", {}, get=True).execute().data
    assert (worth["credential"], worth["user_id"]) == ("api_key", owner.id)

    key = {"x-api-key": made["key"]}
    change = {"display_name": "robot"}
    answer = rest.patch(f"/profiles?id=eq.{owner.id}", headers=key, json=change)
    assert is_refusal(answer, 403, "API_KEY_READ_ONLY")
    assert is_refusal(rest.get("/profiles", headers=key | bearer(alice)), 400, "TWO_CREDENTIALS")
    secret = {"apikey": platform.secret_key}
    assert is_refusal(rest.get("/profiles", headers=key | secret), 400, "TWO_CREDENTIALS")
    wrong = {"x-api-key": made["key"][:-1]}
    assert is_refusal(rest.get("/profiles", headers=wrong), 401, "INVALID_API_KEY")

    revoke = {"p_id": made["id"]}
    assert rest.post("/rpc/revoke_api_key", headers=bearer(owner), json=revoke).status_code == 204
    assert is_refusal(rest.get("/profiles", headers=key), 401, "INVALID_API_KEY")


def test_an_api_key_that_may_write(rest: httpx.Client, sign_up: Any) -> None:
    owner = sign_up()
    asked = {"p_name": "robot", "p_scopes": ["read", "write"]}
    made = rest.post("/rpc/create_api_key", headers=bearer(owner), json=asked).json()
    key = {"x-api-key": made["key"], "Prefer": "return=representation"}
    change = {"display_name": "robot"}
    answer = rest.patch(f"/profiles?id=eq.{owner.id}", headers=key, json=change)
    assert [row["display_name"] for row in answer.json()] == ["robot"]
    answer = rest.post("/rpc/create_api_key", headers=key, json={"p_name": "child"})
    assert is_refusal(answer, 403, "SESSION_REQUIRED")


# Limits


def test_too_many_writes_are_answered_with_when_to_come_back(
    rest: httpx.Client, limit: Any, alice: Person, mallory: Person
) -> None:
    limit("/rpc/sync_profile", 3, "authenticated", reads=False)
    statuses = [
        rest.post("/rpc/sync_profile", headers=bearer(mallory)).status_code for _ in range(3)
    ]
    assert statuses == [200, 200, 200]
    answer = rest.post("/rpc/sync_profile", headers=bearer(mallory))
    assert is_refusal(answer, 429, "RATE_LIMITED")
    assert answer.json()["code"] == "PT429"
    assert int(answer.headers["Retry-After"]) >= 1
    assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]
    assert rest.post("/rpc/me", headers=bearer(mallory)).status_code == 200
    assert rest.post("/rpc/sync_profile", headers=bearer(alice)).status_code == 200


@pytest.mark.parametrize(
    "spelt",
    [
        "/rpc/%73ync_profile",
        "/rpc/sync%5fprofile",
        "/%72pc/sync_profile",
        "/rpc/sync_profile/",
        "//rpc/sync_profile",
    ],
)
def test_another_spelling_of_a_path_has_the_same_limit(
    rest: httpx.Client, limit: Any, alice: Person, spelt: str
) -> None:
    limit("/rpc/sync_profile", 1, "authenticated", reads=False)
    assert rest.post("/rpc/sync_profile", headers=bearer(alice), json={}).status_code == 200
    url = httpx.URL(rest.base_url, raw_path=f"/rest/v1{spelt}".encode())
    answer = rest.post(url, headers=bearer(alice), json={})
    assert answer.status_code in (404, 405, 429), f"{spelt}: {answer.status_code} {answer.text}"


def test_reads_are_bounded_for_each_database_session(
    rest: httpx.Client, limit: Any, alice: Person
) -> None:
    limit("/profiles", 2, "authenticated", reads=True)
    answers = [rest.get("/profiles", headers=bearer(alice)) for _ in range(2 * POOL + 1)]
    assert [answer.status_code for answer in answers[:2]] == [200, 200]
    assert is_refusal(answers[-1], 429, "RATE_LIMITED")


def test_an_address_is_not_the_clients_to_choose(rest: httpx.Client, limit: Any) -> None:
    limit("/rpc/hello", 1, "anon", reads=True)
    for number in range(POOL):
        forged = {"X-Forwarded-For": f"198.51.100.{number}", "CF-Connecting-IP": f"10.1.1.{number}"}
        rest.get("/rpc/hello", headers=forged)
    forged = {"X-Forwarded-For": "203.0.113.7", "CF-Connecting-IP": "203.0.113.8"}
    assert is_refusal(rest.get("/rpc/hello", headers=forged), 429, "RATE_LIMITED")


def test_its_cost_is_measured_and_it_is_on_again_afterwards(
    platform: Status, rest: httpx.Client
) -> None:
    kinds = measure(platform, requests=2, rounds=1)
    assert [(len(kind.without), len(kind.with_it)) for kind in kinds] == [(2, 2), (2, 2)]
    wrong = {"x-api-key": "rck_wrong"}
    eventually(lambda: rest.get("/rpc/hello", headers=wrong).status_code == 401)


# What is absurd is the client's error


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/profiles?id=eq.{id}", '{"display_name": ' + DEEP + "}"),
        ("POST", "/rpc/revoke_session", '{"p_session_id": ' + DEEP + "}"),
        ("POST", "/rpc/create_api_key", '{"p_name": "x", "p_scopes": ' + DEEP + "}"),
        ("POST", "/profiles", DEEP),
        ("POST", "/rpc/me", '{"a":' * 50_000 + "1" + "}" * 50_000),
        ("PATCH", "/profiles?id=eq.{id}", json.dumps({f"k{i}": 1 for i in range(20_000)})),
    ],
)
def test_an_absurd_body_is_the_clients_error(
    rest: httpx.Client, alice: Person, method: str, path: str, body: str
) -> None:
    headers = bearer(alice) | {"Content-Type": "application/json"}
    answer = rest.request(method, path.format(id=alice.id), headers=headers, content=body)
    assert 400 <= answer.status_code < 500, answer.text
    assert "private" not in answer.text


@pytest.mark.parametrize(
    "query",
    [
        "x=" + "a" * 2_000_000,
        "&".join(["id=not.is.null"] * 10_000),
        "select=" + ",".join(["id"] * 5_000),
        "select=" + ",".join(["id"] * 2_000),
        "select=" + "profiles(" * 800,
        "and=(" + "not.and(" * 900 + "id.is.null" + ")" * 901,
        "order=" + ",".join(["id"] * 2_500),
        "id=in.(" + "," * 8_000 + ")",
        "display_name=match." + "(" * 8_000,
        "id=eq.%00&select=%00",
    ],
    ids=lambda query: query[:20],
)
def test_an_absurd_query_breaks_nothing(platform: Status, alice: Person, query: str) -> None:
    answer = by_hand(
        platform, f"GET /rest/v1/profiles?{query} HTTP/1.1", f"Authorization: Bearer {alice.token}"
    )
    status = int(answer.split(b" ", 2)[1])
    assert 200 <= status < 500, answer
    assert b"private" not in answer


@pytest.mark.parametrize(
    "header",
    [
        "X-Request-Id: a\r\n X-Evil: 1",
        "X-Request-Id: a\nX-Evil: 1",
        "X-Request-Id: a\rX-Evil: 1",
        "X-Request-Id: a%0d%0aX-Evil: 1",
        "X-Request-Id: a\0b",
        "x-api-key: a\r\n X-Evil: 1",
        "x-api-key: " + "a" * 100_000,
        "Authorization: Bearer " + "a" * 100_000,
        "Prefer: tx=rollback, handling=strict, max-affected=x",
        "Accept-Profile: private",
        "Range: 99999999999999999999-1",
        "\r\n".join(f"x-{number}: y" for number in range(2_000)),
    ],
    ids=lambda header: repr(header[:24]),
)
def test_an_absurd_header_breaks_nothing_and_is_not_echoed(platform: Status, header: str) -> None:
    answer = by_hand(platform, "GET /rest/v1/rpc/hello HTTP/1.1", header)
    head = answer.partition(b"\r\n\r\n")[0].lower()
    assert 200 <= int(answer.split(b" ", 2)[1]) < 500, answer
    assert b"\r\nx-evil" not in head


def by_hand(platform: Status, line: str, header: str) -> bytes:
    """Send a request that no HTTP library would; give what comes back."""
    address = urlsplit(platform.api_url)
    head = f"{line}\r\nHost: x\r\nConnection: close\r\napikey: {platform.publishable_key}\r\n"
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):  # refused before its end was read
            connection.sendall(f"{head}{header}\r\n\r\n".encode())
        received = b""
        with suppress(ConnectionResetError):
            while piece := connection.recv(65536):
                received += piece
    assert received.startswith(b"HTTP/1."), "it hung up without a word"
    return received
