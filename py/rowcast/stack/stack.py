"""One embedded stack: start it in order, ask how it is, stop it in order."""

from __future__ import annotations

import fcntl
import http.client
import shutil
import socket
import time
import xmlrpc.client
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rowcast.errors import RowcastError
from rowcast.stack import bootstrap, install, paths, postgres, programs, state
from rowcast.stack.paths import Home
from rowcast.stack.processes import (
    DEAD,
    RETRIED,
    ProcessState,
    Supervisor,
    end_orphans,
    port_was_taken,
)
from rowcast.stack.state import DEFAULT_PORT, State

Report = Callable[[str], None]

_TIME_LIMIT = 60.0
_POLL = 0.02
_CLOSING_SECONDS = 65.0
_STOP_ORDER = (("service",), ("functions", "gateway", "rest", "auth"), ("postgres",))


def _silent(_: str) -> None:
    """Report nothing."""


@dataclass(frozen=True, slots=True)
class Status:
    """Where the stack is, its keys, and how each process does."""

    running: bool
    api_url: str
    db_url: str
    admin_db_url: str
    service_url: str
    publishable_key: str
    secret_key: str
    jwt_secret: str
    webhook_secret: str
    database_webhook_secret: str
    processes: tuple[ProcessState, ...]

    @property
    def down(self) -> tuple[str, ...]:
        """Names of the processes that do not run."""
        return tuple(process.name for process in self.processes if not process.up)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return asdict(self)


