"""Real services, forked from a process that has imported everything: one starts in milliseconds."""

from __future__ import annotations

import base64
import multiprocessing
import os
import signal
import socket
from dataclasses import dataclass, field
from multiprocessing import forkserver
from pathlib import Path
from typing import TYPE_CHECKING, Self

import httpx

from rowcast.chaos.model import CALL_MS, FOLDER
from rowcast.chaos.waiting import wait_until
from rowcast.stack.programs import SOURCES

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess

SECRETS = {
    "ROWCAST_SECRET_KEY": "sb_secret_for_chaos_only",
    "ROWCAST_WEBHOOK_SECRETS": "whsec_" + base64.b64encode(b"c" * 32).decode(),
    "ROWCAST_DATABASE_WEBHOOK_SECRET": "a secret of database webhooks",
}
SETTINGS = {
    "ROWCAST_MODELS": "chaos",
    "ROWCAST_CLAIM_LIMIT": "16",
    "ROWCAST_HEARTBEAT_SECONDS": "0.15",
    "ROWCAST_POLL_SECONDS": "0.1",
    "ROWCAST_DRAIN_SECONDS": "1",
}

_context = multiprocessing.get_context("forkserver")


def _start_fork_server() -> None:
    """Once: it imports the service, and is told where from, since it knows no path but its own."""
    _context.set_forkserver_preload(["rowcast.chaos.child"])
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(SOURCES)
    try:
        forkserver.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


@dataclass(slots=True)
class Service:
    """One process of the service."""

    process: ForkServerProcess
    port: int
    folder: Path

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self.process.pid is not None
        return self.process.pid

    def calls(self) -> list[Path]:
        """Its calls of the model just now; during one it holds the lease of what it asks about."""
        return list(self.folder.glob(f"call-{self.pid}-*"))

    def freeze(self) -> None:
        """SIGSTOP, and wait until it takes effect."""
        os.kill(self.pid, signal.SIGSTOP)
        wait_until(lambda: self._state() in "TZ", 5, "the service is stopped")

    def thaw(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> bool:
        """SIGKILL; whether that caught it in a call of the model, and so with a lease."""
        self.freeze()
        held = bool(self.calls())
        self.process.kill()
        self.process.join()
        for call in self.calls():
            call.unlink()
        return held

    def stop(self) -> None:
        """SIGTERM, and wait until it has drained."""
        self.process.terminate()
        self.process.join(15)
        if self.process.is_alive():
            raise TimeoutError(f"service {self.pid} did not stop")

    def get(self, path: str, seconds: float = 10) -> httpx.Response | None:
        """Ask one of its routes; None when it does not answer."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=seconds)
        except httpx.TransportError:
            return None

    def is_ready(self) -> bool:
        """Whether GET /ready says so."""
        answer = self.get("/ready")
        return answer is not None and answer.is_success

    def _state(self) -> str:
        stat = Path(f"/proc/{self.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0]


@dataclass(slots=True)
class Fleet:
    """The services of one database; those that are left at the end are killed."""

    url: str
    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    call_ms: float = 0
    services: list[Service] = field(default_factory=list)

    def __enter__(self) -> Self:
        _start_fork_server()
        return self

    def __exit__(self, *_: object) -> None:
        for service in self.services:
            if service.process.is_alive():
                service.process.kill()
                service.process.join()
            service.process.close()

    @property
    def log(self) -> Path:
        """What the services said."""
        return self.folder / "services.log"

    def start(self, **settings: str) -> Service:
        """Fork a service; `settings` are environment variables of the service, as `url` may be."""
        # Imported here: the fork server itself comes first.
        from rowcast.chaos import child

        port = _free_port()
        environment = {
            **SECRETS,
            **SETTINGS,
            **self.settings,
            "ROWCAST_DB_URL": self.url,
            "ROWCAST_PORT": str(port),
            FOLDER: str(self.folder),
            CALL_MS: str(self.call_ms),
            **settings,
        }
        process = _context.Process(
            target=child.serve, args=(environment, str(self.log)), daemon=True
        )
        process.start()
        service = Service(process, port, self.folder)
        self.services.append(service)
        return service

    def open_gate(self, name: str) -> None:
        """Let calls through that hold for this gate."""
        (self.folder / f"gate-{name}").touch()

    def caller(self, row: int, version: int | None = None, seconds: float = 10) -> Service:
        """The service whose model is being asked about this row; waits until one is."""
        found: list[Service] = []

        def look() -> bool:
            found[:] = [s for s in self.services if s.process.is_alive() and _asks(s, row, version)]
            return bool(found)

        wait_until(look, seconds, f"a service asks its model about row {row}")
        return found[0]


def _asks(service: Service, row: int, version: int | None) -> bool:
    for call in service.calls():
        try:
            items = [tuple(map(int, line.split())) for line in call.read_text().splitlines()]
        except FileNotFoundError:
            continue
        if any(item[0] == row and version in (None, item[1]) for item in items):
            return True
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
