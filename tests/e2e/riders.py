"""Riders who sign up at the stack and call the edge function; parts of it that are down."""

from __future__ import annotations

import json
import uuid
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
from supabase import AsyncClient, AsyncClientOptions, acreate_client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from rowcast.stack.stack import Stack

PASSWORD = "correct horse battery"


@dataclass(frozen=True, slots=True)
class Rider:
    """A rider who is signed in."""

    client: AsyncClient
    id: str
    token: str


@asynccontextmanager
async def new_rider(stack: Stack) -> AsyncIterator[Rider]:
    """Sign up, sign in, and leave nothing open at the end."""
    status = stack.status()
    async with httpx.AsyncClient(timeout=20) as http:
        options = AsyncClientOptions(httpx_client=http)
        client = await acreate_client(status.api_url, status.publishable_key, options)
        email = f"py-{uuid.uuid4()}@example.com"
        await client.auth.sign_up({"email": email, "password": PASSWORD})
        answer = await client.auth.sign_in_with_password({"email": email, "password": PASSWORD})
        assert answer.user is not None
        assert answer.session is not None
        yield Rider(client, answer.user.id, answer.session.access_token)
        await client.remove_all_channels()
        await client.auth.sign_out()


@contextmanager
def stopped(stack: Stack, program: str) -> Iterator[None]:
    """One of the stack's programs is down inside, and ready again after."""
    stack.supervisor.stop([program], 20)
    try:
        yield
    finally:
        stack.supervisor.start(program)
        stack.wait_until_ready()


async def invoke(stack: Stack, token: str | None, body: Any, **other: Any) -> httpx.Response:
    """Call the edge function `predict`."""
    status = stack.status()
    headers = {"apikey": status.publishable_key}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    content = body if isinstance(body, bytes) else json.dumps(body)
    async with httpx.AsyncClient(timeout=20) as http:
        url = f"{status.api_url}/functions/v1/predict"
        return await http.post(url, content=content, headers=headers, **other)
