"""`rowcast fuzz`: drawn requests to the Data API, and what its answers must never be."""

from __future__ import annotations

import json
import random
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from rowcast.cli.console import err, note, out
from rowcast.errors import RowcastError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rowcast.fuzz.people import Site
    from rowcast.fuzz.run import Report

_PEOPLE = ("anon", "user", "admin", "backend")
_CLASSES = ("2xx", "3xx", "4xx", "5xx")


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(fuzz)


def fuzz(
    minutes: Annotated[float, typer.Option(min=0.05, help="How long.")] = 1.0,
    seed: Annotated[
        int | None, typer.Option(help="Of an earlier run; another one each time when left out.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="A running stack; one of its own when left out.")
    ] = None,
    publishable_key: Annotated[str, typer.Option(envvar="SUPABASE_PUBLISHABLE_KEY")] = "",
    secret_key: Annotated[str, typer.Option(envvar="SUPABASE_SECRET_KEY")] = "",
    db_url: Annotated[
        str | None,
        typer.Option(help="Role postgres there: plants more rows, makes an admin, sums by SQL."),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write everything as JSON.")] = None,
) -> None:
    """Fuzz the Data API as anon, user, admin and back end.

    It signs up accounts and writes rows: never give it the URL of a project that matters. The
    status is 1 when there are findings.
    """
    from rowcast.fuzz import run

    number = random.randrange(2**31) if seed is None else seed  # noqa: S311
    note(f"seed {number}")
    with ExitStack() as stack:
        if url is None:
            site = _own_site(stack)
        elif publishable_key and secret_key:
            from rowcast.fuzz.people import Site

            site = Site(url.rstrip("/"), publishable_key, secret_key, db_url)
        else:
            raise RowcastError(
                "a running stack needs its keys",
                'eval "$(./rowcast status --env)", or --publishable-key and --secret-key',
            )
        progress = stack.enter_context(_progress())
        found = run.fuzz(site, number, _until(minutes, progress))
    _show(found)
    if report is not None:
        report.write_text(json.dumps(found.as_dict(), indent=2) + "\n")
    if found.findings:
        raise typer.Exit(1)


def _own_site(stack: ExitStack) -> Site:
    from rowcast.fuzz.people import Site
    from rowcast.stack import install
    from rowcast.stack.temporary import temporary_stack

    install.ensure(note)
    note("starting a stack of its own")
    # Without the service: then nothing but the requests changes a row.
    status = stack.enter_context(temporary_stack(service=False)).status()
    return Site(status.api_url, status.publishable_key, status.secret_key, status.db_url)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    return Progress(*columns, console=err, transient=True)


def _until(minutes: float, progress: Progress) -> Callable[[Report], bool]:
    """Shows how it goes; says no when the time is up. A pipe gets a line each half minute."""
    task = progress.add_task("fuzzing", total=minutes * 60)
    end = time.monotonic() + minutes * 60
    said = time.monotonic()

    def keep_on(report: Report) -> bool:
        nonlocal said
        text = (
            f"{report.requests:,} requests, {report.requests / max(report.seconds, 0.001):.0f}/s,"
            f" {len(report.findings)} findings"
        )
        progress.update(task, completed=report.seconds, description=text)
        if not err.is_terminal and time.monotonic() - said > 30:
            said = time.monotonic()
            note(text)
        return time.monotonic() < end

    return keep_on


def _show(report: Report) -> None:
    out.print(_coverage(report))
    rate = report.requests / max(report.seconds, 0.001)
    out.print(f"{report.requests:,} requests in {report.seconds:.0f} s, {rate:.0f}/s")
    for title, names in (
        ("The victim has rows in", report.planted),
        ("No row of the victim in", report.bare),
        ("Read the victim's rows, as they may", sorted({" ".join(e) for e in report.entitled})),
        ("Not there, so not tested as", report.without),
        ("Never answered 2xx, so nothing was tested behind", report.untested),
        ("PostgREST's own server errors", [f"{n}: {why}" for why, n in report.accepted.items()]),
    ):
        if names:
            out.print(f"{title}: {escape(', '.join(names))}", soft_wrap=True)
    for (rule, what, path), (person, curl) in report.findings.items():
        err.print(f"[red]{rule}[/red] {escape(what)} · {path} as {person}", soft_wrap=True)
        err.print(f"  {escape(curl)}", soft_wrap=True)
    out.print(f"{len(report.findings)} findings, seed {report.seed}")


def _coverage(report: Report) -> Table:
    """Answers by path, verb and person: 2xx/3xx/4xx/5xx."""
    table = Table(title="answers: " + " / ".join(_CLASSES), title_justify="left")
    for column in ("path", "verb", *_PEOPLE):
        table.add_column(column)
    for path, verb in sorted({(path, verb) for path, verb, _ in report.coverage}):
        cells = (report.coverage.get((path, verb, person)) for person in _PEOPLE)
        counts = ("/".join(str(c[k]) for k in _CLASSES) if c else "" for c in cells)
        table.add_row(path, verb, *counts)
    return table
