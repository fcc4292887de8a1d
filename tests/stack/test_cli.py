"""The command line as a user has it: real processes, a home and a port block for each test."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from rowcast.stack import install
from rowcast.stack.paths import CHECKOUT
from rowcast.stack.stack import port_is_free
from rowcast.stack.state import Ports
from rowcast.stack.temporary import free_port_block, temporary_home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.stack


@dataclass(frozen=True, slots=True)
class Shell:
    """Runs ./rowcast for one home."""

    home: Path
    port: int

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run to the end and keep the output."""
        return subprocess.run(
            [CHECKOUT / "rowcast", *arguments],
            env=self.environment(variables),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def environment(self, variables: dict[str, str]) -> dict[str, str]:
        """A caller who has set nothing but the home."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("ROWCAST_")}
        uv = {"ROWCAST_UV": os.environ["ROWCAST_UV"]} if "ROWCAST_UV" in os.environ else {}
        return {**kept, **uv, "ROWCAST_HOME": str(self.home), **variables}

    def up(self) -> subprocess.CompletedProcess[str]:
        """Start detached, and insist that it works."""
        done = self.run("up", "--detach", "--port", str(self.port))
        assert done.returncode == 0, done.stderr
        return done

    def status(self) -> dict[str, Any]:
        """What `status --json` prints."""
        content: dict[str, Any] = json.loads(self.run("status", "--json").stdout)
        return content

    def pids(self) -> dict[str, int]:
        """Process id by program name."""
        from rowcast.stack.stack import Stack

        return {p.name: p.pid for p in Stack(self.home).status().processes}


@pytest.fixture
def shell() -> Iterator[Shell]:
    """A home of the test's own, stopped at the end."""
    install.ensure(print)
    with temporary_home() as home:
        made = Shell(home, free_port_block())
        yield made
        made.run("down")


@pytest.fixture(scope="module")
def running() -> Iterator[Shell]:
    """A stack that several tests look at, and leave running."""
    install.ensure(print)
    with temporary_home() as home:
        made = Shell(home, free_port_block())
        made.up()
        yield made
        made.run("down")


def wait_until(condition: Callable[[], bool], seconds: float = 15) -> None:
    """Poll, since what is waited for happens in another process."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def all_ports_free(port: int) -> bool:
    return all(port_is_free(each) for each in Ports(port).all())


def test_up_twice_is_harmless(running: Shell) -> None:
    before = running.pids()
    again = running.run("up", "--detach")
    assert again.returncode == 0
    assert running.status()["publishable_key"] in again.stdout
    assert running.pids() == before
    assert "starting PostgreSQL" not in again.stderr


def test_one_process_stops_and_starts(running: Shell) -> None:
    for name, path in (("service", "/ready"), ("postgres", "")):
        before = running.pids()
        assert running.run("stop", name).returncode == 0
        assert running.pids()[name] == 0
        assert running.run("start", name).returncode == 0
        assert running.pids()[name] not in (0, before[name])
        if path:
            with urllib.request.urlopen(running.status()["service_url"] + path, timeout=5) as got:
                assert got.status == 200
    with psycopg.connect(running.status()["db_url"]) as connection:
        assert connection.execute("select 1").fetchone() == (1,)


@pytest.mark.parametrize("command", ["start", "stop"])
def test_an_unknown_process_is_one_line_with_the_known_ones(running: Shell, command: str) -> None:
    done = running.run(command, "mainframe")
    assert done.returncode == 1
    (line,) = (line for line in done.stderr.splitlines() if "mainframe" in line and "error" in line)
    assert "known: auth, functions, gateway, postgres, rest, service" in line


def test_a_first_start_leaves_no_complaint_in_the_gateways_log(running: Shell) -> None:
    text = (running.home / "logs/gateway.log").read_text()
    assert "_standin_partitions" not in text
    assert "Traceback" not in text


def test_status_names_addresses_and_keys(running: Shell) -> None:
    status = running.status()
    assert status["running"] is True
    assert status["api_url"] == f"http://127.0.0.1:{running.port}"
    assert status["service_url"] == f"http://127.0.0.1:{running.port + 6}"
    assert status["publishable_key"].startswith("sb_publishable_")
    assert status["secret_key"].startswith("sb_secret_")
    with psycopg.connect(status["db_url"]) as connection:
        assert connection.info.user == "postgres"
    with urllib.request.urlopen(status["api_url"] + "/health", timeout=5) as answer:
        assert answer.status == 200


def test_secrets_are_readable_by_their_owner_only(running: Shell) -> None:
    for name in ("state.json", "supervisord.conf", "auth/supabase/config.toml"):
        assert (running.home / name).stat().st_mode & 0o077 == 0, name


def test_psql_is_role_postgres(running: Shell) -> None:
    done = running.run("psql", "-Atc", "select current_user")
    assert done.stdout == "postgres\n"


def test_an_unknown_process_has_no_logs(running: Shell) -> None:
    done = running.run("logs", "mainframe")
    assert done.returncode == 1
    assert "no process named mainframe" in done.stderr


def test_a_busy_port_is_one_clear_line(running: Shell, shell: Shell) -> None:
    done = shell.run("up", "--detach", "--port", str(running.port))
    assert done.returncode == 1
    assert f"port {running.port} is in use" in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


def test_another_port_while_running_is_refused(running: Shell) -> None:
    done = running.run("up", "--detach", "--port", str(running.port + 1000))
    assert done.returncode == 1
    assert f"already runs on port {running.port}" in done.stderr


def test_a_killed_process_is_started_again(running: Shell) -> None:
    old = running.pids()["rest"]
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: running.pids()["rest"] not in (0, old))
    assert running.run("status").returncode == 0


def test_two_homes_run_side_by_side_and_keep_their_data(running: Shell, shell: Shell) -> None:
    shell.up()
    mine, theirs = shell.status(), running.status()
    assert mine["publishable_key"] != theirs["publishable_key"]
    with psycopg.connect(mine["db_url"], autocommit=True) as connection:
        connection.execute("create table public.kept (kept_id int)")
    with psycopg.connect(theirs["db_url"]) as connection:
        assert connection.execute("select to_regclass('public.kept')").fetchone() == (None,)

    assert shell.run("down").returncode == 0
    assert all_ports_free(shell.port)
    assert shell.run("status").returncode == 1
    assert running.run("status").returncode == 0

    shell.run("up", "--detach")
    # A process may still be STARTING in one of the two.
    assert shell.status() | {"processes": {}} == mine | {"processes": {}}
    with psycopg.connect(mine["db_url"]) as connection:
        assert connection.execute("select to_regclass('public.kept')").fetchone() == ("kept",)


def test_ctrl_c_stops_everything(shell: Shell) -> None:
    process = subprocess.Popen(
        [CHECKOUT / "rowcast", "up", "--port", str(shell.port)],
        env=shell.environment({}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        assert process.stdout
        seen = next(line for line in process.stdout if "Ctrl-C" in line or "error" in line)
        assert "Ctrl-C" in seen
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert all_ports_free(shell.port)


def test_what_a_killed_supervisor_left_behind_is_cleared(shell: Shell) -> None:
    shell.up()
    supervisor = int((shell.home / "supervisord.pid").read_text())
    os.kill(supervisor, signal.SIGKILL)
    assert shell.run("status").returncode == 1
    shell.up()
    assert shell.run("status").returncode == 0


def test_a_process_that_dies_while_starting_is_named(shell: Shell) -> None:
    done = shell.run("up", "--detach", "--port", str(shell.port), ROWCAST_LOG_LEVEL="LOUD")
    assert done.returncode == 1
    assert "service stopped while starting" in done.stderr
    assert "ROWCAST_LOG_LEVEL" in done.stderr
    assert "Traceback" not in done.stderr
    assert all_ports_free(shell.port)


def test_a_port_outside_the_stack_is_not_touched(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", shell.port + 4)):
        done = shell.run("up", "--detach", "--port", str(shell.port))
        assert done.returncode == 1
        assert f"port {shell.port + 4} is in use" in done.stderr
