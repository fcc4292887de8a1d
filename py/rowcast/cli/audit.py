"""`audit …`: whether the audit log is as it was written."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.markup import escape

from rowcast.cli.console import out
from rowcast.cli.queue_tables import Row
from rowcast.cli.session import Url, database
from rowcast.errors import RowcastError

app = typer.Typer(help="See to the audit log.", no_args_is_help=True)


@app.callback()
def audit() -> None:
    """See to the audit log."""


@app.command()
def verify(
    head: Annotated[
        list[str] | None,
        typer.Option(help="A head kept from earlier, as printed here; may be repeated."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    db_url: Url = None,
) -> None:
    """Check every month's hash chain, and print the heads to keep; status 1 when one is broken."""
    import psycopg

    with database(db_url, "audit", "audit log") as session:
        try:
            rows = session.execute("select * from private.check_audit(%s)", [head or []]).fetchall()
        except psycopg.Error as error:
            if error.sqlstate != "PT422":
                raise
            said = error.diag
            raise RowcastError(said.message_primary or "", said.message_hint or "") from error
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    else:
        _print(rows)
    if not all(row["ok"] for row in rows):
        raise typer.Exit(1)


def _print(rows: list[Row]) -> None:
    if not rows:
        out.print("the audit log is empty")
    for row in rows:
        state = "[green]ok[/green]" if row["ok"] else "[red]broken[/red]"
        counts = f"{row['entries']:,} entries, {row['redacted']:,} redacted"
        out.print(f"{row['month']}  {state}  {counts}", soft_wrap=True)
        if not row["ok"]:
            entry = f"entry {row['first_broken']}: " if row["first_broken"] else ""
            out.print(f"         {entry}{escape(row['problem'])}", soft_wrap=True)
    heads = [row["head"] for row in rows if row["ok"] and row["head"]]
    if heads:
        out.print("\n[dim]keep these where this database's owner cannot write:[/dim]")
        for head in heads:
            out.print(f"--head {head}", soft_wrap=True)
