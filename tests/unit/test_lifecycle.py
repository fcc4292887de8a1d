"""`up` in the foreground when a process is beyond recovery, and the removal of a stack."""

from __future__ import annotations

import fcntl
import shutil
import signal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from rowcast.cli import lifecycle
from rowcast.errors import RowcastError
from rowcast.stack import paths
from rowcast.stack.paths import Home
from rowcast.stack.processes import ProcessState
from rowcast.stack.stack import Stack

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


def test_nobody_can_start_between_the_stop_and_the_removal_of_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "usable", lambda folder: folder)
    stack = Stack(tmp_path)
    stack.home.create()
    stack.home.data.mkdir()
    rmtree = shutil.rmtree

    def remove_while_another_asks_for_the_lock(folder: Path, **options: Any) -> None:
        with (tmp_path / "stack.lock").open("w") as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        rmtree(folder, **options)

    monkeypatch.setattr(shutil, "rmtree", remove_while_another_asks_for_the_lock)
    stack.destroy()
    assert not stack.home.data.exists()
    assert not stack.home.auth.exists()


def test_removing_a_stack_that_never_was_makes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "usable", lambda folder: folder)
    Stack(tmp_path / "home").destroy()
    assert list(tmp_path.iterdir()) == []
