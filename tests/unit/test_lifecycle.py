"""How a stack that does not start, or does not stay up, says so; and its removal."""

from __future__ import annotations

import fcntl
import shutil
import signal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from rowcast.cli import lifecycle
from rowcast.errors import RowcastError
from rowcast.stack import bootstrap, external, paths
from rowcast.stack.paths import Home
from rowcast.stack.processes import ProcessState, last_line
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


TAKEN = '{"event": "[Errno 98] address already in use", "level": "error"}'


def test_the_error_counts_not_the_farewell_and_nothing_of_an_earlier_run(tmp_path: Path) -> None:
    log = tmp_path / "service.log"
    log.write_text(f"{TAKEN}\ngoodbye\n")
    assert last_line(log) == TAKEN
    start = log.stat().st_size
    with log.open("a") as file:
        file.write("out of paper\n")
    assert last_line(log, start) == "out of paper"
    assert last_line(log, 10_000) == TAKEN  # rotated since


def test_a_process_whose_port_was_taken_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "usable", lambda folder: folder)
    stack = Stack(tmp_path)
    stack.home.create()
    stack.home.log("service").write_text(f"{TAKEN}\ngoodbye\n")
    state = "BACKOFF"
    monkeypatch.setattr(
        stack.supervisor, "processes", lambda: [ProcessState("service", state, 0, 0)]
    )
    answers = iter([False, False, True])
    stack._wait("service", lambda: next(answers))

    state = "FATAL"
    with pytest.raises(RowcastError, match=r"service stopped while starting: .*Errno 98"):
        stack._wait("service", lambda: False)

    state = "BACKOFF"
    stack.home.log("service").write_text("out of paper\n")
    with pytest.raises(RowcastError, match="service stopped while starting: out of paper"):
        stack._wait("service", lambda: False)


def test_a_failed_push_shows_no_noise_and_knows_a_migration_that_is_gone(tmp_path: Path) -> None:
    output = (
        "WARN: auth.email.enable_signup is deprecated\nSkipping migration CHECKSUMS...\n"
        "Remote migration versions not found in local migrations directory.\n"
    )
    error = bootstrap.push_error(output, tmp_path / "log", seed=True)
    assert error.message.splitlines()[1:] == output.splitlines()[2:]
    assert error.hint.startswith("a migration that was applied is gone")
    assert "./rowcast reset" not in bootstrap.push_error(output, tmp_path, seed=False).hint
    assert "whole output" in bootstrap.push_error("ERROR: no", tmp_path, seed=True).hint


def test_a_supabase_that_is_named_by_half_is_not_looked_for_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("DB_URL", "URL", "PUBLISHABLE_KEY", "SECRET_KEY"):
        monkeypatch.delenv(f"SUPABASE_{name}", raising=False)
    monkeypatch.setenv("SUPABASE_URL", "http://127.0.0.1:1")
    with pytest.raises(RowcastError) as caught:
        external.find_project()
    assert caught.value.message == (
        "SUPABASE_URL is set but SUPABASE_DB_URL, SUPABASE_PUBLISHABLE_KEY, SUPABASE_SECRET_KEY"
        " are not"
    )
