"""From the reply of `request_pickup`, its commit done, to the answer on the rider's channel."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rowcast.rider import Rider, new_rider

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from rowcast.stack.stack import Status

CENTRE = (37.7749, -122.4194)


@dataclass(frozen=True, slots=True)
class Latencies:
    """Milliseconds, one for each request that was answered.

    `visible`: from the reply of `request_pickup` to the event on the private channel, as the client
    sees both. `committed`: from the transaction that enqueued to the commit that wrote the row, by
    the database's clock. `missing`: requests without an answer in time.
    """

    visible: NDArray[np.float64]
    committed: NDArray[np.float64]
    missing: int


async def measure(
    status: Status, requests: int, every_ms: float, progress: Callable[[int], None]
) -> Latencies:
    """Send `requests` pickups, one every `every_ms`, whether or not the last was answered."""
    rng = np.random.default_rng(7)
    places = np.array(CENTRE * 2) + rng.uniform(-0.05, 0.05, (requests, 4))
    async with new_rider(status) as rider:
        for _ in range(5):
            await _ask(rider, places[0])
        started = time.perf_counter()
        asked: list[asyncio.Task[tuple[str, float | None]]] = []
        for number in range(requests):
            await asyncio.sleep(started + number * every_ms / 1000 - time.perf_counter())
            asked.append(asyncio.create_task(_ask(rider, places[number])))
            progress(number + 1)
        answers = await asyncio.gather(*asked)
        receipts: Any = (
            await rider.client.table("predictions")
            .select("row_key,latency_ms")
            .eq("status", "done")
            .limit(1000)
            .execute()
        ).data
    wanted = {pickup for pickup, _ in answers}
    visible = [latency for _, latency in answers if latency is not None]
    committed = [r["latency_ms"] for r in receipts if r["row_key"] in wanted]
    return Latencies(np.array(visible), np.array(committed), requests - len(visible))


async def _ask(rider: Rider, places: NDArray[np.float64]) -> tuple[str, float | None]:
    names = ("p_origin_lat", "p_origin_lng", "p_dest_lat", "p_dest_lng")
    pickup = await rider.request_pickup(dict(zip(names, places.tolist(), strict=True)), "ride")
    replied = time.perf_counter()
    arrived = await rider.inbox.wait_for(pickup["id"])
    # The event may overtake the reply to the request that caused it.
    return pickup["id"], None if arrived is None else max(0.0, 1000 * (arrived - replied))