class Stack:
    """The stack whose state lives in `home`.

    `base_port` None means: the port recorded there, else the default. `service_environment` is
    added to the service's variables (tests use it).
    """

    def __init__(
        self,
        home: Path,
        base_port: int | None = None,
        service_environment: Mapping[str, str] | None = None,
    ) -> None:
        self.home = Home.at(home)
        self.supervisor = Supervisor(self.home)
        self._base_port = base_port
        self._service_environment = service_environment
        self.state = state.load(self.home.state_file) or State(base_port or DEFAULT_PORT)

    def start(self, service: bool = True, on_step: Report = _silent) -> Status:
        """Start what does not run yet; on failure, stop what this call started and raise."""
        install.ensure(on_step)
        self.home.create()
        with self.exclusive():
            fresh = not self.supervisor.alive()
            if fresh:
                self._claim_ports(on_step)
            elif self.state.external:
                raise RowcastError(
                    "the service runs beside a real Supabase", "./rowcast down first"
                )
            elif self._base_port not in (None, self.state.base_port):
                raise RowcastError(
                    f"this stack already runs on port {self.state.base_port}",
                    "`./rowcast down` first, then start it on the other port",
                )
            try:
                self._boot(service, fresh, on_step)
            except BaseException:
                if fresh:
                    self._stop()
                raise
            return self.status()

    def stop(self) -> bool:
        """Stop everything, PostgreSQL last; False when nothing ran. The data stays."""
        if not self.home.root.exists():
            return False
        with self.exclusive():
            return self._stop()

    def start_process(self, name: str) -> None:
        """Start one process of the running stack and wait until it answers."""
        with self._one_process(name):
            self.supervisor.start(name)
            self.wait_for(name)

    def stop_process(self, name: str) -> None:
        """Stop one process of the running stack; the others stay, whatever they need of it."""
        with self._one_process(name):
            self.supervisor.stop([name], time_limit=35)

    @contextmanager
    def _one_process(self, name: str) -> Iterator[None]:
        known = sorted(process.name for process in self.status().processes)
        if not known:
            raise RowcastError("the stack is not running", "./rowcast up --detach")
        if name not in known:
            raise RowcastError(f"no process named {name}; known: {', '.join(known)}")
        with self.exclusive():
            yield

    def destroy(self) -> None:
        """Stop, then remove the database and stored objects; ports and keys stay."""
        if not self.home.root.exists():
            return
        # One lock over both: a start that waits for it must not find a cluster about to go.
        with self.exclusive():
            self._stop()
            for folder in (self.home.data, self.home.auth):
                shutil.rmtree(folder, ignore_errors=True)
            if self.home.state_file.exists():
                self.state.applied = {}
                self.save()

    def status(self) -> Status:
        """Addresses and keys, with the processes as they are now (none when stopped)."""
        known = self.state
        ports = known.ports
        external = known.external
        try:
            found = tuple(self.supervisor.processes())
        except (OSError, xmlrpc.client.Error):
            found = ()
        return Status(
            running=bool(found),
            api_url=external.get("api_url") or f"http://127.0.0.1:{ports.gateway}",
            db_url=external.get("db_url") or known.database_url("postgres"),
            admin_db_url=external.get("db_url") or known.database_url(postgres.SUPERUSER),
            service_url=external.get("service_url") or f"http://127.0.0.1:{ports.service}",
            publishable_key=external.get("publishable_key") or known.publishable_key,
            secret_key=external.get("secret_key") or known.secret_key,
            jwt_secret=known.jwt_secret,
            webhook_secret=known.webhook_secret,
            database_webhook_secret=known.database_webhook_secret,
            processes=found,
        )

    def wait_until_ready(self) -> None:
        """Wait until everything that was started answers, e.g. after the database went away."""
        names = [process.name for process in self.supervisor.processes() if process.up]
        self.wait_ready(self._health(*(name for name in names if name != "postgres")))

    def save(self) -> None:
        """Write state.json."""
        state.save(self.home.state_file, self.state)

    # Boot: what does not depend on another part starts at once, the rest as soon as it may.

    def _boot(self, service: bool, fresh: bool, on_step: Report) -> None:
        if fresh:
            created = self._launch(on_step)
            if created:
                self.state.applied = {}
            self.save()
        self.supervisor.start("postgres", "gateway", "functions")
        admin_url = self.state.database_url(postgres.SUPERUSER)
        if not postgres.accepts_connections(admin_url):
            on_step("starting PostgreSQL")
            self.wait_for("postgres")
        self._prepare_platform(admin_url, on_step)
        on_step("applying migrations")
        bootstrap.migrate(
            self.state.database_url("postgres"),
            self.state.applied,
            self.home.log("migrations"),
            on_step,
        )
        self._prepare_service(admin_url, on_step)
        self.save()
        names = ["auth", "rest", "gateway", "functions", *(["service"] if service else [])]
        self.supervisor.start("rest", *(["service"] if service else []))
        on_step("waiting for " + ", ".join(names))
        self.wait_ready(self._health(*names))

    def _launch(self, on_step: Report) -> bool:
        """Write the configuration; start supervisord while initdb runs."""
        if self.state.external:  # what is recorded is about another database
            self.state.external, self.state.applied = {}, {}
        self.save()
        self.home.auth.mkdir(mode=0o700, exist_ok=True)
        programs.write_auth_config(self.home, self.state)
        every = programs.embedded(self.home, self.state, self._service_environment)
        if not self.home.data.exists():
            on_step("creating the database cluster")
        with ThreadPoolExecutor(1) as pool:
            created = pool.submit(postgres.create_cluster, self.home, self.state)
            self.supervisor.launch(every.values())
            self.supervisor.start("gateway", "functions")
            return created.result()

    def _prepare_platform(self, admin_url: str, on_step: Report) -> None:
        """Stand-ins, then Auth (which makes its tables), then what builds on those tables."""
        wanted = bootstrap.platform_hash()
        if self.state.applied.get("platform") == wanted:
            self.supervisor.start("auth")
            return
        on_step("preparing the platform's schemas")
        with postgres.connect(admin_url) as connection:
            bootstrap.run_platform_sql(connection, "before_auth")
            bootstrap.set_login_passwords(connection, self.state.database_password)
            self.supervisor.start("auth")
            self.wait_ready(self._health("auth"))
            bootstrap.run_platform_sql(connection, "after_auth")
        self.state.applied["platform"] = wanted

    def _prepare_service(self, admin_url: str, warn: Report) -> None:
        vault = {
            "rowcast_service_url": f"http://127.0.0.1:{self.state.ports.service}",
            "rowcast_webhook_secret": self.state.webhook_secret,
            "rowcast_functions_url": f"http://127.0.0.1:{self.state.ports.gateway}/functions/v1",
            "rowcast_erasure_secret": self.state.erasure_secret,
        }
        with postgres.connect(admin_url) as connection:
            warning = bootstrap.prepare_service(connection, self.state.service_password, vault)
        if warning:
            warn(warning)

    def _health(self, *names: str) -> dict[str, str]:
        urls = programs.health_urls(self.state)
        return {name: urls[name] for name in names}

    def wait_for(self, name: str) -> None:
        """Wait until one process answers."""
        if name == "postgres":
            url = self.state.database_url(postgres.SUPERUSER)
            self._wait(name, lambda: postgres.accepts_connections(url))
        else:
            self.wait_ready(self._health(name))

    def wait_ready(self, health: Mapping[str, str]) -> None:
        """Wait until each program (name → health URL) answers."""
        for name, url in health.items():
            self._wait(name, partial(self._answers, url))

    def _wait(self, name: str, ready: Callable[[], bool]) -> None:
        """Poll `ready`; a program that died meanwhile fails at once with its last words.

        But one whose port was taken is left to supervisord's retries: who holds it may let go.
        """
        deadline = time.monotonic() + _TIME_LIMIT
        while not ready():
            hint = f"log: {self.home.log(name)}"
            if self._given_up(name):
                line = self.supervisor.last_words(name)
                raise RowcastError(f"{name} stopped while starting: {line}", hint)
            if time.monotonic() > deadline:
                line = self.supervisor.last_words(name)
                raise RowcastError(f"{name} was not ready within {_TIME_LIMIT:.0f} s: {line}", hint)
            time.sleep(_POLL)

    def _given_up(self, name: str) -> bool:
        found = [p.state for p in self.supervisor.processes() if p.name == name]
        if not found or found[0] not in DEAD:
            return False
        return found[0] not in RETRIED or not port_was_taken(self.supervisor.last_words(name))

    def _answers(self, url: str) -> bool:
        parts = urlsplit(url)
        assert parts.hostname
        assert parts.port
        try:
            if parts.scheme == "tcp":
                socket.create_connection((parts.hostname, parts.port), timeout=1).close()
                return True
            headers = {"apikey": self.state.publishable_key}
            client = http.client.HTTPConnection(parts.hostname, parts.port, timeout=2)
            with closing(client) as connection:
                connection.request("GET", parts.path, headers=headers)
                return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False

    def _claim_ports(self, on_step: Report) -> None:
        """Choose the port block; end leftovers of this stack, then insist that it is free."""
        if self._base_port is not None:
            self.state.base_port = self._base_port
        end_orphans(self.home)
        for port in self.state.ports.all():
            if not self._becomes_free(port, on_step):
                raise RowcastError(
                    f"port {port} is in use (the stack needs {self.state.base_port} and the six"
                    " ports after it)",
                    "stop what listens there, or choose another block: ./rowcast up --port"
                    f" {self.state.base_port + 100}",
                )

    def _becomes_free(self, port: int, on_step: Report) -> bool:
        """Whether the port can be had, if need be after a closing connection lets go of it.

        The default block lies where the system picks ports for outgoing connections, and one that
        was closed keeps its port for a minute.
        """
        if port_is_free(port):
            return True
        on_step(f"port {port} is taken; waiting in case a closing connection holds it")
        deadline = time.monotonic() + _CLOSING_SECONDS
        while not self._answers(f"tcp://127.0.0.1:{port}") and time.monotonic() < deadline:
            if port_is_free(port):
                return True
            time.sleep(0.5)
        return False

    def _stop(self) -> bool:
        alive = self.supervisor.alive()
        if alive:
            present = {process.name for process in self.supervisor.processes()}
            for names in _STOP_ORDER:
                self.supervisor.stop(present.intersection(names), time_limit=35)
            self.supervisor.shutdown()
        end_orphans(self.home)
        self.home.socket.unlink(missing_ok=True)
        return alive

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """One start or stop of this stack at a time, across processes."""
        with (self.home.root / "stack.lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            # Another process may have made or changed the state while we waited.
            self.state = state.load(self.home.state_file) or self.state
            yield


def port_is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def default_stack(base_port: int | None = None) -> Stack:
    """The stack of this checkout (or of ROWCAST_HOME)."""
    return Stack(paths.default_home(), base_port)
