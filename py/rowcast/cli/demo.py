"""`rowcast demo`: a rider's first minutes, through the public API only.

Everything here a front end could do with the publishable key. What the trips "really took" comes
from the simulated city, which the database, the service and the model know nothing of.
"""

from __future__ import annotations

import asyncio
import secrets
import statistics
import time
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.table import Table

from rowcast.cli.console import out, steps
from rowcast.errors import RowcastError
from rowcast.models.eta_features import KINDS, Requests, distance_m
from rowcast.rider import new_rider
from rowcast.sim.city import City

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rowcast.rider import Rider
    from rowcast.stack.stack import Status

app = typer.Typer(help="Drive the running stack as a rider would.", add_completion=False)

_PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class Ride:
    """One pickup: what was asked, what was answered, how long it took to answer."""

    kind: str
    kilometres: float
    actual_seconds: float
    estimate_seconds: float
    row: dict[str, Any]
    latency_ms: float | None

    @property
    def predicted(self) -> bool:
        """Whether the model has answered."""
        return bool(self.row["eta_source"] == "model")


@app.command()
def demo(
    trips: Annotated[int, typer.Option(min=1, max=200, help="Pickups to request.")] = 12,
    seed: Annotated[int | None, typer.Option(help="For the same trips again.")] = None,
) -> None:
    """Sign up a rider, request pickups, and show each estimate, prediction and real duration."""
    from rowcast.stack.stack import default_stack

    status = default_stack().status()
    if not status.running:
        raise RowcastError("the stack is not running", "./rowcast up --detach")
    chosen = secrets.randbelow(2**31) if seed is None else seed
    with steps("demo") as report:
        rides = asyncio.run(_drive(status, trips, chosen, report))
    out.print(_table(rides))
    out.print(_summary(rides))
    if not any(ride.predicted for ride in rides):
        raise typer.Exit(1)


async def _drive(
    status: Status, trips: int, seed: int, report: Callable[[str], None]
) -> list[Ride]:
    city, rng = City(), np.random.default_rng(seed)
    wanted = city.simulate(trips, seed=seed).trips.requests.take(rng.permutation(trips))
    rides: list[Ride] = []
    report("signing up a rider, subscribing to the private channel")
    async with new_rider(status) as rider:
        for i in range(trips):
            report(f"requesting pickup {i + 1} of {trips}")
            # A service that is away is waited for once, not once per pickup.
            patience = _PATIENCE if not rides or rides[-1].predicted else 0.0
            row, estimate, latency = await _request(rider, wanted.take([i]), patience)
            requested_at = datetime.fromisoformat(row["requested_at"]).timestamp()
            driven = replace(wanted.take([i]), requested_at=np.array([requested_at]))
            took = float(city.travel_seconds(driven, seed=seed + i)[0])
            kilometres = float(distance_m(driven)[0]) / 1000
            rides.append(Ride(row["kind"], kilometres, took, estimate, row, latency))
    return rides


async def _request(
    rider: Rider, wanted: Requests, patience: float
) -> tuple[dict[str, Any], float, float | None]:
    """Request one pickup; its row in the end, the first estimate, and the model's latency, ms."""
    kind = next(name for name, code in KINDS.items() if code == wanted.kind[0])
    places = {
        "p_origin_lat": float(wanted.origin_lat[0]),
        "p_origin_lng": float(wanted.origin_lng[0]),
        "p_dest_lat": float(wanted.dest_lat[0]),
        "p_dest_lng": float(wanted.dest_lng[0]),
    }
    asked = time.perf_counter()
    answer = await rider.request_pickup(places, kind)
    arrived = await rider.inbox.wait_for(answer["id"], patience)
    row = await rider.get_pickup(answer["id"])
    latency = None if arrived is None else 1000 * (arrived - asked)
    return row, answer["eta_seconds"], latency


def _table(rides: Sequence[Ride]) -> Table:
    table = Table(title="Pickups just requested; minutes, and ms until the model's answer")
    table.add_column("pickup")
    for name in ("km", "estimate", "model", "80 % interval", "really took", "ms"):
        table.add_column(name, justify="right")
    for number, ride in enumerate(rides, start=1):
        table.add_row(
            f"{number} {ride.kind}",
            f"{ride.kilometres:.1f}",
            _minutes(ride.estimate_seconds),
            _minutes(ride.row["eta_seconds"]) if ride.predicted else "none yet",
            _interval(ride) if ride.predicted else "",
            _minutes(ride.actual_seconds),
            "" if ride.latency_ms is None else f"{ride.latency_ms:.0f}",
        )
    return table


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f}"


def _interval(ride: Ride) -> str:
    low, high = ride.row["eta_low_seconds"], ride.row["eta_high_seconds"]
    return f"{_minutes(low)}-{_minutes(high)}"


def _summary(rides: Sequence[Ride]) -> str:
    """The medians in words, and what to do next."""
    answered = [ride for ride in rides if ride.predicted]
    if not answered:
        return (
            "The estimates came at once, the model's answers did not: is the service running?\n"
            "Next: ./rowcast status, then ./rowcast logs service. Nothing is lost meanwhile."
        )
    by_estimate = [abs(ride.estimate_seconds - ride.actual_seconds) for ride in answered]
    by_model = [abs(ride.row["eta_seconds"] - ride.actual_seconds) for ride in answered]
    inside = sum(
        ride.row["eta_low_seconds"] <= ride.actual_seconds <= ride.row["eta_high_seconds"]
        for ride in answered
    )
    lines = [
        (
            f"Off by, at the median: estimate {_minutes(statistics.median(by_estimate))} min, "
            f"model {_minutes(statistics.median(by_model))} min; "
            f"{inside} of {len(answered)} inside their interval."
        ),
    ]
    latencies = [ride.latency_ms for ride in answered if ride.latency_ms is not None]
    if latencies:
        lines.append(
            "From the request to the model's answer on the rider's channel, at the median: "
            f"{statistics.median(latencies):.0f} ms."
        )
    lines.append("The simulated city alone knows what a trip really took; the model never sees it.")
    lines.append("Next: ./rowcast psql, and there: table public.predictions;")
    return "\n".join(lines)
