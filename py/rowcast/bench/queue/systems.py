"""What is compared: how each system is installed in a database, and how its worker is run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg

from rowcast.bench.queue.database import Connection, Server, Wrong, one
from rowcast.bench.queue.environment import PEERS, Environment
from rowcast.errors import RowcastError
from rowcast.stack import install, paths
from rowcast.stack.temporary import free_port_block

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

OURS = "ours"
NONE = "no trigger"
BEST = 0
"""As a batch size: the one that the system's author, or our measurement of it, found best."""

_ATTACH = """
create function public.apply_item_score(p_row_keys text[], p_outputs jsonb[], p_model_version text)
returns void language plpgsql set search_path = '' as $$
begin
  update public.items as i set score = (o.output ->> 'score')::double precision
  from unnest(p_row_keys, p_outputs) as o (row_key, output)
  where i.id = o.row_key::bigint;
end
$$;
select ml.attach(
  p_name => 'item_score', p_table => 'public.items', p_model => 'echo',
  p_input => $$jsonb_build_object('x', t.x)$$, p_watch => array['x'],
  p_apply => 'public.apply_item_score'
);
"""


_BOUNDED = "-c statement_timeout=10min"
_RECEIPTS = "select count(*), count(distinct row_key) from public.predictions where status = 'done'"


@dataclass(frozen=True, slots=True)
class System:
    """One contender.

    `file` is its worker in `peers/` (none for ours); `queue` the table that a claim must lock;
    `waiting` counts the jobs that are owed; `best` is the batch size for the figures at best batch.
    """

    name: str
    title: str
    queue: str = ""
    waiting: str = ""
    file: str = ""
    package: str = ""
    best: int = 0
    batched: bool = True
    variant: str = ""

    @property
    def language(self) -> str:
        """Of the worker: python, node, or empty where nothing needs to be installed."""
        return {".py": "python", "mjs": "node"}.get(self.file[-3:], "")

    @property
    def template(self) -> str:
        """The database that this system's cells are cloned from."""
        return "bench_" + self.name.replace("-", "_").replace(" ", "_")


def _pgmq(name: str, title: str, variant: str) -> System:
    waiting = "select count(*) from pgmq.q_scores"
    return System(
        name, title, "pgmq.q_scores", waiting, "pgmq_worker.py", "pgmq", best=500, variant=variant
    )


def known_systems(batch: int) -> dict[str, System]:
    """All by name; `batch` is what ours takes at its best."""
    waiting = "select count(*) from "
    todo = " where status in ('todo', 'doing')"
    systems = (
        System(OURS, "rowcast", "ml.jobs", waiting + "ml.queue", best=batch),
        _pgmq("pgmq", "pgmq (SQL 1.13.0), bare loop, polls every 100 ms", ""),
        _pgmq("pgmq-notify", "the same, notified at every insert", "notify"),
        System(
            "procrastinate", "procrastinate, concurrency 20", "procrastinate_jobs",
            waiting + "procrastinate_jobs" + todo, "procrastinate_worker.py", "procrastinate",
            batched=False,
        ),
        System(
            "graphile-worker", "graphile-worker, localQueue 500, batched complete",
            "graphile_worker._private_jobs", waiting + "graphile_worker._private_jobs",
            "graphile_worker.mjs", "graphile-worker", best=500, batched=False,
        ),
        System(
            "graphile-grouped", "the same, 250 handlers at a time that write together",
            "graphile_worker._private_jobs", waiting + "graphile_worker._private_jobs",
            "graphile_worker.mjs", "graphile-worker", best=500, variant="grouped",
        ),
        System(
            "pg-boss", "pg-boss, batch 1000, four loops, notify", "pgboss.job",
            waiting + "pgboss.job where state < 'completed'", "pgboss_worker.mjs", "pg-boss",
            best=1000,
        ),
        System(NONE, "no trigger, no worker"),
    )  # fmt: skip
    return {system.name: system for system in systems}


