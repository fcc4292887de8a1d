"""The stack's processes under supervisord: its configuration, and the calls that start and stop.

supervisord restarts what dies and rotates logs; it listens on a unix socket in the state folder.
Boot and stop order are decided here and in stack.py, because supervisord knows no dependencies.
"""

from __future__ import annotations

import http.client
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import xmlrpc.client
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from rowcast.errors import RowcastError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rowcast.stack.paths import Home

# Children see these of the caller's environment, and what their program names; nothing else.
_INHERITED = (
    "HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "TMPDIR", "TZ", "USER",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
)  # fmt: skip

# Marks every process of a stack, so that those a killed supervisord left behind can be found.
_MARKER = "ROWCAST_STACK_HOME"

RUNNING = ("STARTING", "RUNNING")
DEAD = ("BACKOFF", "EXITED", "FATAL", "UNKNOWN")
RETRIED = ("BACKOFF", "EXITED")

_PORT_TAKEN = re.compile(r"\[Errno 98\]|EADDRINUSE|address already in use", re.IGNORECASE)
_ERROR = re.compile(r'"level": ?"error"|\[Errno|address already in use', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Program:
    """One supervised process. Programs with a higher `rank` stop before those with a lower one."""

    name: str
    command: Sequence[str | Path]
    environment: Mapping[str, str] = field(default_factory=dict)
    rank: int = 10
    stop_signal: str = "TERM"
    stop_seconds: int = 5
    user: str | None = None
    directory: Path | None = None


@dataclass(frozen=True, slots=True)
class ProcessState:
    """A process as supervisord sees it; `state` is one of its words (RUNNING, FATAL, …)."""

    name: str
    state: str
    pid: int
    started: int

    @property
    def up(self) -> bool:
        """Whether it runs or is just starting."""
        return self.state in RUNNING


class Supervisor:
    """supervisord of one stack: start it, ask it, stop it."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._child: subprocess.Popen[bytes] | None = None
        self._log_starts: dict[str, int] = {}

    def alive(self) -> bool:
        """Whether supervisord answers; a socket file without a listener counts as dead."""
        try:
            self._call("getState")
        except (OSError, xmlrpc.client.Error):
            return False
        return True

    def launch(self, programs: Iterable[Program]) -> None:
        """Start supervisord with every program known and none started."""
        home = self._home
        _write_private(home.supervisor_config, _config(home, programs))
        home.socket.unlink(missing_ok=True)
        environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        environment[_MARKER] = str(home.root)
        command = [sys.executable, "-m", "supervisor.supervisord"]
        command += ["--nodaemon", "--configuration", str(home.supervisor_config)]
        with home.log("supervisord-output").open("wb") as output:
            child = self._child = subprocess.Popen(
                command,
                cwd=home.root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C in a terminal must not reach it: we stop in order
            )
        deadline = time.monotonic() + 10
        while not self.alive():
            if child.poll() is not None or time.monotonic() > deadline:
                line = last_line(home.log("supervisord-output"))
                raise RowcastError(f"supervisord did not start: {line}")
            time.sleep(0.02)

    def start(self, *names: str) -> None:
        """Start programs without waiting for them; those that run are left alone."""
        for name in names:
            size = _size(self._home.log(name))
            try:
                self._call("startProcess", name, False)
            except xmlrpc.client.Fault as fault:
                if "ALREADY_STARTED" not in fault.faultString:
                    line = last_line(self._home.log(name)) or fault.faultString
                    raise RowcastError(f"{name} did not start: {line}") from fault
            else:
                self._log_starts[name] = size

    def last_words(self, name: str) -> str:
        """The line that says why a program ended, of what it wrote since it was started here."""
        return last_line(self._home.log(name), self._log_starts.get(name, 0))

    def stop(self, names: Iterable[str], time_limit: float) -> None:
        """Stop programs together and wait until they are gone (supervisord kills the stubborn)."""
        waiting = set(names)
        for name in waiting:
            try:
                self._call("stopProcess", name, False)
            except xmlrpc.client.Fault as fault:
                if "NOT_RUNNING" not in fault.faultString:
                    raise
        deadline = time.monotonic() + time_limit
        while time.monotonic() < deadline:
            if not any(
                p.up or p.state == "STOPPING" for p in self.processes() if p.name in waiting
            ):
                return
            time.sleep(0.02)

    def shutdown(self) -> None:
        """End supervisord itself, and wait for it."""
        try:
            pid = int(cast("int", self._call("getPID")))
            self._call("shutdown")
        except (OSError, xmlrpc.client.Error):
            return
        _wait_gone([pid], 10)
        if self._child is not None:
            self._child.wait(10)

    def processes(self) -> list[ProcessState]:
        """Every program's state; also makes supervisord notice children that just died."""
        rows = cast("list[dict[str, Any]]", self._call("getAllProcessInfo"))
        return [
            ProcessState(row["name"], row["statename"], row["pid"], row["start"]) for row in rows
        ]

    def _call(self, method: str, *arguments: Any) -> object:
        from supervisor.xmlrpc import SupervisorTransport

        transport = SupervisorTransport(None, None, f"unix://{self._home.socket}")
        server: Any = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)
        try:
            return cast("object", getattr(server.supervisor, method)(*arguments))
        except http.client.HTTPException as error:
            raise ConnectionError(str(error)) from error
        finally:
            transport.close()


