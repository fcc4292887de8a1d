"""How the prediction queue is shown: tables and lines from rows of the database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

Row: TypeAlias = dict[str, Any]

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_COUNTS = ("pending", "background", "waiting", "running")


def queue_table(rows: Sequence[Row]) -> RenderableType:
    """One line for each prediction, and one for the whole queue."""
    if not rows:
        return Text("no prediction is attached")
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))  # fits 80 columns
    table.add_column("prediction", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for name in (*_COUNTS, "oldest", "per s", "dead"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            escape(row["prediction"]),
            state(row),
            *(f"{row[name]:,}" for name in _COUNTS),
            age(row["oldest_seconds"]) if sum(row[name] for name in _COUNTS) else "",
            f"{row['per_second']:,.1f}",
            f"[red]{row['dead_letters']:,}[/red]" if row["dead_letters"] else "0",
        )
    away = {row["model"]: row["breaker_reason"] for row in rows if row["breaker_until"]}
    reasons = [Text(f"{model} is away: {why or 'no reason given'}") for model, why in away.items()]
    return Group(table, Text(), *reasons, whole_queue(rows[0]))


def whole_queue(row: Row) -> Text:
    """What each row of `ml.queue_stats` says of the whole queue."""
    workers = row["workers_alive"]
    text = Text(f"workers alive {workers}", style="" if workers else "red")
    text.append(f", dead tuples {row['dead_tuples']:,}", style="default")
    text.append(f", oldest snapshot {age(row['oldest_snapshot_seconds'])}", style="default")
    text.append(f", counted at {row['counted_at']:%H:%M:%S %Z}", style="default")
    return text


def state(row: Row) -> str:
    """Whether a prediction is claimed at all, as rich markup."""
    if row["paused_at"]:
        return f"[yellow]paused {age(since(row['paused_at']))}[/yellow]"
    if row["breaker_until"]:
        return f"[red]away {age(-since(row['breaker_until']))} more[/red]"
    return "[green]open[/green]"


def plain_table(rows: Sequence[Row]) -> Table:
    """Rows under the names of their columns; moments by their distance from now."""
    table = Table(box=None, pad_edge=False)
    for name in rows[0]:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(escape(cell(value)) for value in row.values()))
    return table


def records(rows: Sequence[Row]) -> Table:
    """Rows one below the other, a line for each column that has a value."""
    table = Table.grid(padding=(0, 2))
    for row in rows:
        for name, value in row.items():
            if value is not None:
                exact = (
                    value.isoformat(" ", "milliseconds") if isinstance(value, datetime) else None
                )
                table.add_row(name.replace("_", " "), escape(exact or str(value)))
        table.add_row()
    return table


def cell(value: Any) -> str:
    """A value as people read it; NULL is empty."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        seconds = since(value)
        return f"{age(seconds)} ago" if seconds >= 0 else f"in {age(-seconds)}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def age(seconds: float) -> str:
    """A length of time in its largest unit."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return "0 s"


def since(moment: datetime) -> float:
    """Seconds from a moment until now; negative for one that is ahead."""
    return (datetime.now(UTC) - moment).total_seconds()
