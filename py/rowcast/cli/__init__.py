"""The command line: one Typer application, one file per group of commands."""

from __future__ import annotations

import sys

import typer

from rowcast import __version__
from rowcast.cli import (
    audit,
    database,
    develop,
    fuzz,
    lifecycle,
    migration,
    networks,
    operate,
    queue,
    role,
)
from rowcast.cli.console import complain
from rowcast.errors import RowcastError

app = typer.Typer(
    name="rowcast",
    help="A Supabase project whose rows predict themselves.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def _root(version: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


for _module in (lifecycle, database, operate, role, networks, develop, fuzz):
    _module.register(app)
app.add_typer(migration.app, name="migration")
app.add_typer(queue.app, name="queue")
app.add_typer(audit.app, name="audit")


def main() -> None:
    """Run the command line; expected failures are one line on standard error and status 1."""
    try:
        app(prog_name="rowcast")
    except RowcastError as error:
        complain(error)
        sys.exit(1)
