"""Latency: from the commit of a single insert to the moment its score can be read."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from rowcast.bench.queue.database import Connection, Wrong, cpu_seconds, one
from rowcast.bench.queue.systems import Bench, System, check_settled, warm_up

if TYPE_CHECKING:
    from collections.abc import Mapping

_GLANCE_SECONDS = 0.0002
_INSERT = "insert into public.items (x) values (%s) returning id"
_SCORED = "select id from public.items where id = any (%s) and score is not null"
_IDLE_SECONDS = 20


def latency(
    bench: Bench,
    system: System,
    inserts: int,
    every_ms: float = 20.0,
    extra: Mapping[str, str] | None = None,
) -> dict[str, float]:
    """Percentiles of one insert every `every_ms` (±50 %, so that no poll falls into step)."""
    with bench.cell(system) as (name, connection), bench.working(system, name, extra=extra):
        warm_up(connection)
        before = one(connection, "select count(*) from public.items")
        found = _watch(connection, inserts, every_ms)
        check_settled(system, connection, before + inserts)
    p50, p95, p99 = np.quantile(found, [0.5, 0.95, 0.99])
    return {"p50 ms": float(p50), "p95 ms": float(p95), "p99 ms": float(p99)}


def idle_cpu(bench: Bench, system: System, extra: Mapping[str, str]) -> dict[str, float]:
    """Share of a core that an idle worker takes, and its backends with it."""
    with bench.cell(system) as (name, connection), bench.working(system, name, extra=extra) as pids:
        warm_up(connection)
        backends = [
            pid for (pid,) in connection.execute(
                "select pid from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
        ]  # fmt: skip
        before = cpu_seconds(pids), cpu_seconds(backends)
        time.sleep(_IDLE_SECONDS)
        used = cpu_seconds(pids) - before[0], cpu_seconds(backends) - before[1]
    return {
        "worker, % of a core": 100 * used[0] / _IDLE_SECONDS,
        "backends, % of a core": 100 * used[1] / _IDLE_SECONDS,
    }


def _watch(connection: Connection, inserts: int, every_ms: float) -> list[float]:
    """One client, one session for all systems alike: insert when it is time, else look by key.

    A look is a primary-key lookup with 0.2 ms between two: fine enough, without taking a core from
    the system under test.
    """
    gaps = np.random.default_rng(7).uniform(0.5, 1.5, inserts) * every_ms / 1000
    due = (time.perf_counter() + np.cumsum(gaps)).tolist()
    waiting: dict[int, float] = {}
    found: list[float] = []
    deadline = due[-1] + 30
    while due or waiting:
        now = time.perf_counter()
        if due and now >= due[0]:
            due.pop(0)
            key = one(connection, _INSERT, float(len(due)))
            waiting[key] = time.perf_counter()
        elif waiting:
            seen = connection.execute(_SCORED, [list(waiting)]).fetchall()
            now = time.perf_counter()
            found.extend(1000 * (now - waiting.pop(key)) for (key,) in seen)
        if now > deadline:
            raise Wrong(f"{len(waiting)} inserts without an answer")
        time.sleep(_GLANCE_SECONDS)
    return found
