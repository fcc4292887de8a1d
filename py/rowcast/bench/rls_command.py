"""`rowcast bench rls`: fill, measure, show, judge."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import typer
from rich.progress import track
from rich.table import Table

from rowcast.bench.queue.command import terminable
from rowcast.bench.queue.database import claim_server
from rowcast.bench.queue.plan import machine
from rowcast.bench.rls import RIVALS, TARGET, TIMES, draw, fill, lists, measure, rival
from rowcast.cli.console import err, note, out, steps
from rowcast.stack import paths
from rowcast.stack.temporary import temporary_stack

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rowcast.bench.rls import Figure


def run(rows: int, owners: int, rounds: int, folder: Path | None) -> None:
    """Measure and print; exit 1 when a user's list reads a big table from end to end."""
    with terminable(), temporary_stack(service=False) as stack:
        server = claim_server(stack)
        url = server.url("postgres")
        with steps("preparing") as step:
            fill(url, rows, owners, step)
        figures = [
            measure(url, chosen, rounds)
            for chosen in track(lists(), "measuring lists", console=err, transient=True)
        ]
        rivals = [
            rival(url, name, min(rounds, 5))
            for name in track(RIVALS, "measuring other policies", console=err, transient=True)
        ]
    out.print(_table(f"Lists, {rows:,} rows of {owners:,} owners; milliseconds", figures))
    out.print(_table("Other policies, an owner's page of 20", rivals))
    for figure in (*figures, *rivals):
        out.print(f"[dim]{figure.name}: {figure.plan}[/dim]", soft_wrap=True)
    _write(figures, rivals, rounds, rows, folder or paths.PRIVATE / "bench-rls")
    _judge(figures)


def _table(title: str, figures: Sequence[Figure]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("list")
    for heading in ("with", "without", "ratio"):
        table.add_column(heading, justify="right", no_wrap=True)
    for figure in figures:
        times = [
            f"{middle:.3g} [dim]({low:.3g}-{high:.3g})[/dim]"
            for middle, low, high in (figure.guarded, figure.stated)
        ]
        ratio = f"{figure.ratio:.2f}{TIMES}"
        table.add_row(
            figure.name, *times, ratio if figure.ratio <= TARGET else f"[bold]{ratio}[/bold]"
        )
    return table


def _write(
    figures: Sequence[Figure], rivals: Sequence[Figure], rounds: int, rows: int, folder: Path
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "rows": rows,
        "rounds": rounds,
        **machine(),
        "lists": [asdict(figure) for figure in figures],
        "policies": [asdict(figure) for figure in rivals],
    }
    (folder / "results.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    note(f"written: {folder / 'results.json'}")
    if importlib.util.find_spec("matplotlib") is None:
        note("no plot: matplotlib is missing")
        return
    title = f"{rows:,} rows in each table; medians of {rounds} rounds; {TIMES} is with / without"
    named = [replace(figure, name=f"policy: {figure.name}") for figure in rivals]
    draw([*figures, *named], title, folder / "bench-rls.svg")
    note(f"written: {folder / 'bench-rls.svg'}")


def _judge(figures: Sequence[Figure]) -> None:
    """A ratio is a matter of the machine, a plan is not: only the plan fails the command."""
    over = [figure for figure in figures if figure.ratio > TARGET]
    for figure in over:
        note(f"over {TARGET:.2f}{TIMES}: {figure.name} ({figure.ratio:.2f}{TIMES})")
    scans = [figure for figure in figures if figure.seq_scans]
    for figure in scans:
        note(f"reads all of {', '.join(figure.seq_scans)}: {figure.name}")
    if scans:
        raise typer.Exit(1)
