"""What the demo says, and how it waits; driving a real stack is tested elsewhere."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from rowcast.cli import bench, demo, train
from rowcast.cli.demo import Ride, _summary, _table
from rowcast.errors import RowcastError
from rowcast.rider import Inbox

if TYPE_CHECKING:
    import typer


def ride(actual: float, *, source: str = "model", latency_ms: float | None = 40.0) -> Ride:
    row: dict[str, Any] = {
        "eta_source": source,
        "eta_seconds": 600,
        "eta_low_seconds": 480,
        "eta_high_seconds": 780,
    }
    return Ride("ride", 4.2, actual, 720, row, latency_ms)


def shown(rides: list[Ride]) -> str:
    console = Console(file=io.StringIO(), width=80)
    console.print(_table(rides))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_a_pickup_is_one_line_in_minutes() -> None:
    line = next(line for line in shown([ride(630)]).splitlines() if "1 ride" in line)
    assert line.replace("│", " ").split() == (
        ["1", "ride", "4.2", "12.0", "10.0", "8.0-13.0", "10.5", "40"]
    )


def test_a_long_pickup_is_one_line_too() -> None:
    long = replace(ride(3630, latency_ms=1234), kind="delivery", kilometres=21.5)
    long.row.update(eta_low_seconds=1242, eta_high_seconds=6118)
    assert any("20.7-102.0" in line and "1234" in line for line in shown([long]).splitlines())


def test_the_demo_fails_when_no_prediction_came(monkeypatch: pytest.MonkeyPatch) -> None:
    async def drive(*_: object) -> list[Ride]:
        return rides

    stack = SimpleNamespace(status=lambda: SimpleNamespace(running=True))
    monkeypatch.setattr("rowcast.stack.stack.default_stack", lambda: stack)
    monkeypatch.setattr(demo, "_drive", drive)
    rides = [ride(600, source="estimate", latency_ms=None)]
    failed = CliRunner().invoke(demo.app, [])
    assert failed.exit_code == 1
    assert "./rowcast logs service" in failed.output
    rides = [ride(600), *rides]
    assert CliRunner().invoke(demo.app, []).exit_code == 0


@pytest.mark.parametrize("app", [demo.app, train.app, bench.app])
def test_only_the_command_itself_is_offered(app: typer.Typer) -> None:
    assert "--install-completion" not in CliRunner().invoke(app, ["--help"]).output


def test_a_service_that_is_away_is_said_before_anything_is_measured() -> None:
    with pytest.raises(RowcastError, match="the service is not running"):
        bench.require_service("http://127.0.0.1:1")


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
