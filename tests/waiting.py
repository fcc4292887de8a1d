"""Asking a database, and waiting for a condition, never for a time."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def execute(url: str, query: str) -> list[tuple[object, ...]]:
    """Run one statement and commit; its rows, if it has any."""
    with psycopg.connect(url) as connection:
        cursor = connection.execute(query.encode())
        return cursor.fetchall() if cursor.description else []


def wait_for_row(url: str, query: str, seconds: float = 10) -> tuple[Any, ...]:
    """The first row of `query`, asked until there is one; the test fails after `seconds`."""
    deadline = time.monotonic() + seconds
    with psycopg.connect(url, autocommit=True) as connection:
        while time.monotonic() < deadline:
            row: tuple[Any, ...] | None = connection.execute(query.encode()).fetchone()
            if row is not None:
                return row
    raise AssertionError(f"no row within {seconds} s: {query}")


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Return as soon as `condition` holds; the test fails after `seconds`."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


async def until_async(condition: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    """As `until`, for a condition that has to ask."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.05)
