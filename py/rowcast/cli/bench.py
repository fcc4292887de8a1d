"""`rowcast bench …`: measurements on the running stack; `queue` and `rls` bring their own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import httpx
import numpy as np
import typer
from rich.progress import Progress
from rich.table import Table

from rowcast.bench.latency import measure
from rowcast.cli.console import err, out, steps
from rowcast.errors import RowcastError

if TYPE_CHECKING:
    from numpy.typing import NDArray

app = typer.Typer(help="Measure the running stack.", no_args_is_help=True, add_completion=False)


@app.callback()
def bench() -> None:
    """Measure the running stack."""


@app.command()
def latency(
    requests: Annotated[int, typer.Option(min=1, max=900, help="Pickups to request.")] = 200,
    every_ms: Annotated[float, typer.Option(min=1, help="One every so many ms.")] = 20.0,
) -> None:
    """From commit to visible prediction, at a steady rate of requests."""
    from rowcast.stack.stack import default_stack

    status = default_stack().status()
    if not status.running:
        raise RowcastError("the stack is not running", "./rowcast up --detach")
    require_service(status.service_url)
    with Progress(console=err, transient=True) as progress:
        task = progress.add_task("requesting pickups", total=requests)
        found = asyncio.run(
            measure(status, requests, every_ms, lambda done: progress.update(task, completed=done))
        )
    table = Table(title=f"{requests} pickups, one every {every_ms:g} ms; milliseconds")
    table.add_column("from … to")
    for name in ("median", "p95", "p99", "max"):
        table.add_column(name, justify="right")
    table.add_row("reply → event at the rider", *_quantiles(found.visible))
    table.add_row("enqueued → committed (database)", *_quantiles(found.committed))
    out.print(table)
    if found.missing:
        raise RowcastError(f"{found.missing} requests had no answer", "./rowcast logs service")


@app.command()
def requests(
    count: Annotated[int, typer.Option(min=1, max=900, help="Requests of a kind a round.")] = 100,
    rounds: Annotated[int, typer.Option(min=1, max=100, help="Rounds, each with and without.")] = 5,
) -> None:
    """What the check before every request adds to it; it is off for a while meanwhile."""
    from rowcast.bench.requests import measure as measure_requests
    from rowcast.stack.stack import default_stack

    status = default_stack().status()
    if not status.running:
        raise RowcastError("the stack is not running", "./rowcast up --detach")
    table = Table(title=f"{count * rounds} requests of one rider; median milliseconds")
    for name in ("request", "without", "with", "added", "a second without", "with"):
        table.add_column(name, justify="right")
    for kind in measure_requests(status, count, rounds):
        before, after = np.median(kind.without), np.median(kind.with_it)
        cells = (1000 * before, 1000 * after, 1000 * (after - before))
        rates = (1 / before, 1 / after)
        table.add_row(kind.name, *(f"{x:.2f}" for x in cells), *(f"{x:.0f}" for x in rates))
    out.print(table)


@app.command()
def queue(
    only: Annotated[
        str,
        typer.Option(
            help="Of drain, latency, insert, bulk, unrelated, backlog, held-snapshot, poll;"
            " comma-separated, all when empty."
        ),
    ] = "",
    systems: Annotated[
        str,
        typer.Option(
            help="Of ours, pgmq, pgmq-notify, procrastinate, graphile-worker, graphile-grouped,"
            " pg-boss, 'no trigger'; comma-separated, all when empty."
        ),
    ] = "",
    runs: Annotated[int, typer.Option(min=1, max=50, help="Runs of each cell.")] = 5,
    batch: Annotated[
        int, typer.Option(min=1, max=10_000, help="Jobs that ours claims at its best.")
    ] = 1000,
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="Folder for results.json and the plot.")
    ] = None,
) -> None:
    """This queue beside procrastinate, graphile-worker, pg-boss, pgmq; in a stack of its own."""
    from rowcast.bench.queue.command import race

    race(only, systems, runs, batch, out_dir)


@app.command()
def rls(
    rows: Annotated[int, typer.Option(min=20_000, help="Rows in each table.")] = 1_000_000,
    owners: Annotated[int, typer.Option(min=10, help="Who own them; one owns 1 %.")] = 1000,
    rounds: Annotated[int, typer.Option(min=1, max=100, help="Rounds of each list.")] = 15,
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="Folder for results.json and the plot.")
    ] = None,
) -> None:
    """Lists under row-level security beside the same without it; in a stack of its own."""
    from rowcast.bench.rls_command import run

    run(rows, owners, rounds, out_dir)


@app.command()
def audit(
    writers: Annotated[int, typer.Option(min=1, max=64, help="Sessions that write at once.")] = 8,
    seconds: Annotated[float, typer.Option(min=1, max=600, help="Of each measurement.")] = 10.0,
) -> None:
    """What the audit log costs the tables that it watches; in a stack of its own."""
    from rowcast.bench import audit as bench
    from rowcast.stack.temporary import temporary_stack

    with steps("starting a stack"), temporary_stack(service=False) as stack:
        url = stack.status().db_url
        bench.set_up(url)
        table = Table(title=f"updates; {writers} writers, {seconds:g} s")
        for name in ("table", "µs a write", "µs at the commit", "commits a second"):
            table.add_column(name, justify="left" if name == "table" else "right")
        for name, written in bench.TABLES.items():
            cost = bench.cost(url, written, 20_000)
            rate = bench.throughput(url, written, writers, seconds)
            table.add_row(name, f"{cost.write:.0f}", f"{cost.link:.0f}", f"{rate:,.0f}")
    out.print(table)


def require_service(url: str) -> None:
    """Fail at once when the service would answer nothing."""
    try:
        ready = httpx.get(f"{url}/ready", timeout=5).is_success
    except httpx.HTTPError as error:
        raise RowcastError("the service is not running", "./rowcast up --detach") from error
    if not ready:
        raise RowcastError("the service is not ready", "./rowcast logs service")


def _quantiles(values: NDArray[np.float64]) -> list[str]:
    if not values.size:
        return ["-"] * 4
    return [f"{value:.1f}" for value in np.quantile(values, [0.5, 0.95, 0.99, 1.0])]
