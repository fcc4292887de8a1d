"""Helpers of the stack's tests: waiting for conditions, bad tokens, a bare Realtime client."""

from __future__ import annotations

import json
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import jwt
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from rowcast.stack.stack import Status

SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Person:
    """A user and her token."""

    id: str
    token: str


def eventually(holds: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """Ask again until the condition holds; give what it gave, or fail when time is up."""
    deadline = time.monotonic() + seconds
    while True:
        value = holds()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError("the condition did not come to hold in time")
        time.sleep(0.02)


def bad_tokens(secret: str, claims: dict[str, Any]) -> dict[str, str]:
    """Tokens that claim much and must be believed by no one, by the name of the attack."""
    future, past = int(time.time()) + 3600, int(time.time()) - 3600
    lasting = claims | {"exp": future}
    return {
        "forged": jwt.encode(lasting, "another secret of more than 32 characters", "HS256"),
        "expired": jwt.encode(claims | {"exp": past}, secret, "HS256"),
        "alg:none": jwt.encode(lasting, "", "none"),
        "wrong algorithm": jwt.encode(lasting, secret + secret, "HS512"),
        "payload swapped": _swap_payload(jwt.encode({"exp": future}, secret, "HS256"), lasting),
    }


def _swap_payload(token: str, claims: dict[str, Any]) -> str:
    head, _, signature = token.split(".")
    payload = jwt.utils.base64url_encode(json.dumps(claims).encode()).decode()
    return f"{head}.{payload}.{signature}"


@asynccontextmanager
async def web_site(handler: Any) -> AsyncIterator[str]:
    """Serve a handler on a free port for the length of a `with`; gives its URL."""
    runner = web.ServerRunner(web.Server(handler))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class Phone:
    """A bare client of the Realtime protocol, version 1: no library between test and server."""

    def __init__(self, platform: Status, key: str | None = None, vsn: str = "1.0.0") -> None:
        self._url = platform.api_url + "/realtime/v1/websocket"
        self._params = {"vsn": vsn, "apikey": key or platform.publishable_key}
        self._ref = 0

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        try:
            self.ws = await self._session.ws_connect(self._url, params=self._params)
        except BaseException:
            await self._session.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.ws.close()
        await self._session.close()

    async def say(self, topic: str, event: str, payload: dict[str, Any]) -> str:
        """Send a frame; give its ref."""
        self._ref += 1
        ref = str(self._ref)
        frame = {"topic": f"realtime:{topic}", "event": event, "payload": payload}
        await self.ws.send_json(frame | {"ref": ref, "join_ref": ref})
        return ref

    async def hear(self, event: str) -> dict[str, Any]:
        """Give the next frame of this event; others are passed over."""
        while True:
            frame: dict[str, Any] = await self.ws.receive_json(timeout=SECONDS)
            if frame["event"] == event:
                return frame

    async def join(self, topic: str, token: str | None = None, **config: Any) -> dict[str, Any]:
        """Ask to join; give status and response."""
        payload: dict[str, Any] = {"config": config}
        if token is not None:
            payload["access_token"] = token
        ref = await self.say(topic, "phx_join", payload)
        reply = await self.hear("phx_reply")
        assert reply["ref"] == ref
        answer: dict[str, Any] = reply["payload"]
        return answer
