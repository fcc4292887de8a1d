"""What the demo says, and how it waits; driving a real stack is tested elsewhere."""

from __future__ import annotations

import asyncio
import io
from typing import Any

from rich.console import Console

from rowcast.cli.demo import Ride, _summary, _table
from rowcast.rider import Inbox


def ride(actual: float, *, source: str = "model", latency_ms: float | None = 40.0) -> Ride:
    row: dict[str, Any] = {
        "eta_source": source,
        "eta_seconds": 600,
        "eta_low_seconds": 480,
        "eta_high_seconds": 780,
    }
    return Ride("ride", 4.2, actual, 720, row, latency_ms)


def shown(rides: list[Ride]) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(_table(rides))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_a_pickup_is_one_line_in_minutes() -> None:
    line = next(line for line in shown([ride(630)]).splitlines() if "1 ride" in line)
    assert line.replace("│", " ").split() == (
        ["1", "ride", "4.2", "12.0", "10.0", "8.0", "to", "13.0", "10.5", "40"]
    )


def test_the_summary_gives_medians_and_counts_the_intervals() -> None:
    text = _summary([ride(600), ride(660, latency_ms=60), ride(900, latency_ms=None)])
    assert "estimate 2.0 min, model 1.0 min; 2 of 3 inside" in text
    assert "50 ms" in text


def test_without_the_service_it_says_where_to_look() -> None:
    waiting = ride(600, source="estimate", latency_ms=None)
    assert "none yet" in shown([waiting])
    assert "./rowcast logs service" in _summary([waiting])


def test_a_prediction_is_noted_whether_it_comes_before_or_after_the_question() -> None:
    async def run() -> tuple[float | None, float | None, float | None]:
        inbox = Inbox()
        inbox.receive({"event": "prediction", "payload": {"row_key": "early"}})
        early = await inbox.wait_for("early", 0)
        late = asyncio.create_task(inbox.wait_for("late", 30))
        await asyncio.sleep(0)
        inbox.receive({"event": "prediction", "payload": {"row_key": "other"}})
        await asyncio.sleep(0)
        inbox.receive({"event": "prediction", "payload": {"row_key": "late"}})
        return early, await late, await inbox.wait_for("never", 0)

    early, late, never = asyncio.run(run())
    assert early is not None
    assert late is not None
    assert early <= late
    assert never is None