@dataclass(frozen=True, slots=True)
class Bench:
    """All that a cell needs."""

    server: Server
    environment: Environment

    # -- installing --------------------------------------------------------------------------------

    def install(self, system: System) -> None:
        """Make the system's template; raises `RowcastError` when the peer refuses."""
        url = self.server.make_template(system.template)
        if system.name == NONE:
            return
        if system.name == OURS:
            with psycopg.connect(url) as connection:
                connection.execute(_ATTACH)
            return
        self._install_peer(system, url)
        with psycopg.connect(url) as connection:
            trigger = (PEERS / system.file).with_suffix(".sql").read_text()
            connection.execute(trigger.encode())

    def _install_peer(self, system: System, url: str) -> None:
        done = subprocess.run(
            self.environment.command(system.file, "install"),
            env=_peer_environment(system, url, BEST), capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no output"])[-1]
            raise RowcastError(f"{system.name} could not be installed in a database: {last}")

    @contextmanager
    def cell(self, system: System) -> Iterator[tuple[str, Connection]]:
        """A fresh database of the system: its name, and an autocommit session as its owner."""
        with self.server.fresh(system.template) as name:
            url = self.server.url(name)
            connection = psycopg.connect(url, autocommit=True, options=_BOUNDED)
            try:
                yield name, connection
            finally:
                connection.close()

    # -- working -----------------------------------------------------------------------------------

    @contextmanager
    def working(
        self,
        system: System,
        database: str,
        batch: int = BEST,
        processes: int = 1,
        extra: Mapping[str, str] | None = None,
    ) -> Iterator[list[int]]:
        """Run the system's worker processes; yields their ids."""
        size = batch or system.best
        if system.name == OURS:
            with psycopg.connect(self.server.url(database)) as connection:
                connection.execute("update ml.models set batch_size = %s", [size])
        started: list[subprocess.Popen[bytes]] = []
        log = self.server.stack.home.log("bench-worker")
        try:
            with log.open("wb") as output:
                for _ in range(processes):
                    command, environment = self._worker(system, database, size)
                    started.append(
                        subprocess.Popen(
                            command, env={**environment, **(extra or {})}, cwd=paths.CHECKOUT,
                            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                            start_new_session=True,
                        )
                    )  # fmt: skip
            try:
                yield [process.pid for process in started]
            except Wrong:
                _check_alive(started, log)  # said first, because it explains the other
                raise
            _check_alive(started, log)
        finally:
            _stop(started)

    def _worker(self, system: System, database: str, size: int) -> tuple[list[str], dict[str, str]]:
        if system.name != OURS:
            url = self.server.url(database)
            return self.environment.command(system.file, "work"), _peer_environment(
                system, url, size
            )
        state = self.server.stack.state
        return [sys.executable, "-m", "rowcast.service"], {
            **os.environ,
            **install.openmp_environment(),
            "PYTHONPATH": str(paths.CHECKOUT / "py"),
            "ROWCAST_DB_URL": self.server.url(database, "rowcast_service"),
            "ROWCAST_SECRET_KEY": state.secret_key,
            "ROWCAST_WEBHOOK_SECRETS": state.webhook_secret,
            "ROWCAST_DATABASE_WEBHOOK_SECRET": state.database_webhook_secret,
            "ROWCAST_MODELS": "echo",
            "ROWCAST_HOST": "127.0.0.1",
            "ROWCAST_PORT": str(free_port_block()),
            "ROWCAST_CLAIM_LIMIT": str(size),
            # Every worker here is as silent as its author lets it be.
            "ROWCAST_LOG_LEVEL": "WARNING",
        }


def warm_up(connection: Connection, rows: int = 20, seconds: float = 30) -> None:
    """Insert rows one by one until each is scored: the worker is up, connected and idle again."""
    for _ in range(rows):
        key = one(connection, "insert into public.items (x) values (1) returning id")
        deadline = time.monotonic() + seconds
        while one(connection, "select score is null from public.items where id = %s", key):
            if time.monotonic() > deadline:
                raise Wrong("the worker did not answer a first row")
            time.sleep(0.005)


def check_settled(system: System, connection: Connection, jobs: int, seconds: float = 10) -> None:
    """The queue is empty again, and ours left exactly one receipt for each job; else `Wrong`."""
    deadline = time.monotonic() + seconds
    while left := one(connection, system.waiting):
        if time.monotonic() > deadline:
            raise Wrong(f"{left} jobs stayed in the queue")
        time.sleep(0.05)
    if system.name == OURS:
        receipts = connection.execute(_RECEIPTS).fetchone()
        if receipts != (jobs, jobs):
            raise Wrong(f"{receipts} receipts and distinct rows for {jobs} jobs")


def _peer_environment(system: System, url: str, batch: int) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", ""),
        "DATABASE_URL": url,
        "BENCH_BATCH": str(batch),
        "BENCH_VARIANT": system.variant,
    }


def _stop(started: list[subprocess.Popen[bytes]]) -> None:
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    for process in started:
        try:
            process.wait(timeout=8)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _check_alive(started: list[subprocess.Popen[bytes]], log: Path) -> None:
    if any(process.poll() is not None for process in started):
        lines = log.read_text(errors="replace").strip().splitlines() or ["no output"]
        raise Wrong(f"a worker ended by itself: {lines[-1][:200]}")
