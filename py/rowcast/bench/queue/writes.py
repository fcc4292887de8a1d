"""What the write path pays: single inserts, a bulk insert, an update of a column nobody watches."""

from __future__ import annotations

import re
import statistics
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rowcast.bench.queue.database import INSERT_ITEMS, Connection, Wrong, one, wait_scored
from rowcast.bench.queue.systems import NONE, Bench, System, check_settled, warm_up
from rowcast.stack import install

if TYPE_CHECKING:
    from collections.abc import Callable

_SCRIPT = "\\set x random(1, 1000000)\ninsert into public.items (x) values (:x);\n"
INSERT_SECONDS = 3
_UPDATE = "update public.items set note = %s"
_COUNT = "select count(*) from public.items"


def insert_rate(
    bench: Bench, system: System, clients: int, worker: bool = True, seconds: int = INSERT_SECONDS
) -> dict[str, float]:
    """Single-row inserts a second by pgbench.

    With `worker`, it runs, is idle at first, and shares the machine; without, the write path stands
    alone, and the worker proves the jobs afterwards.
    """
    with bench.cell(system) as (name, connection):
        url = bench.server.url(name)
        if system.name == NONE or not worker:
            rate = _pgbench(url, clients, seconds)
            _prove(bench, system, name, connection, one(connection, _COUNT))
            return {"tps": rate}
        with bench.working(system, name):
            warm_up(connection)
            rate = _pgbench(url, clients, seconds)
            rows = one(connection, _COUNT)
            wait_scored(connection, rows, 60 + rows / 200)
            check_settled(system, connection, rows)
    return {"tps": rate}


def bulk_insert(bench: Bench, system: System, rows: int = 10_000) -> dict[str, float]:
    """Milliseconds of one INSERT of many rows; the worker starts afterwards and proves the jobs."""
    with bench.cell(system) as (name, connection):
        connection.execute(INSERT_ITEMS, [1000])
        milliseconds = _milliseconds(partial(connection.execute, INSERT_ITEMS, [rows]))
        _prove(bench, system, name, connection, rows + 1000)
    return {"ms": milliseconds}


def unrelated_update(bench: Bench, system: System, rows: int = 20_000) -> dict[str, float]:
    """Microseconds a row of updating a column that no prediction depends on; median of five."""
    with bench.cell(system) as (name, connection):
        connection.execute(INSERT_ITEMS, [rows])
        taken = []
        for number in range(6):  # the first is to warm up
            with bench.server.admin(name) as admin:
                admin.execute("vacuum analyze public.items")
            note = [f"note {number}"]
            taken.append(_milliseconds(partial(connection.execute, _UPDATE, note)))
        if system.name != NONE and one(connection, system.waiting) != rows:
            raise Wrong("an unrelated update owed jobs")
        _prove(bench, system, name, connection, rows)
    return {"µs a row": 1000 * statistics.median(taken[1:]) / rows}


def _prove(bench: Bench, system: System, name: str, connection: Connection, rows: int) -> None:
    """Every row has its job, and the worker works them off."""
    if system.name == NONE:
        return
    owed = one(connection, system.waiting)
    if owed != rows:
        raise Wrong(f"the trigger owed {owed} jobs for {rows} rows")
    with bench.working(system, name):
        wait_scored(connection, rows, 60 + rows / 200)
        check_settled(system, connection, rows)


def _milliseconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return 1000 * (time.perf_counter() - started)


def _pgbench(url: str, clients: int, seconds: int) -> float:
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(_SCRIPT)
        script.flush()
        command = [str(install.client_binary("pgbench")), "-n", "-M", "prepared"]
        command += ["-c", str(clients), "-j", str(min(clients, 2)), "-T", str(seconds)]
        done = subprocess.run(
            [*command, "-f", str(Path(script.name)), url],
            capture_output=True, text=True, timeout=seconds + 60, check=False,
        )  # fmt: skip
    rate = re.search(r"^tps = ([\d.]+)", done.stdout, re.MULTILINE)
    failed = re.search(r"number of failed transactions: ([1-9]\d*)", done.stdout)
    if done.returncode != 0 or rate is None or failed is not None:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise Wrong(f"pgbench: {last}")
    return float(rate.group(1))
