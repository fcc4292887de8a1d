"""`rowcast chaos`: services are killed under load, and the books must balance."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from rowcast.chaos import ledger, storm
from rowcast.chaos.server import temporary_server
from rowcast.chaos.services import Fleet
from rowcast.cli.console import err, note, out

if TYPE_CHECKING:
    from rowcast.chaos.storm import Storm

app = typer.Typer(help="Kill services under load.", add_completion=False)

_SHOWN = 20


@app.command()
def kills(
    kills: Annotated[int, typer.Option(min=1, help="Services to kill with SIGKILL.")] = 200,
    seed: Annotated[
        int | None, typer.Option(help="Of an earlier run; another one each time when left out.")
    ] = None,
    lease: Annotated[float, typer.Option(min=0.5, help="Lease in seconds.")] = 0.5,
    call_ms: Annotated[float, typer.Option(min=0, help="Mean length of a model's call.")] = 30,
) -> None:
    """Kill services at random moments while rows are written, in a stack of its own; Linux only.

    The status is 1 when anything was lost, stale or answered twice.
    """
    seed = random.randrange(2**31) if seed is None else seed  # noqa: S311
    note(f"seed {seed}")
    note("starting a stack of its own")
    with (
        temporary_server() as server,
        server.database() as name,
        tempfile.TemporaryDirectory() as folder,
    ):
        url = server.url(name)
        ledger.open_books(url, lease_seconds=lease)
        with Fleet(server.url(name, "rowcast_service"), Path(folder), call_ms=call_ms) as fleet:
            found = _with_progress(url, fleet, kills, seed)
    _show(found)
    if found.balance.violations:
        raise typer.Exit(1)


def _with_progress(url: str, fleet: Fleet, kills: int, seed: int) -> Storm:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeElapsedColumn())  # fmt: skip
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task("killing", total=kills)

        def show(so_far: Storm) -> None:
            text = f"killing, {so_far.holding} held a lease"
            progress.update(task, completed=so_far.kills, description=text)

        return storm.rage(url, fleet, kills, seed, show)


def _show(found: Storm) -> None:
    table = Table(title=f"{found.kills} kills, seed {found.seed}", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    fates = found.balance.fates
    for what, count in (
        ("kills that caught a lease", found.holding),
        ("transactions of the writers", found.transactions),
        ("versions of rows", found.balance.versions),
        ("  answered", fates.get("answered", 0)),
        ("  superseded", fates.get("superseded", 0)),
        ("  dead, as they were told to", fates.get("dead", 0)),
        ("  cancelled", fates.get("cancelled", 0)),
        ("  lost", fates.get("lost", 0)),
        ("receipts of answers that came too late", found.balance.called_off),
        ("violations", len(found.balance.violations)),
    ):
        table.add_row(what, f"{count:,}")
    table.add_row("seconds of kills", f"{found.storm_seconds:.1f}")
    table.add_row("seconds until nothing was owed", f"{found.settle_seconds:.1f}")
    out.print(table)
    for line in found.balance.violations[:_SHOWN]:
        err.print(f"[red]violation:[/red] {line}", soft_wrap=True)
