"""Tokens that claim much and must be believed by nobody."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING, Any

import httpx
import jwt
import pytest

from tests.stack.support import Person, Phone

if TYPE_CHECKING:
    from rowcast.stack.stack import Status

PUBLIC_KEY = (
    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="
)
PUBLIC_KEY += "\n-----END PUBLIC KEY-----\n"


def encoded(content: Any) -> str:
    """A part of a token."""
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def signed(header: dict[str, Any], claims: dict[str, Any], key: str) -> str:
    """A token by hand: libraries refuse to make most of these."""
    content = f"{encoded(header)}.{encoded(claims)}"
    digest = hmac.new(key.encode(), content.encode(), hashlib.sha256).digest()
    return f"{content}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def forgeries(secret: str, user: str) -> dict[str, str]:
    """Tokens that somebody without the project's secret can make, by the name of the attack."""
    now = int(time.time())
    claims = {"sub": user, "role": "service_role", "aud": "authenticated", "exp": now + 3600}
    genuine = jwt.encode(claims | {"role": "authenticated"}, secret, "HS256")
    head, _, mark = genuine.split(".")
    hs256 = {"alg": "HS256", "typ": "JWT"}
    outside = {"jku": "http://127.0.0.1:1/keys", "kid": "../../../dev/null"}
    well_known = "super-secret-jwt-token-with-at-least-32-characters-long"
    return {
        "forged role, old signature": f"{head}.{encoded(claims)}.{mark}",
        "alg none": f"{encoded({'alg': 'none'})}.{encoded(claims)}.",
        "alg None": f"{encoded({'alg': 'None'})}.{encoded(claims)}.",
        "alg nOnE with a signature": f"{encoded({'alg': 'nOnE'})}.{encoded(claims)}.{mark}",
        "no signature": f"{head}.{encoded(claims)}.",
        "two parts": f"{head}.{encoded(claims)}",
        "HS256 with the empty key": signed(hs256, claims, ""),
        "HS256 with a public key": signed(hs256, claims, PUBLIC_KEY),
        "HS256 with the algorithm's name": signed(hs256, claims, "HS256"),
        "HS256 with a well-known secret": signed(hs256, claims, well_known),
        "key named in the header": signed(hs256 | outside, claims, "x"),
        "rubbish": "a.b.c",
    }


def untimely(secret: str, user: str) -> dict[str, str]:
    """Genuine tokens at the wrong time."""
    now = int(time.time())
    claims = {"sub": user, "role": "authenticated", "aud": "authenticated", "exp": now + 3600}
    hs256 = {"alg": "HS256", "typ": "JWT"}
    return {
        "expired": signed(hs256, claims | {"exp": now - 3600}, secret),
        "not yet valid": signed(hs256, claims | {"nbf": now + 3600}, secret),
        "expiry as text": signed(hs256, claims | {"exp": "never"}, secret),
    }


def misdirected(secret: str, user: str) -> dict[str, str]:
    """Signed with the project's secret, which only Auth holds, and meant for something else."""
    now = int(time.time())
    claims = {"sub": user, "role": "authenticated", "aud": "authenticated", "exp": now + 3600}
    hs256 = {"alg": "HS256", "typ": "JWT"}
    return {
        "RS256 said, HS256 made": signed({"alg": "RS256"}, claims, secret),
        "issued in the future": signed(hs256, claims | {"iat": now + 3600}, secret),
        "another audience": signed(hs256, claims | {"aud": "another-project"}, secret),
        "another issuer": signed(hs256, claims | {"iss": "https://evil.example"}, secret),
        "the service's name as role": signed(hs256, claims | {"role": "rowcast_service"}, secret),
        "superuser as role": signed(hs256, claims | {"role": "supabase_admin"}, secret),
        "postgres as role": signed(hs256, claims | {"role": "postgres"}, secret),
        "role as a list": signed(hs256, claims | {"role": ["service_role"]}, secret),
        "no role": signed(hs256, {k: v for k, v in claims.items() if k != "role"}, secret),
    }


FORGED = list(forgeries("x" * 40, "x"))
UNTIMELY = list(untimely("x" * 40, "x"))
MISDIRECTED = list(misdirected("x" * 40, "x"))


def worthless(secret: str, user: str) -> dict[str, str]:
    """Both kinds that no part may believe."""
    return forgeries(secret, user) | untimely(secret, user)


def asked(platform: Status, path: str, token: str, method: str = "POST") -> httpx.Response:
    headers = {"apikey": platform.publishable_key, "Authorization": f"Bearer {token}"}
    return httpx.request(method, platform.api_url + path, headers=headers, json={}, timeout=20)


def genuine(secret: str, user: str, **claims: Any) -> str:
    """A token that is right in everything but what `claims` says."""
    known = {"sub": user, "role": "authenticated", "aud": "authenticated"}
    whole = known | {"exp": int(time.time()) + 3600} | claims
    return signed({"alg": "HS256", "typ": "JWT"}, whole, secret)


