"""The edge function `predict`: whom it serves, and what it says of parts that fail."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from tests.e2e.riders import invoke, new_rider, stopped
from tests.waiting import execute

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from rowcast.stack.stack import Stack

pytestmark = pytest.mark.anyio

ONE = {"model": "echo", "inputs": [{"x": 1}]}


@pytest.fixture(scope="module", autouse=True)
def echo(stack: Stack) -> Iterator[None]:
    """A model that people may ask."""
    url = stack.status().db_url
    execute(
        url,
        "insert into ml.models (name, is_open) values ('echo', true)"
        " on conflict (name) do update set is_open = true",
    )
    yield
    execute(url, "update ml.models set is_open = false where name = 'echo'")


async def test_a_model_that_is_not_open_answers_nobody(stack: Stack) -> None:
    """Whoever may ask the one that judges sign-ins tries disguises until one passes."""
    async with new_rider(stack) as rider:
        answer = await invoke(stack, rider.token, {"model": "signin", "inputs": [{}]})
        assert (answer.status_code, answer.json()["details"]) == (404, "UNKNOWN_MODEL")


async def test_who_is_banned_is_not_answered(stack: Stack) -> None:
    """Auth knows the token's person and session still; the ban says no."""
    ban = "update auth.users set banned_until = now() + interval '1 day' where id = '{}'"
    async with new_rider(stack) as rider:
        execute(stack.status().db_url, ban.format(rider.id))
        answer = await invoke(stack, rider.token, ONE)
        assert answer.status_code == 401, answer.text


async def test_the_edge_function_answers_users_and_refuses_others(stack: Stack) -> None:
    async with new_rider(stack) as rider:
        good = await invoke(stack, rider.token, {"model": "echo", "inputs": [{"x": 1}, {"x": 2}]})
        assert [p["output"]["score"] for p in good.json()["predictions"]] == [1, 2]

        publishable, secret = stack.status().publishable_key, stack.status().secret_key
        refused: list[tuple[str | None, Any, tuple[int, str]]] = [
            (None, ONE, (401, "INVALID_TOKEN")),
            (publishable, ONE, (401, "INVALID_TOKEN")),
            (secret, ONE, (401, "INVALID_TOKEN")),
            (rider.token[:-3] + "abc", ONE, (401, "INVALID_TOKEN")),
            (rider.token, {"model": "nothing", "inputs": [{}]}, (404, "UNKNOWN_MODEL")),
            (rider.token, {"model": "../health", "inputs": [{}]}, (422, "INVALID_PAYLOAD")),
            (rider.token, {"model": "eta", "inputs": [{"origin_lat": 91}]}, (422, "INVALID_INPUT")),
            (rider.token, {"model": "echo", "inputs": [{}] * 33}, (422, "INVALID_PAYLOAD")),
            (
                rider.token,
                {"model": "echo", "inputs": [{}], "user_id": "x"},
                (422, "INVALID_PAYLOAD"),
            ),
            (rider.token, [], (422, "INVALID_PAYLOAD")),
            (rider.token, b"{", (400, "INVALID_JSON")),
            (rider.token, b'"' + b"a" * 70_000 + b'"', (413, "PAYLOAD_TOO_LARGE")),
        ]
        for bearer, body, expected in refused:
            answer = await invoke(stack, bearer, body)
            assert (answer.status_code, answer.json()["details"]) == expected, (bearer, body)


async def test_a_good_token_is_not_called_invalid_while_auth_is_away(stack: Stack) -> None:
    async with new_rider(stack) as rider:
        with stopped(stack, "auth"):
            answer = await invoke(stack, rider.token, ONE)
            assert (answer.status_code, answer.json()["details"]) == (503, "AUTH_UNAVAILABLE")
            none = await invoke(stack, None, ONE)
            assert (none.status_code, none.json()["details"]) == (401, "INVALID_TOKEN")
        assert (await invoke(stack, rider.token, ONE)).status_code == 200


class Impostor:
    """Answers in the service's place."""

    def __init__(self) -> None:
        self.status, self.text, self.stalls = 200, "", False

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Give the answer of the moment, or half of it and then nothing until the caller leaves."""
        if not self.stalls:
            return web.Response(status=self.status, text=self.text, content_type="text/html")
        response = web.StreamResponse()
        response.content_length = 100
        await response.prepare(request)
        await response.write(b'{"predictions":')
        while request.transport is not None and not request.transport.is_closing():
            await asyncio.sleep(0.02)
        return response


@asynccontextmanager
async def impostor(stack: Stack) -> AsyncIterator[Impostor]:
    """The service is down inside, and somebody else listens at its address."""
    with stopped(stack, "service"):
        found = Impostor()
        runner = web.ServerRunner(web.Server(found.handle))
        await runner.setup()
        try:
            await web.TCPSite(
                runner, "127.0.0.1", urlsplit(stack.status().service_url).port
            ).start()
            yield found
        finally:
            await runner.cleanup()


async def test_what_is_not_the_services_answer_is_a_failed_prediction(stack: Stack) -> None:
    async with new_rider(stack) as rider, impostor(stack) as there:
        for status, text in (
            (200, "<html>welcome</html>"),
            (502, "<html>bad gateway</html>"),
            (404, "<html>not found</html>"),
            (404, '{"error": "no such application"}'),
            (200, "null"),
            (200, '"ok"'),
            (200, ""),
        ):
            there.status, there.text = status, text
            answer = await invoke(stack, rider.token, ONE)
            found = (answer.status_code, answer.json()["details"])
            assert found == (502, "PREDICTION_FAILED"), (status, text)
        there.status, there.text = 404, json.dumps({"details": "UNKNOWN_MODEL", "message": "No."})
        answer = await invoke(stack, rider.token, ONE)
        assert (answer.status_code, answer.json()["details"]) == (404, "UNKNOWN_MODEL")


async def test_an_answer_that_stops_half_way_is_a_time_out(stack: Stack) -> None:
    async with new_rider(stack) as rider, impostor(stack) as there:
        there.stalls = True
        answer = await invoke(stack, rider.token, ONE)
        assert (answer.status_code, answer.json()["details"]) == (504, "SERVICE_TIMEOUT")
