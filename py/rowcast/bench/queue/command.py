"""`rowcast bench queue`: choose, install, measure, show."""

from __future__ import annotations

import importlib.util
import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from rowcast.bench.queue import environment, plan, report
from rowcast.bench.queue.database import claim_server
from rowcast.bench.queue.systems import OURS, Bench, System, known_systems
from rowcast.cli.console import err, note, out, steps
from rowcast.errors import RowcastError
from rowcast.stack import paths
from rowcast.stack.temporary import temporary_stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rowcast.bench.queue.plan import Cell, Sample


def race(only: str, systems: str, runs: int, batch: int, folder: Path | None) -> None:
    """Measure and print; `results.json` and the plot go to `folder`, else beside the peers."""
    known = known_systems(batch)
    figures = _chosen(only, list(plan.FIGURES), "figure")
    wanted = {name: known[name] for name in _chosen(systems, list(known), "system")}
    needed = {cell.system.name for cell in plan.cells(figures, wanted)}
    entered = {name: system for name, system in wanted.items() if name in needed}
    if not entered:
        raise RowcastError("these systems take no part in these figures", "choose more of either")
    samples: list[Sample] = []
    about = {"started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "runs": runs,
             **plan.machine()}  # fmt: skip
    with terminable():
        try:
            _measure(figures, entered, runs, samples, about)
        except KeyboardInterrupt:
            note("stopped; what was measured so far:")
            _show(samples, entered, about, folder)
            raise typer.Exit(130) from None
    _show(samples, entered, about, folder)
    if any(sample.failure for sample in samples):
        raise typer.Exit(1)


def _chosen(text: str, known: list[str], what: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()] or known
    for name in names:
        if name not in known:
            raise RowcastError(f"no {what} named {name}", f"known: {', '.join(known)}")
    return [name for name in known if name in names]


def _measure(
    figures: list[str],
    entered: dict[str, System],
    runs: int,
    samples: list[Sample],
    about: dict[str, Any],
) -> None:
    with steps("preparing") as report_step:
        peers = environment.prepare({s.language for s in entered.values()}, report_step)
    _drop_missing(entered, peers.missing)
    with temporary_stack(service=False) as stack:
        bench = Bench(claim_server(stack), peers)
        with bench.server.admin() as connection:
            about["postgresql"] = connection.info.server_version
        _install(bench, entered)
        pinned = environment.versions()
        about["systems"] = {
            name: {"what": system.title, "version": pinned.get(system.package, "")}
            for name, system in entered.items()
        }
        chosen = plan.cells(figures, entered)
        for sample in _with_progress(bench, chosen, runs):
            samples.append(sample)  # noqa: PERF402 - kept one by one, for an interrupted run


def _drop_missing(entered: dict[str, System], missing: dict[str, str]) -> None:
    for name, system in list(entered.items()):
        if system.language in missing:
            note(f"without {name}: {missing[system.language]}")
            del entered[name]


def _install(bench: Bench, entered: dict[str, System]) -> None:
    with steps("preparing") as report_step:
        for name, system in list(entered.items()):
            report_step(f"installing {name} in a database")
            try:
                bench.install(system)
            except RowcastError as error:
                if name == OURS:
                    raise
                note(f"without {name}: {error.message}")
                del entered[name]


def _with_progress(bench: Bench, chosen: list[Cell], runs: int) -> Iterator[Sample]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeElapsedColumn())  # fmt: skip
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task("measuring", total=plan.count(chosen, runs))

        def announce(cell: Cell, number: int) -> None:
            what = f"run {number + 1}: {cell.figure}, {cell.case}, {cell.system.name}"
            progress.update(task, description=what)

        for sample in plan.run(bench, chosen, runs, announce):
            progress.advance(task)
            what = f"{sample.figure}, {sample.case}, {sample.system}"
            values = " ".join(
                f"{report.number(value)} {metric}" for metric, value in sample.values.items()
            )
            outcome = values or sample.failure
            progress.console.print(f"[dim]run {sample.run + 1}[/dim] {what}: {escape(outcome)}")
            yield sample


def _show(
    samples: list[Sample], entered: dict[str, System], about: dict[str, Any], folder: Path | None
) -> None:
    for table in report.tables(samples, entered):
        out.print(table)
    for line in report.remarks(samples):
        out.print(line)
    target = folder or paths.PRIVATE / "bench-queue" / "results"
    target.mkdir(parents=True, exist_ok=True)
    report.write_json(target / "results.json", samples, about)
    note(f"written: {target / 'results.json'}")
    summaries = report.summarise(samples)
    if importlib.util.find_spec("matplotlib") is None:
        note("no plot: matplotlib is missing")
    elif summaries:
        from rowcast.bench.queue.plot import draw

        text = f"Medians of up to {about['runs']} runs with ranges; {about['cores']} cores shared"
        note(f"written: {draw(summaries, text + ' by all', target / 'results.svg')}")


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM unwinds like Ctrl-C, so that everything that was started is stopped."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
