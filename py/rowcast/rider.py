"""A rider on a running stack, through supabase-py alone; the demo and the benchmarks drive it."""

from __future__ import annotations

import asyncio
import secrets
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rowcast.errors import RowcastError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from realtime.types import BroadcastPayload
    from supabase import AsyncClient

    from rowcast.stack.stack import Status

_PATIENCE = 5.0


@dataclass(slots=True)
class Inbox:
    """Arrival times of the predictions that the channel brought, by the pickup's id."""

    arrived: dict[str, float] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def receive(self, message: BroadcastPayload) -> None:
        """Note one `prediction` event."""
        self.arrived[message["payload"]["row_key"]] = time.perf_counter()
        self.changed.set()

    async def wait_for(self, pickup: str, patience: float = _PATIENCE) -> float | None:
        """When the prediction came, by `time.perf_counter`; None when it did not in time."""
        try:
            async with asyncio.timeout(patience):
                while pickup not in self.arrived:
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            return None
        return self.arrived[pickup]


@dataclass(frozen=True, slots=True)
class Rider:
    """Signed in, and listening on the private channel."""

    client: AsyncClient
    inbox: Inbox

    async def request_pickup(self, places: Mapping[str, float], kind: str) -> dict[str, Any]:
        """Ask for a pickup; `places` are the four p_… coordinates. Its row as answered at once."""
        arguments = {**places, "p_kind": kind, "p_client_key": secrets.token_hex(8)}
        answer: Any = (await self.client.rpc("request_pickup", arguments).execute()).data
        return dict(answer)

    async def get_pickup(self, pickup: str) -> dict[str, Any]:
        """The pickup's row as it is now."""
        answer: Any = (await self.client.rpc("get_pickup", {"p_id": pickup}).execute()).data
        return dict(answer)


@asynccontextmanager
async def new_rider(status: Status) -> AsyncIterator[Rider]:
    """Sign up a rider and subscribe to the private channel; leave nothing open at the end."""
    import httpx
    from supabase import AsyncClientOptions, acreate_client

    async with httpx.AsyncClient(timeout=20) as http:
        client = await acreate_client(
            status.api_url, status.publishable_key, AsyncClientOptions(httpx_client=http)
        )
        user, token = await _sign_up(client)
        inbox = await _subscribe(client, user, token)
        try:
            yield Rider(client, inbox)
        finally:
            await client.remove_all_channels()
            await client.auth.sign_out()


async def _sign_up(client: AsyncClient) -> tuple[str, str]:
    """A new rider's id and access token."""
    email = f"rider-{secrets.token_hex(6)}@example.com"
    answer = await client.auth.sign_up({"email": email, "password": secrets.token_urlsafe(16)})
    if answer.session is None or answer.user is None:
        raise RowcastError(
            "this project asks new riders to confirm their e-mail address",
            "switch `auth.email.enable_confirmations` off in supabase/config.toml meanwhile",
        )
    return answer.user.id, answer.session.access_token


async def _subscribe(client: AsyncClient, user: str, token: str) -> Inbox:
    from realtime import RealtimeSubscribeStates

    inbox, joined = Inbox(), asyncio.get_running_loop().create_future()

    def on_state(state: RealtimeSubscribeStates, error: Exception | None) -> None:
        if joined.done():
            return
        if state == RealtimeSubscribeStates.SUBSCRIBED:
            joined.set_result(None)
        else:
            joined.set_exception(RowcastError(f"the channel refused: {error or state}"))

    await client.realtime.set_auth(token)
    channel = client.channel(
        f"user:{user}", {"config": {"private": True, "broadcast": None, "presence": None}}
    )
    await channel.on_broadcast("prediction", inbox.receive).subscribe(on_state)
    try:
        await asyncio.wait_for(joined, _PATIENCE)
    except TimeoutError:
        raise RowcastError("the channel does not answer", "./rowcast logs gateway") from None
    return inbox
