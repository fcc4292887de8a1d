"""Which cells there are, and running them in turn: A, B, … and again A, B, …"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import psycopg

from rowcast.bench.queue import drain, latency, writes
from rowcast.bench.queue.database import Wrong
from rowcast.bench.queue.systems import NONE, OURS, Bench, System
from rowcast.errors import RowcastError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Measure = Callable[[Bench, System], dict[str, float]]

JOBS = 20_000
BACKLOG = 1_000_000
FEW_RUNS = 3  # of cells that take a minute
NO_LISTEN = {"ROWCAST_LISTEN": "off"}


@dataclass(frozen=True, slots=True)
class Cell:
    """One system's measurement of one figure."""

    figure: str
    case: str
    system: System
    measure: Measure
    most_runs: int = 1000


@dataclass(frozen=True, slots=True)
class Sample:
    """What one cell gave in one run: values by metric, or why there are none."""

    figure: str
    case: str
    system: str
    run: int
    values: dict[str, float]
    failure: str = ""


def cells(figures: Iterable[str], systems: dict[str, System]) -> list[Cell]:
    """The cells of these figures for these systems, in the order in which each run takes them."""
    return [cell for figure in figures for cell in FIGURES[figure](systems)]


def run(
    bench: Bench, chosen: list[Cell], runs: int, announce: Callable[[Cell, int], None]
) -> Iterator[Sample]:
    """Measure every cell `runs` times, interleaved; a cell that fails is a sample that says so."""
    for number in range(runs):
        for cell in chosen:
            if number < cell.most_runs:
                announce(cell, number)
                yield _sample(bench, cell, number)


def count(chosen: list[Cell], runs: int) -> int:
    """How many samples `run` yields."""
    return sum(min(runs, cell.most_runs) for cell in chosen)


def _sample(bench: Bench, cell: Cell, number: int) -> Sample:
    key = (cell.figure, cell.case, cell.system.name, number)
    try:
        return Sample(*key, cell.measure(bench, cell.system))
    except (Wrong, RowcastError, psycopg.Error, subprocess.TimeoutExpired, OSError) as fault:
        lines = str(fault).strip().splitlines() or [type(fault).__name__]
        return Sample(*key, {}, failure=lines[0])


# -- the figures -----------------------------------------------------------------------------------


def _drain(systems: dict[str, System]) -> Iterator[Cell]:
    for system in _workers(systems, "grouped"):
        yield Cell("drain", "best batch", system, partial(drain.drain, jobs=JOBS))
    for system in _workers(systems):
        # Peers without batches are shown in their plain form: one job at a time.
        if system.batched or system.best > 1:
            measure = partial(drain.drain, jobs=JOBS, batch=32 if system.batched else 1)
            yield Cell("drain", "batch 32", system, measure)
    for system in _ours(systems):
        measure = partial(drain.drain, jobs=JOBS, processes=2)
        yield Cell("drain", "two processes", system, measure)


def _latency(systems: dict[str, System]) -> Iterator[Cell]:
    for system in _workers(systems, "notify"):
        yield Cell("latency", "idle queue", system, partial(latency.latency, inserts=300))


def _insert(systems: dict[str, System]) -> Iterator[Cell]:
    for clients, worker in ((1, True), (8, True), (8, False)):
        case = f"{clients} client{'s' * (clients > 1)}{'' if worker else ', no worker'}"
        for system in _workers(systems, "notify", with_none=worker):
            measure = partial(writes.insert_rate, clients=clients, worker=worker)
            yield Cell("insert", case, system, measure)


def _bulk(systems: dict[str, System]) -> Iterator[Cell]:
    for system in _workers(systems, with_none=True):
        yield Cell("bulk", "10,000 rows", system, writes.bulk_insert)


def _unrelated(systems: dict[str, System]) -> Iterator[Cell]:
    for name in (OURS, NONE):
        if name in systems:
            yield Cell("unrelated", "20,000 rows", systems[name], writes.unrelated_update)


def _backlog(systems: dict[str, System]) -> Iterator[Cell]:
    for system in _ours(systems):
        for jobs in (JOBS, BACKLOG):
            case, few = f"{jobs:,} jobs", FEW_RUNS if jobs == BACKLOG else 1000
            yield Cell("backlog", case, system, partial(drain.drain, jobs=jobs), most_runs=few)
        for rows in (10_000, BACKLOG):
            case, few = f"{rows:,} rows", FEW_RUNS if rows == BACKLOG else 1000
            measure = partial(drain.drain_of_table, rows=rows, jobs=10_000)
            yield Cell("backlog", case, system, measure, most_runs=few)


def _held_snapshot(systems: dict[str, System]) -> Iterator[Cell]:
    for name in (OURS, "pgmq"):
        if name in systems:
            measure = partial(drain.drain_under_snapshot, batch=32)
            yield Cell("held-snapshot", "batch 32", systems[name], measure, most_runs=FEW_RUNS)


def _poll(systems: dict[str, System]) -> Iterator[Cell]:
    for system in _ours(systems):
        measure = partial(latency.latency, inserts=100, every_ms=400, extra=NO_LISTEN)
        yield Cell("poll", "without LISTEN", system, measure, FEW_RUNS)
        idle = partial(latency.idle_cpu, extra=NO_LISTEN)
        yield Cell("poll", "idle without LISTEN", system, idle, FEW_RUNS)


FIGURES: dict[str, Callable[[dict[str, System]], Iterator[Cell]]] = {
    "drain": _drain,
    "latency": _latency,
    "insert": _insert,
    "bulk": _bulk,
    "unrelated": _unrelated,
    "backlog": _backlog,
    "held-snapshot": _held_snapshot,
    "poll": _poll,
}


def _workers(
    systems: dict[str, System], variant: str = "", with_none: bool = False
) -> Iterator[System]:
    """The systems that a figure compares; a second form of a peer only where it matters."""
    for system in systems.values():
        if system.variant in ("", variant) and (system.name != NONE or with_none):
            yield system


def _ours(systems: dict[str, System]) -> Iterator[System]:
    if OURS in systems:
        yield systems[OURS]


def machine() -> dict[str, object]:
    """What the figures were taken on, as far as it explains them."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "load_average": os.getloadavg(),
    }
