"""`logs`, `stop`, `start`, `demo`, `train`, `bench`, `chaos`: commands for whoever runs it."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Annotated

import typer

from rowcast.cli.console import note, steps
from rowcast.errors import RowcastError

_FORWARD = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(logs)
    app.command()(stop)
    app.command()(start)
    app.command(context_settings=_FORWARD)(demo)
    app.command(context_settings=_FORWARD)(train)
    app.command(context_settings=_FORWARD)(bench)
    app.command(context_settings=_FORWARD)(chaos)


def logs(
    process: Annotated[
        str | None, typer.Argument(help="postgres, auth, rest, gateway, functions, service …")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many per process.")] = 50,
) -> None:
    """Show the end of the processes' logs."""
    from rowcast.stack.paths import Home, default_home

    home = Home.at(default_home())
    known = sorted(file.stem for file in home.logs.glob("*.log"))
    if not known:
        raise RowcastError("there are no logs yet", "./rowcast up")
    if process is not None and process not in known:
        raise RowcastError(f"no process named {process}", f"known: {', '.join(known)}")
    files = [str(home.log(name)) for name in ([process] if process else known)]
    os.execvp("tail", ["tail", "-n", str(lines), *(["-F"] if follow else []), *files])


def stop(process: Annotated[str, typer.Argument(help="As in `status`.")]) -> None:
    """Stop one process; `start`, or `up`, starts it again."""
    from rowcast.stack.stack import default_stack

    with steps(f"stopping {process}"):
        default_stack().stop_process(process)
    note(f"{process} is stopped; ./rowcast start {process} starts it again")


def start(process: Annotated[str, typer.Argument(help="As in `status`.")]) -> None:
    """Start one process and wait until it is ready."""
    from rowcast.stack.stack import default_stack

    with steps(f"starting {process}"):
        default_stack().start_process(process)
    note(f"{process} is ready")


def demo(context: typer.Context) -> None:
    """Drive the system end to end and print what happened."""
    _forward("rowcast.cli.demo", "demo", context.args)


def train(context: typer.Context) -> None:
    """Fit a model, e.g. `rowcast train eta`; writes a versioned artefact with its metrics."""
    _forward("rowcast.cli.train", "train", context.args)


def bench(context: typer.Context) -> None:
    """Measure the running stack, e.g. `rowcast bench latency`."""
    _forward("rowcast.cli.bench", "bench", context.args)


def chaos(context: typer.Context) -> None:
    """Kill services under load; nothing may be lost, stale or answered twice."""
    _forward("rowcast.cli.chaos", "chaos", context.args)


def _forward(module: str, name: str, arguments: list[str]) -> None:
    """Run the Typer application `app` of a module that is too heavy to import for every command."""
    from rowcast.stack import install

    with steps(name) as report:
        install.ensure(report)
    _with_openmp()
    try:
        app: typer.Typer = importlib.import_module(module).app
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise RowcastError(
            f"`{name}` is not part of this checkout ({module} is missing)"
        ) from error
    app(args=arguments, prog_name=f"rowcast {name}")


def _with_openmp() -> None:
    """Start over with the private OpenMP runtime where there is one: the loader reads it once."""
    from rowcast.stack import install

    wanted = install.openmp_environment()
    if wanted and os.environ.get("LD_LIBRARY_PATH") != wanted["LD_LIBRARY_PATH"]:
        command = [sys.executable, "-m", "rowcast", *sys.argv[1:]]
        os.execve(command[0], command, {**os.environ, **wanted})
