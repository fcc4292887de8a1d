"""The edge function `health`, as a load balancer asks it: without a key, by GET or HEAD."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import httpx
import psycopg
import pytest

from tests.e2e.riders import stopped
from tests.waiting import until_async

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rowcast.stack.stack import Stack

pytestmark = pytest.mark.anyio

PATHS = ("/health", "/health/db", "/health/queue")


@pytest.fixture
async def balancer(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a key."""
    async with httpx.AsyncClient(
        base_url=f"{stack.status().api_url}/functions/v1", timeout=20
    ) as http:
        yield http


async def is_status(http: httpx.AsyncClient, path: str, status: int) -> bool:
    return (await http.get(path)).status_code == status


async def test_all_is_well(balancer: httpx.AsyncClient) -> None:
    for path in PATHS:
        await until_async(partial(is_status, balancer, path, 200))
        answer = await balancer.get(path)
        body = answer.json()
        assert set(body) == {"service", "status", "checked_at", "round_trip_ms"}, "no figures"
        assert (body["service"], body["status"]) == ("rowcast", "ok")
        assert 0 < body["round_trip_ms"] < 2_000
        assert answer.headers["cache-control"] == "no-store"
        head = await balancer.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert (await balancer.get(path + "/")).status_code == 200


async def test_many_who_ask_are_one_question(balancer: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(balancer.get("/health/db") for _ in range(40)))
    # One a second at most, and none while one is under way; a slow machine may take some seconds.
    assert len({answer.json()["checked_at"] for answer in answers}) < 20


async def test_nothing_else_is_answered(balancer: httpx.AsyncClient) -> None:
    for path in ("/health/x", "/health/db/x", "/health/constructor", "/health/__proto__"):
        answer = await balancer.get(path)
        assert (answer.status_code, answer.json()["details"]) == (404, "NOT_FOUND"), path
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        answer = await balancer.request(method, "/health")
        assert (answer.status_code, answer.json()["details"]) == (405, "METHOD_NOT_ALLOWED")


async def test_without_the_service_the_queue_is_degraded_and_the_api_is_not(
    stack: Stack, balancer: httpx.AsyncClient
) -> None:
    with stopped(stack, "service"):
        with psycopg.connect(stack.status().db_url) as connection:  # rather than wait for 15 s
            connection.execute("delete from ml.workers")
        await until_async(lambda: is_status(balancer, "/health/queue", 503))
        assert (await balancer.get("/health/queue")).json()["status"] == "degraded"
        assert (await balancer.get("/health")).status_code == 200
        assert (await balancer.get("/health/db")).status_code == 200


async def test_without_the_data_api_all_is_down(stack: Stack, balancer: httpx.AsyncClient) -> None:
    with stopped(stack, "rest"):
        for path in PATHS:
            await until_async(partial(is_status, balancer, path, 503))
            assert (await balancer.get(path)).json()["status"] == "down"
            assert (await balancer.head(path)).status_code == 503
    for path in PATHS[:2]:
        await until_async(partial(is_status, balancer, path, 200))
