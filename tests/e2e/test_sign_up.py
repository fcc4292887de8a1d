"""Sign-up while a flag refuses it: what clients that nobody here wrote make of the answer."""

from __future__ import annotations

import asyncio
import json
import subprocess
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest
from supabase import AsyncClient, AsyncClientOptions, acreate_client
from supabase_auth.errors import AuthApiError

from rowcast.stack import install
from tests.e2e.riders import PASSWORD, new_rider
from tests.waiting import execute

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from rowcast.stack.stack import Stack

pytestmark = pytest.mark.anyio

CHECKOUT = Path(__file__).parents[2]
CLOSED = "Registration is closed at the moment."


@contextmanager
def off(stack: Stack, flag: str) -> Iterator[None]:
    """A feature is off inside, and on again after; switched as a back end would."""
    status = stack.status()

    def switch(enabled: bool) -> None:
        answer = httpx.post(
            f"{status.api_url}/rest/v1/rpc/set_flag",
            headers={"apikey": status.secret_key},
            json={"p_name": flag, "p_enabled": enabled},
        )
        assert (answer.status_code, answer.json()["enabled"]) == (200, enabled)

    switch(False)
    try:
        yield
    finally:
        switch(True)


@pytest.fixture
async def client(stack: Stack) -> AsyncIterator[AsyncClient]:
    status = stack.status()
    async with httpx.AsyncClient(timeout=20) as http:
        yield await acreate_client(
            status.api_url, status.publishable_key, AsyncClientOptions(httpx_client=http)
        )


def somebody() -> dict[str, Any]:
    return {"email": f"{uuid.uuid4()}@example.com", "password": PASSWORD}


def accounts(stack: Stack, email: str) -> Any:
    (row,) = execute(
        stack.status().db_url, f"select count(*) from auth.users where email = '{email}'"
    )
    return row[0]


async def test_supabase_py_sees_the_refusal_and_can_sign_up_again_later(
    stack: Stack, client: AsyncClient
) -> None:
    async with new_rider(stack) as rider:
        email = (await rider.client.auth.get_user()).user.email  # type: ignore[union-attr]
        assert email
        person, guest = somebody(), somebody()
        with off(stack, "registration"):
            for attempt in (
                client.auth.sign_up(person),  # type: ignore[arg-type]
                client.auth.sign_in_with_otp({"email": guest["email"]}),
            ):
                with pytest.raises(AuthApiError) as caught:
                    await attempt
                found = (caught.value.status, caught.value.message, caught.value.code)
                assert found == (403, CLOSED, "unknown")
            assert accounts(stack, person["email"]) == accounts(stack, guest["email"]) == 0

            old = await client.auth.sign_in_with_password({"email": email, "password": PASSWORD})
            assert old.user is not None
            await client.auth.sign_in_with_otp({"email": email})
        new = await client.auth.sign_up(person)  # type: ignore[arg-type]
        assert new.user is not None
        assert accounts(stack, person["email"]) == 1


async def test_both_shapes_of_the_platforms_error(stack: Stack) -> None:
    status = stack.status()
    async with httpx.AsyncClient(
        base_url=f"{status.api_url}/auth/v1", headers={"apikey": status.publishable_key}
    ) as http:
        with off(stack, "registration"):
            for path in ("/signup", "/otp", "/magiclink"):
                answer = await http.post(path, json=somebody())
                assert answer.status_code == 403, path
                assert answer.json() == {"code": 403, "error_code": "unknown", "msg": CLOSED}
                assert answer.headers["x-request-id"]
                version = {"x-supabase-api-version": "2024-01-01"}
                answer = await http.post(path, json=somebody(), headers=version)
                assert (answer.status_code, answer.json()) == (
                    403,
                    {"code": "unknown", "message": CLOSED},
                )
                assert answer.headers["x-supabase-api-version"] == "2024-01-01"
            # What is wrong for another reason keeps its own answer.
            bad = await http.post("/signup", json={"email": "no address", "password": PASSWORD})
            assert bad.status_code in {400, 422}
            for odd in (
                b"{",
                b"[]",
                b"null",
                b'{"email": 5}',
                b"[" * 30_000,
                b'{"email": "\\ud800"}',
            ):
                headers = {"content-type": "application/json"}
                assert (await http.post("/signup", content=odd, headers=headers)).status_code != 403


async def test_who_is_banned_does_not_get_in_until_the_ban_is_lifted(
    stack: Stack, client: AsyncClient
) -> None:
    person = somebody()
    made = await client.auth.sign_up(person)  # type: ignore[arg-type]
    assert made.user is not None
    status = stack.status()

    def ban(until: str | None) -> None:
        httpx.post(
            f"{status.api_url}/rest/v1/rpc/admin_update_user",
            headers={"apikey": status.secret_key},
            json={"p_user_id": made.user.id, "p_changes": {"banned_until": until}},  # type: ignore[union-attr]
        ).raise_for_status()

    ban("2100-01-01T00:00:00Z")
    with pytest.raises(AuthApiError) as caught:
        await client.auth.sign_in_with_password(person)  # type: ignore[arg-type]
    assert (caught.value.status, caught.value.code) == (400, "user_banned")
    with pytest.raises(AuthApiError) as caught:
        await client.auth.sign_in_with_password(person | {"password": "another"})  # type: ignore[arg-type]
    assert caught.value.code == "invalid_credentials"
    ban(None)
    again = await client.auth.sign_in_with_password(person)  # type: ignore[arg-type]
    assert again.user is not None


async def test_social_login_off_leaves_email_alone(stack: Stack, client: AsyncClient) -> None:
    with off(stack, "social_login"):
        assert (await client.auth.sign_up(somebody())).user is not None  # type: ignore[arg-type]


async def test_accounts_that_auth_itself_inserts_pass_the_hook_and_an_administrators_do_not(
    stack: Stack,
) -> None:
    insert = "insert into auth.users (id, email, raw_app_meta_data) values (%s, %s, %s)"
    google = json.dumps({"provider": "google", "providers": ["google"]})

    def make(url: str, provider: str) -> None:
        with psycopg.connect(url) as connection:
            user = uuid.uuid4()
            connection.execute(insert, [user, f"{user}@example.com", provider])

    status = stack.status()
    with off(stack, "social_login"):
        with pytest.raises(psycopg.errors.RaiseException, match="another provider"):
            make(status.admin_db_url, google)
        make(status.db_url, google)
    with off(stack, "registration"):
        with pytest.raises(psycopg.errors.RaiseException, match=CLOSED):
            make(status.admin_db_url, "{}")
        make(status.db_url, "{}")


async def test_supabase_js_sees_an_auth_api_error(stack: Stack) -> None:
    status = stack.status()
    script = """
        import { createClient, isAuthApiError } from "@supabase/supabase-js";
        const [url, key, email] = process.argv.slice(2);
        const client = createClient(url, key, { auth: { persistSession: false } });
        const password = "correct horse battery";
        const { data, error } = await client.auth.signUp({ email, password });
        const { status, code, message } = error;
        console.log(JSON.stringify([isAuthApiError(error), status, code, message, data.user]));
    """
    command = [str(install.node_binary()), "--input-type=module", "-", status.api_url]
    with off(stack, "registration"):
        done = await asyncio.to_thread(
            subprocess.run,
            [*command, status.publishable_key, somebody()["email"]],
            input=script,
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [True, 403, "unknown", CLOSED, None]
