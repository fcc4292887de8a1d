"""`up`, `down`, `status`, `reset`: the life of the stack."""

from __future__ import annotations

import json
import shlex
import signal
import time
import xmlrpc.client
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from rowcast.cli.console import err, note, out, process_table, show_status, steps
from rowcast.errors import RowcastError

if TYPE_CHECKING:
    from types import FrameType

    from rowcast.stack.stack import Stack, Status

_STATUS_KEYS = ("api_url", "db_url", "service_url", "publishable_key", "secret_key")


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(up)
    app.command()(down)
    app.command()(status)
    app.command()(reset)


def up(
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return once it is ready.")
    ] = False,
    port: Annotated[
        int | None,
        typer.Option(min=1024, max=65000, help="First of seven ports; 54321 unless set before."),
    ] = None,
    supabase: Annotated[
        bool,
        typer.Option("--supabase", help="Only the service, beside a real Supabase (see docs)."),
    ] = False,
) -> None:
    """Start the stack and the service; apply migrations and seed. Ctrl-C stops it again."""
    from rowcast.stack.stack import default_stack

    _terminate_like_interrupt()
    stack = default_stack(port)
    ours = not stack.supervisor.alive()
    try:
        with steps("starting") as report:
            if supabase:
                from rowcast.stack.external import start_service

                current = start_service(stack, report)
            else:
                current = stack.start(on_step=report)
        show_status(current)
        if not detach:
            attend(stack)
    except KeyboardInterrupt:
        if ours:
            _stop(stack)
        else:
            note("left running, as it was found; ./rowcast down stops it")
        raise typer.Exit from None


def down() -> None:
    """Stop everything; the data stays."""
    from rowcast.stack.stack import default_stack

    with steps("stopping"):
        stopped = default_stack().stop()
    note("stopped; the data stays" if stopped else "nothing was running")


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    as_environment: Annotated[
        bool, typer.Option("--env", help='For a shell: eval "$(./rowcast status --env)".')
    ] = False,
) -> None:
    """Show addresses, keys and processes; exit status 1 when something is down."""
    from rowcast.stack.stack import default_stack

    current = default_stack().status()
    if as_json:
        typer.echo(json.dumps(_public(current), indent=2))
    elif as_environment:
        for variable, value in _environment(current).items():
            typer.echo(f"{variable}={shlex.quote(value)}")
    elif current.running:
        show_status(current)
        out.print(process_table(current))
    if not current.running:
        raise RowcastError("the stack is not running", "./rowcast up")
    if current.down:
        raise RowcastError(f"down: {', '.join(current.down)}", "./rowcast logs " + current.down[0])


def reset(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Drop all local data, then start over with migrations and seed."""
    from rowcast.stack.stack import default_stack

    stack = default_stack()
    if stack.state.external:
        raise RowcastError(
            "this checkout runs against a real Supabase, which is never dropped here",
            "`supabase db reset` does that; or `./rowcast down` and `./rowcast up` first",
        )
    if not yes:
        typer.confirm(f"Drop the database and stored files in {stack.home.root}?", abort=True)
    with steps("dropping local data") as report:
        stack.destroy()
        current = stack.start(on_step=report)
    show_status(current)


def _public(status: Status) -> dict[str, object]:
    """What `status --json` prints: no signing secret, no superuser."""
    found = status.as_dict()
    processes = {process.name: process.state for process in status.processes}
    return {key: found[key] for key in _STATUS_KEYS} | {
        "running": status.running,
        "processes": processes,
    }


def _environment(status: Status) -> dict[str, str]:
    """The names that the Supabase CLI and `up --supabase` use."""
    return {
        "SUPABASE_URL": status.api_url,
        "SUPABASE_DB_URL": status.db_url,
        "SUPABASE_PUBLISHABLE_KEY": status.publishable_key,
        "SUPABASE_SECRET_KEY": status.secret_key,
        "ROWCAST_URL": status.service_url,
    }


def _terminate_like_interrupt() -> None:
    """SIGTERM ends `up` the way Ctrl-C does: everything it started is stopped in order."""

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def attend(stack: Stack) -> None:
    """Follow the processes until Ctrl-C; report restarts, give up when one is beyond recovery."""
    err.print("[dim]running; Ctrl-C stops it[/dim]")
    pids: dict[str, int] = {}
    while True:
        try:
            processes = stack.supervisor.processes()
        except (OSError, xmlrpc.client.Error):
            note("stopped from elsewhere")
            raise typer.Exit from None
        for process in processes:
            if process.state == "FATAL":
                _give_up(stack, process.name)
            if process.pid and pids.get(process.name, process.pid) != process.pid:
                note(f"{process.name} ended and was started again: ./rowcast logs {process.name}")
            if process.pid:
                pids[process.name] = process.pid
        time.sleep(0.5)


def _stop(stack: Stack) -> None:
    """Stop in order; a second Ctrl-C must not leave half of it running."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    with steps("stopping"):
        stack.stop()


def _give_up(stack: Stack, name: str) -> NoReturn:
    from rowcast.stack.processes import last_line

    line = last_line(stack.home.log(name))
    _stop(stack)
    raise RowcastError(
        f"{name} keeps failing: {line}", f"everything is stopped; log: {stack.home.log(name)}"
    )
