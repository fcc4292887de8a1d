"""What the command line prints: progress on standard error, results on standard output."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rowcast.errors import RowcastError
    from rowcast.stack.stack import Status

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def complain(error: RowcastError) -> None:
    """One line that says what is wrong, one that says what to do."""
    err.print(f"[red]error:[/red] {escape(error.message)}", soft_wrap=True)
    if error.hint:
        err.print(f"[dim]hint:[/dim]  {escape(error.hint)}", soft_wrap=True)


def note(text: str) -> None:
    """A line about progress or a warning."""
    err.print(f"[dim]·[/dim] {escape(text)}", soft_wrap=True)


@contextmanager
def steps(title: str) -> Iterator[Callable[[str], None]]:
    """A spinner on a terminal, plain lines elsewhere; yields the function that reports a step."""
    if not err.is_terminal:
        yield note
        return
    with err.status(escape(title)) as status:

        def report(text: str) -> None:
            status.update(escape(text))

        yield report


def show_status(status: Status) -> None:
    """Addresses and keys, one line each and never cut, so that they can be copied."""
    for name, value in (
        ("API", status.api_url),
        ("Database", status.db_url),
        ("Service", status.service_url),
        ("Publishable key", status.publishable_key),
        ("Secret key", status.secret_key),
    ):
        out.print(f"[bold]{name:<15}[/bold]  {escape(value)}", soft_wrap=True)


def process_table(status: Status) -> Table:
    """Each process with its state."""
    table = Table.grid(padding=(0, 2))
    for process in status.processes:
        colour = "green" if process.up else "red"
        pid = f"pid {process.pid}" if process.pid else ""
        table.add_row(process.name, f"[{colour}]{process.state.lower()}[/{colour}]", pid)
    return table