DOORS = {
    "/rest/v1/rpc/my_pickups": "POST",
    "/rest/v1/": "GET",
    "/functions/v1/predict": "POST",
    "/auth/v1/user": "GET",
}


@pytest.mark.parametrize("path", DOORS)
def test_a_token_that_is_right_in_everything_is_believed(
    platform: Status, mallory: Person, path: str
) -> None:
    """So that what is refused below is refused for the one thing that is wrong with it."""
    token = genuine(platform.jwt_secret, mallory.id)
    believed = 422 if path == "/functions/v1/predict" else 200  # it asks for a model
    assert asked(platform, path, token, DOORS[path]).status_code == believed


def test_the_claims_of_the_forgeries_would_open_everything(
    platform: Status, mallory: Person
) -> None:
    token = genuine(platform.jwt_secret, mallory.id, role="service_role")
    assert asked(platform, "/rest/v1/rpc/list_users", token).status_code == 200


@pytest.mark.parametrize("attack", [*FORGED, *UNTIMELY])
@pytest.mark.parametrize("path", DOORS)
def test_a_token_nobody_issued_or_whose_time_is_not_now(
    platform: Status, mallory: Person, attack: str, path: str
) -> None:
    token = worthless(platform.jwt_secret, mallory.id)[attack]
    answer = asked(platform, path, token, DOORS[path])
    assert answer.status_code in {401, 403}, answer.text
    assert mallory.id not in answer.text


async def test_a_worthless_token_on_a_channel(platform: Status, mallory: Person) -> None:
    good = genuine(platform.jwt_secret, mallory.id)
    async with Phone(platform) as phone:
        for attack, token in worthless(platform.jwt_secret, mallory.id).items():
            answer = await phone.join(f"user:{mallory.id}", token, private=True)
            assert answer["status"] == "error", attack
        answer = await phone.join(f"user:{mallory.id}", good, private=True)
        assert answer["status"] == "ok"


# What the Data API and the edge functions say to each. Roles that the API's own may not become end
# as a refusal of Postgres.
SAID = {
    "RS256 said, HS256 made": (401, 401),
    "issued in the future": (401, 401),
    "another audience": (401, 401),
    "another issuer": (200, 422),
    "the service's name as role": (403, 401),
    "superuser as role": (403, 401),
    "postgres as role": (403, 401),
    "role as a list": (400, 401),
    "no role": (401, 401),
}


@pytest.mark.parametrize("attack", MISDIRECTED)
def test_a_token_for_something_else_opens_nothing(
    platform: Status, mallory: Person, attack: str
) -> None:
    """Signed with the project's secret. Of the issuer nobody asks: who holds the key is one."""
    token = misdirected(platform.jwt_secret, mallory.id)[attack]
    rows = asked(platform, "/rest/v1/profiles", token, "GET")
    function = asked(platform, "/functions/v1/predict", token)
    assert (rows.status_code, function.status_code) == SAID[attack], rows.text + function.text
    assert rows.status_code != 200 or [row["id"] for row in rows.json()] == [mallory.id]
    for path, method in (("/rest/v1/rpc/list_users", "POST"), ("/rest/v1/user_roles", "DELETE")):
        answer = asked(platform, path, token, method)
        assert answer.status_code in {400, 401, 403}, answer.text


async def test_a_token_for_another_audience_on_a_channel(platform: Status, mallory: Person) -> None:
    for audience, said in (("another-project", "error"), ("authenticated", "ok")):
        token = genuine(platform.jwt_secret, mallory.id, aud=audience)
        async with Phone(platform) as phone:
            answer = await phone.join(f"user:{mallory.id}", token, private=True)
            assert answer["status"] == said


def test_a_token_without_a_role_is_nobodys(platform: Status, mallory: Person) -> None:
    """As those in signed URLs of Storage, which the same secret signs."""
    claims = {"sub": mallory.id, "url": "bucket/file", "exp": int(time.time()) + 60}
    token = signed({"alg": "HS256"}, claims, platform.jwt_secret)
    assert asked(platform, "/rest/v1/profiles", token, "GET").status_code in {401, 403}


def test_a_session_token_as_a_key_gains_nothing(platform: Status, mallory: Person) -> None:
    headers = {"apikey": mallory.token}
    answer = httpx.get(f"{platform.api_url}/rest/v1/profiles", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "INVALID_API_KEY")


def test_a_token_whose_session_was_ended(platform: Status, sign_up: Any) -> None:
    """Signed and not expired, but its person signed out: the next request is refused."""
    person = sign_up()
    assert asked(platform, "/rest/v1/rpc/me", person.token).status_code == 200
    logout = asked(platform, "/auth/v1/logout?scope=global", person.token)
    assert logout.status_code in {200, 204}
    answer = asked(platform, "/rest/v1/rpc/me", person.token)
    assert (answer.status_code, answer.json()["details"]) == (401, "SESSION_REVOKED")
