"""`up` in the foreground, when a process is beyond recovery."""

from __future__ import annotations

import signal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from rowcast.cli import lifecycle
from rowcast.errors import RowcastError
from rowcast.stack.paths import Home
from rowcast.stack.processes import ProcessState

if TYPE_CHECKING:
    from pathlib import Path


def test_up_stops_everything_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    home = Home(tmp_path)
    home.logs.mkdir()
    home.log("rest").write_text("starting\nout of paper\n")
    stopped: list[bool] = []
    stack: Any = SimpleNamespace(
        home=home,
        supervisor=SimpleNamespace(processes=lambda: [ProcessState("rest", "FATAL", 0, 0)]),
        stop=lambda: stopped.append(True),
    )
    with pytest.raises(RowcastError, match="rest keeps failing: out of paper"):
        lifecycle.attend(stack)
    assert stopped == [True]
