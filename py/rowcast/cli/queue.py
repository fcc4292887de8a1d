"""`queue …`: see to the prediction queue of the running stack, or of any database by --db-url."""

from __future__ import annotations

import json
import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from rowcast.cli.console import err, note, out
from rowcast.cli.queue_tables import Row, plain_table, queue_table, records
from rowcast.cli.session import Url, database
from rowcast.errors import RowcastError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from psycopg import Connection
    from rich.console import RenderableType

    Database: TypeAlias = Connection[Row]

app = typer.Typer(
    help="See to the prediction queue: what is owed, what failed, what is wrong.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="Name given to ml.attach, as in `queue list`.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_REDRIVE_STEP = 1000
_STATS = "select * from ml.queue_stats()"

# What `show` prints: title and query.
_OVERVIEW = {
    "oldest": """
        select row_key, case when is_background then 'background ' else '' end || state as state,
          attempts, reason, enqueued_at as owed,
          case state when 'waiting' then run_at when 'running' then lease_until end as ends
        from ml.queue where prediction = %(name)s order by enqueued_at limit 10
    """,
    "waiting, by reason": """
        select reason, count(*) as jobs, max(attempts) as most_attempts, min(run_at) as next_try
        from ml.queue where prediction = %(name)s and state = 'waiting'
        group by reason order by jobs desc
    """,
    "dead letters, by reason": """
        select d.reason, left(d.error, 100) as error, count(*) as jobs, max(d.died_at) as last_died
        from ml.dead_letters as d join ml.attachments as a on a.id = d.attachment_id
        where a.name = %(name)s group by 1, 2 order by jobs desc limit 10
    """,
    "backfill": """
        select b.enqueued, b.total as estimated_total, b.started_at as started,
          b.moved_at as last_step, b.finished_at as finished
        from ml.backfills as b join ml.attachments as a on a.id = b.attachment_id
        where a.name = %(name)s
    """,
    "budget": """
        select b.scope, b.unit, b.per_day,
          coalesce(max(case b.unit when 'calls' then u.calls else u.tokens end), 0) as most_spent
        from ml.attachments as a
        join ml.budgets as b on b.model = a.model
        left join ml.usage as u on u.model = b.model and u.day = (now() at time zone 'UTC')::date
          and (u.owner_id is null) = (b.scope = 'model')
        where a.name = %(name)s group by b.scope, b.unit, b.per_day order by 1, 2
    """,
}

# And of one row.
_ROW = {
    "owed": """
        select state, owner_id, is_background, attempts, reason, enqueued_at, run_at, lease_until,
          worker
        from ml.queue where prediction = %(name)s and row_key = %(key)s
    """,
    "dead letters": """
        select d.died_at, d.attempts, d.reason, d.error
        from ml.dead_letters as d join ml.attachments as a on a.id = d.attachment_id
        where a.name = %(name)s and d.row_key = %(key)s order by d.id desc limit 10
    """,
    "receipts": """
        select created_at, status, model, model_version, attempts, error, output::text as output
        from public.predictions where prediction = %(name)s and row_key = %(key)s
        order by created_at desc, id desc limit 10
    """,
}

# Live jobs count too: a row that was owed already kept its job.
_OWED_THEN = """
    select count(*) as jobs from ml.queue
    where prediction = %(name)s and enqueued_at <= %(moment)s
"""


@app.command("list")
def list_(as_json: Json = False, db_url: Url = None) -> None:
    """Depth, age and state of each prediction's queue."""
    with _database(db_url) as database:
        rows = database.execute(_STATS).fetchall()
    if as_json:
        _print_json(rows)
    else:
        _print(queue_table(rows))


@app.command()
def show(
    name: Name,
    row: Annotated[str | None, typer.Option("--row", help="Primary key of one row.")] = None,
    db_url: Url = None,
) -> None:
    """What one prediction owes: its oldest jobs, retries, dead letters, backfill and budget."""
    with _database(db_url) as database:
        _must_know(database, name)
        stats = [one for one in database.execute(_STATS) if one["prediction"] == name]
        sections = {
            title: database.execute(query.encode(), {"name": name, "key": row}).fetchall()
            for title, query in (_OVERVIEW if row is None else _ROW).items()
        }
    if row is None:
        _print(queue_table(stats))
    elif not any(sections.values()):
        raise RowcastError(
            f"nothing is known of row {row} of {name}", "the key is the primary key as text"
        )
    for title, rows in sections.items():
        if rows:
            out.print(f"\n[bold]{title}[/bold]")
            _print(plain_table(rows) if row is None else records(rows))


@app.command()
def redrive(
    name: Annotated[str | None, typer.Argument(help="All predictions, if none is named.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
    db_url: Url = None,
) -> None:
    """Put dead letters back into the queue, oldest first."""
    with _database(db_url) as database:
        if name is not None:
            _must_know(database, name)
        count = """
            select count(*) as letters from ml.dead_letters as d
            join ml.attachments as a on a.id = d.attachment_id
            where %(name)s::text is null or a.name = %(name)s
        """
        there = _one(database, count, name=name)["letters"]
        wanted, done = min(there, limit or there), 0
        with _progress() as progress:
            task = progress.add_task("dead letters", total=wanted)
            while done < wanted:
                step = min(_REDRIVE_STEP, wanted - done)
                query = "select ml.redrive(%(name)s, %(step)s) as risen"
                risen = _one(database, query, name=name, step=step)["risen"]
                if risen == 0:  # somebody else redrives too
                    break
                done += risen
                progress.update(task, completed=done)
    out.print(f"{done:,} of {there:,} dead letters are back in the queue")


@app.command()
def cancel(
    name: Name,
    key: Annotated[str, typer.Argument(help="The row's primary key.")],
    reason: Annotated[
        str | None, typer.Option(help="For the receipt, which its owner reads.")
    ] = None,
    db_url: Url = None,
) -> None:
    """Call off what is owed to a row."""
    with _database(db_url) as database:
        _must_know(database, name)
        query = "select ml.cancel(%(name)s, %(key)s, %(reason)s) as found"
        found = _one(database, query, name=name, key=key, reason=reason)["found"]
    if not found:
        raise RowcastError(
            f"nothing is owed to row {key} of {name}, or it is being committed right now",
            f"./rowcast queue show {name} --row {key}",
        )
    out.print(f"row {escape(key)} of {name} is owed nothing any more")


@app.command()
def pause(name: Name, db_url: Url = None) -> None:
    """Stop claiming for a prediction; its jobs are collected all the same."""
    with _database(db_url) as database:
        _must_know(database, name)
        _one(database, "select ml.pause(%(name)s)", name=name)
    out.print(f"{name} is paused; ./rowcast queue resume {name} goes on")


@app.command()
def resume(name: Name, db_url: Url = None) -> None:
    """Go on claiming for a prediction."""
    with _database(db_url) as database:
        _must_know(database, name)
        _one(database, "select ml.resume(%(name)s)", name=name)
    out.print(f"{name} is open")


@app.command()
def backfill(
    name: Name,
    restart: Annotated[bool, typer.Option("--restart", help="From the first row again.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Until its jobs are done.")] = False,
    step: Annotated[int, typer.Option(min=1, max=100_000, help="Rows at a time.")] = 10_000,
    db_url: Url = None,
) -> None:
    """Owe a prediction for rows that are there already, at low priority; goes on where it was."""
    with _database(db_url) as database, _progress() as progress:
        _must_know(database, name)
        total = _enqueue_all(database, progress, name, step, restart)
        if wait:
            _wait_for_jobs(database, progress, name)
    out.print(f"{total:,} rows of {name} were enqueued{' and answered' if wait else ''}")


@app.command()
def doctor(as_json: Json = False, db_url: Url = None) -> None:
    """What is wrong, and what to do; status 1 when something keeps predictions from being made."""
    with _database(db_url) as database:
        rows = database.execute("select * from ml.doctor()").fetchall()
    if as_json:
        _print_json(rows)
    elif not rows:
        out.print("nothing is wrong")
    else:
        for row in rows:
            _print_finding(row)
    if any(row["severity"] == "error" for row in rows):
        raise typer.Exit(1)


@app.command()
def watch(db_url: Url = None) -> None:
    """`list` every second, until Ctrl-C."""
    with (
        _database(db_url) as database,
        _ctrl_c() as stopped,
        Live(console=out, auto_refresh=False) as live,
    ):
        while True:
            live.update(queue_table(database.execute(_STATS).fetchall()), refresh=True)
            if stopped.wait(1):
                return


def _enqueue_all(
    database: Database, progress: Progress, name: str, step: int, restart: bool
) -> int:
    """Take steps until the backfill is finished; how many rows it has enqueued since it began."""
    estimate = """
        select b.total from ml.backfills as b join ml.attachments as a on a.id = b.attachment_id
        where a.name = %(name)s
    """
    query = "select * from ml.backfill(%(name)s, %(step)s, %(restart)s)"
    task = progress.add_task("enqueued", total=None)
    while True:
        taken = _one(database, query, name=name, step=step, restart=restart)
        restart = False
        done: int = taken["total"]
        if taken["finished"]:
            progress.update(task, total=done, completed=done)
            return done
        expected = _one(database, estimate, name=name)["total"]
        # The planner's estimate, which may be too low.
        progress.update(task, completed=done, total=expected if expected > done else None)


def _wait_for_jobs(database: Database, progress: Progress, name: str) -> None:
    """Return when nothing is left of what is owed now."""
    moment = _one(database, "select clock_timestamp() as moment")["moment"]
    left = most = _one(database, _OWED_THEN, name=name, moment=moment)["jobs"]
    task = progress.add_task("answered", total=most)
    warned = False
    while left:
        idle = any(
            one["workers_alive"] == 0 or one["paused_at"] or one["breaker_until"]
            for one in database.execute(_STATS)
            if one["prediction"] == name
        )
        if idle and not warned:
            note(f"nobody works on it now, and its jobs wait: ./rowcast queue show {name}")
        warned = warned or idle
        time.sleep(0.5)
        left = _one(database, _OWED_THEN, name=name, moment=moment)["jobs"]
        progress.update(task, completed=most - left)


@contextmanager
def _ctrl_c() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets, since an interrupt may hit a query; a second one interrupts."""
    stopped = threading.Event()
    before = signal.getsignal(signal.SIGINT)

    def stop(*_: object) -> None:
        stopped.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, stop)
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, before)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeElapsedColumn(), console=err)


def _print(table: RenderableType) -> None:
    """A file or a pipe has room for all columns."""
    console = out if out.is_terminal else Console(highlight=False, width=200)
    console.print(table)


def _print_json(rows: list[Row]) -> None:
    typer.echo(json.dumps(rows, indent=2, default=lambda value: value.isoformat()))


def _print_finding(row: Row) -> None:
    """Never cut, so that the fix can be copied."""
    colour = "red" if row["severity"] == "error" else "yellow"
    head = f"[{colour}]{row['severity']:<7}[/{colour}]  [bold]{row['finding']}[/bold]"
    out.print(f"{head}  {escape(row['object'])}: {escape(row['detail'])}", soft_wrap=True)
    out.print(f"         [dim]fix:[/dim] {escape(row['fix'])}", soft_wrap=True)


def _must_know(database: Database, name: str) -> None:
    """Refuse a name that is not attached, and say which are."""
    rows = database.execute("select a.name from ml.attachments as a order by a.name")
    known = [row["name"] for row in rows]
    if name not in known:
        hint = f"known: {', '.join(known)}" if known else "attach one with ml.attach in a migration"
        raise RowcastError(f"no prediction is attached under the name {name}", hint)


def _one(database: Database, query: str, **parameters: Any) -> Row:
    row = database.execute(query.encode(), parameters).fetchone()
    assert row is not None
    return row


def _database(db_url: str | None) -> AbstractContextManager[Database]:
    return database(db_url, "queue", "prediction queue")
