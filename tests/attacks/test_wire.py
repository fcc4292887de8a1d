"""Headers, addresses and bodies that the way to the database should stumble over."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest

if TYPE_CHECKING:
    from rowcast.stack.stack import Status
    from tests.conftest import Connection
    from tests.stack.support import Person

WHO = """
create function public.attack_who() returns jsonb language sql volatile set search_path = ''
return jsonb_build_object('uid', auth.uid(), 'role', auth.role(), 'user', current_user,
  'headers', current_setting('request.headers', true)::jsonb,
  'path', current_setting('search_path'));
"""


def raw(platform: Status, request: str) -> str:
    """Send bytes as they are; give what comes back, at least the head."""
    address = urlsplit(platform.api_url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as wire:
        wire.sendall(request.encode("latin-1"))
        answer = b""
        while piece := wire.recv(65536):
            answer += piece
    return answer.decode("latin-1")


def head(platform: Status, person: Person, *lines: str, target: str = "/rest/v1/profiles") -> str:
    """A request with these lines in its head."""
    key, token = platform.publishable_key, person.token
    first = [f"GET {target} HTTP/1.1", "Host: localhost", "Connection: close"]
    return "\r\n".join([*first, f"apikey: {key}", f"Authorization: Bearer {token}", *lines, "", ""])


@pytest.mark.parametrize(
    "line",
    [
        "X-Request-Id: a\r\n\tSet-Cookie: x=y",
        "X-Request-Id: a\rSet-Cookie: x=y",
        "X-Request-Id: a\nSet-Cookie: x=y",
        "Prefer: return=minimal\x00",
        "X-A\x00B: c",
        "Content-Length: 3\r\nContent-Length: 5",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0",
        "Transfer-Encoding: xchunked",
        "X-Big: " + "a" * 100_000,
    ],
    ids=["folded", "CR", "LF", "NUL", "NUL in a name", "two lengths", "two framings", "unknown",
         "huge"],
)  # fmt: skip
def test_breaking_the_head_of_a_request(platform: Status, mallory: Person, line: str) -> None:
    assert raw(platform, head(platform, mallory, "X-A: b")).split(" ", 2)[1] == "200"
    answer = raw(platform, head(platform, mallory, line))
    status = answer.split(" ", 2)[1] if answer else "closed"
    assert status in {"200", "400", "431", "closed"}, answer[:300]
    assert "\nSet-Cookie" not in answer
    assert "Traceback" not in answer


@pytest.mark.parametrize(
    "target",
    [
        "/rest/v1/profiles?select=*%0d%0aSet-Cookie:%20x=y",
        "/rest/v1/%0d%0aSet-Cookie:%20x=y",
        "/auth/v1/authorize?provider=%0d%0aSet-Cookie:x=y&redirect_to=%0d%0aSet-Cookie:x=y",
    ],
)
def test_line_ends_in_an_address(platform: Status, mallory: Person, target: str) -> None:
    whole = raw(platform, head(platform, mallory, target="/rest/v1/profiles?select=*"))
    assert whole.split(" ", 2)[1] == "200"
    answer = raw(platform, head(platform, mallory, target=target))
    assert int(answer.split(" ", 2)[1]) < 500
    assert "\nset-cookie" not in answer.split("\r\n\r\n")[0].lower()


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("X-Forwarded-For", "203.0.113.9"),
        ("X-Real-IP", "203.0.113.9"),
        ("Forwarded", "for=203.0.113.9"),
        ("X-Forwarded-Host", "evil.example"),
        ("Role", "service_role"),
        ("X-Hasura-Role", "admin"),
        ("request.jwt.claims", '{"role":"service_role"}'),
        ("X-Supabase-Role", "service_role"),
    ],
)
def test_being_somebody_else_or_somewhere_else_by_a_header(
    platform: Status, mallory: Person, postgres: Connection, header: str, value: str
) -> None:
    postgres.execute(WHO + "grant execute on function public.attack_who() to authenticated")
    try:
        headers = {"apikey": platform.publishable_key, "Authorization": f"Bearer {mallory.token}"}
        url = f"{platform.api_url}/rest/v1/rpc/attack_who"
        for _ in range(2000):
            sent = headers | {"X-Harmless": "yes", header: value}
            answer = httpx.post(url, headers=sent, timeout=20)
            if answer.status_code != 404:  # until PostgREST has heard of the function
                break
        seen = answer.json()
    finally:
        postgres.execute("drop function public.attack_who()")
    assert (seen["uid"], seen["user"]) == (mallory.id, "authenticated")
    assert seen["headers"]["x-harmless"] == "yes", "headers do arrive"
    assert seen["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert "203.0.113.9" not in json.dumps(
        {k: v for k, v in seen["headers"].items() if k != header.lower()}
    )


@pytest.mark.parametrize("schema", ["private", "ml", "auth", "vault", "pg_catalog", "storage", ""])
def test_another_schema_by_profile(attacker: httpx.Client, schema: str) -> None:
    assert attacker.get("/profiles", headers={"Accept-Profile": "public"}).status_code == 200
    ours = {"Content-Profile": "public"}
    assert attacker.post("/rpc/me", json={}, headers=ours).status_code == 200
    for answer in (
        attacker.get("/profiles", headers={"Accept-Profile": schema}),
        attacker.post("/profiles", json={}, headers={"Content-Profile": schema}),
        attacker.post("/rpc/me", json={}, headers={"Content-Profile": schema}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (406, "PGRST106")


@pytest.mark.parametrize(
    "header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "_method"]
)
def test_another_method_by_a_header(attacker: httpx.Client, mallory: Person, header: str) -> None:
    assert attacker.delete(f"/profiles?id=eq.{mallory.id}").status_code == 403  # were it obeyed
    for method in ("DELETE", "PATCH", "PUT"):
        answer = attacker.get("/profiles", headers={header: method})
        assert (answer.status_code, [row["id"] for row in answer.json()]) == (200, [mallory.id])


def test_a_write_that_leaves_no_trace(attacker: httpx.Client, mallory: Person) -> None:
    """Prefer: tx=rollback would let one try out writes that no trigger or log ever keeps."""
    answer = attacker.patch(
        "/profiles",
        json={"display_name": "kept"},
        headers={"Prefer": "tx=rollback, return=representation"},
    )
    assert answer.status_code == 200
    assert "tx" not in answer.headers.get("Preference-Applied", "")
    assert attacker.get("/profiles").json()[0]["display_name"] == "kept"


@pytest.mark.parametrize("verb", ["GET", "HEAD"])
def test_writing_by_a_read(attacker: httpx.Client, verb: str) -> None:
    """A link that is followed, or fetched ahead, must change nothing."""
    booking = {"p_origin_lat": 1, "p_origin_lng": 1, "p_dest_lat": 2, "p_dest_lng": 2}
    for path, arguments in (("/rpc/sync_profile", {}), ("/rpc/request_pickup", booking)):
        assert attacker.request(verb, path, params=arguments).status_code == 405
        assert attacker.post(path, json=arguments).status_code == 200


@pytest.mark.parametrize(
    ("body", "statuses"),
    [
        ('{"p_id":"00000000-0000-4000-8000-000000000000"}', {404}),
        ('{"p_id":' + "[" * 100_000 + "]" * 100_000 + "}", {400, 413}),
        ('{"a":' * 50_000 + "1" + "}" * 50_000, {400, 404, 413}),
        ('{"p_id":"' + "x" * 1_000_000 + '"}', {400}),
        ('{"p_id":"' + "x" * 2_000_000 + '"}', {413}),
        ("{" + ",".join(f'"k{n}":1' for n in range(50_000)) + "}", {400}),
        ("[" + ",".join(["{}"] * 100_000) + "]", {400, 404}),
        ('{"p_id":' + "9" * 100_000 + "}", {400}),
        ('{"p_id":1e999999999}', {400}),
    ],
    ids=["as it is meant", "nested lists", "nested objects", "a megabyte", "over the limit",
         "many keys", "many rows", "a long number", "a huge number"],
)  # fmt: skip
def test_oversized_and_deeply_nested_json(
    attacker: httpx.Client, body: str, statuses: set[int]
) -> None:
    json_type = {"Content-Type": "application/json"}
    answer = attacker.post("/rpc/get_pickup", content=body, headers=json_type)
    assert answer.status_code in statuses, answer.text[:300]
    assert attacker.get("/profiles").status_code == 200, "and the next request is served"


def test_deep_json_inside_an_argument_that_is_json(attacker: httpx.Client) -> None:
    assert attacker.post("/rpc/update_me", json={"p_changes": {"locale": "en"}}).status_code == 200
    for depth in (100, 6000, 50_000):
        body = '{"p_changes":' + '{"display_name":' * depth + "1" + "}" * depth + "}"
        json_type = {"Content-Type": "application/json"}
        answer = attacker.post("/rpc/update_me", content=body, headers=json_type)
        assert answer.status_code in {400, 413, 422}, answer.text[:300]


def test_a_pattern_that_takes_forever(attacker: httpx.Client) -> None:
    """A regular expression may be made to backtrack; the role's time limit ends it."""
    assert len(attacker.get("/profiles", params={"locale": "match.^(.*)$"}).json()) == 1
    answer = attacker.get("/profiles", params={"locale": "match.(((.*)*)*)*x(?=y)(?!z)"})
    assert answer.status_code in {200, 400, 500}
    if answer.status_code == 500:
        assert answer.json()["code"] == "57014"