def last_line(log: Path, start: int = 0) -> str:
    """The line of a log that says why it ended: our own error line, an error, else the last one.

    Only what comes after the first `start` bytes counts, unless the log was rotated since.
    """
    try:
        content = log.read_bytes()
    except OSError:
        return "no output"
    if start <= len(content):
        content = content[start:]
    lines = content[-8000:].decode(errors="replace").splitlines()
    said = [line.strip() for line in lines if line.strip()] or ["no output"]
    ours = [line for line in said[-3:] if line.startswith(("rowcast:", "error:"))]
    errors = [line for line in said[-30:] if _ERROR.search(line)]
    return (ours or errors or said)[-1]


def port_was_taken(line: str) -> bool:
    """Whether a program's last words say that another one listens on its port."""
    return _PORT_TAKEN.search(line) is not None


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def end_orphans(home: Home) -> None:
    """End what a killed supervisord left running: PostgreSQL by fast shutdown, the rest by TERM."""
    orphans = _marked(home)
    for pid in orphans:
        _signal(pid, signal.SIGINT if _executable(pid) == "postgres" else signal.SIGTERM)
    for pid in _wait_gone(orphans, 8):
        _signal(pid, signal.SIGKILL)
    _wait_gone(orphans, 2)


def _marked(home: Home) -> list[int]:
    wanted = f"{_MARKER}={home.root}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            variables = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if wanted in variables:
            found.append(int(entry.name))
    return found


def _executable(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/exe").readlink().name
    except OSError:
        return ""


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _wait_gone(pids: Iterable[int], time_limit: float) -> list[int]:
    """Wait for processes to end; returns those that did not."""
    deadline = time.monotonic() + time_limit
    left = list(pids)
    while left and time.monotonic() < deadline:
        left = [pid for pid in left if _runs(pid)]
        if left:
            time.sleep(0.02)
    return left


def _runs(pid: int) -> bool:
    """Whether a process exists and is no zombie waiting for its parent."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in ("Z", "X")


def _write_private(file: Path, text: str) -> None:
    file.unlink(missing_ok=True)
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as output:
        output.write(text)


def _config(home: Home, programs: Iterable[Program]) -> str:
    lines = [
        "[supervisord]",
        f"logfile = {_plain(home.log('supervisord'))}",
        "logfile_maxbytes = 5MB",
        "logfile_backups = 1",
        f"pidfile = {_plain(home.root / 'supervisord.pid')}",
        "umask = 077",
        *(["user = root"] if os.geteuid() == 0 else []),
        "[unix_http_server]",
        f"file = {_plain(home.socket)}",
        "chmod = 0700",
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
    ]
    for program in programs:
        lines += _section(home, program)
    return "\n".join(lines) + "\n"


def _section(home: Home, program: Program) -> list[str]:
    return [
        f"[program:{program.name}]",
        f"command = {_plain(shlex.join(str(part) for part in program.command))}",
        f"directory = {_plain(program.directory or home.root)}",
        f"environment = {','.join(_variable(*pair) for pair in program.environment.items())}",
        f"priority = {program.rank}",
        "autostart = false",
        "autorestart = true",  # a server that ends by itself is never expected
        "startsecs = 1",
        "startretries = 5",
        f"stopsignal = {program.stop_signal}",
        f"stopwaitsecs = {program.stop_seconds}",
        "redirect_stderr = true",
        f"stdout_logfile = {_plain(home.log(program.name))}",
        "stdout_logfile_maxbytes = 10MB",
        "stdout_logfile_backups = 3",
        *([f"user = {program.user}"] if program.user else []),
    ]


def _plain(value: object) -> str:
    """supervisord expands %(name)s in every value."""
    return str(value).replace("%", "%%")


def _variable(name: str, value: str) -> str:
    quote = "'" if '"' in value else '"'
    if quote in value or "\n" in value:
        raise RowcastError(f"{name} holds quotes or a line break, which supervisord cannot pass on")
    return f"{name}={quote}{_plain(value)}{quote}"
