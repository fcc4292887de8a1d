"""`rowcast train`: make a model's artefact anew."""

from __future__ import annotations

from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from rowcast.cli.console import err, out
from rowcast.errors import RowcastError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rowcast.models.eta_score import Oracle, Scores
    from rowcast.models.eta_train import Result
    from rowcast.models.eta_trips import Trips
    from rowcast.models.signin_history import Numbers, SignIns
    from rowcast.models.signin_train import Result as SignInResult

app = typer.Typer(
    help="Train a model and write its artefact.", no_args_is_help=True, add_completion=False
)

PLOT = Path(__file__).parents[3] / "docs" / "images" / "eta-calibration.svg"
SIGN_IN_PLOT = PLOT.with_name("signin-risk.svg")
DEFAULT_TRIPS = 240_000
DEFAULT_PEOPLE = 2000
TEACHERS = 2  # worlds as large as the standard one, to learn from only
DEFAULT_SEED = 1
SIGN_IN_SEED = 11  # the first that was run after everything had been chosen on others


class Source(StrEnum):
    """Where the trips come from."""

    sim = "sim"
    database = "database"


@app.callback()
def group() -> None:
    """Train a model and write its artefact."""


@app.command()
def eta(
    source: Annotated[Source, typer.Option(help="A simulated city, or completed pickups.")] = (
        Source.sim
    ),
    trips: Annotated[int, typer.Option(min=200, help="Simulated trips.")] = DEFAULT_TRIPS,
    seed: Annotated[int, typer.Option(help="Of the trips, the zones held out and the fit.")] = (
        DEFAULT_SEED
    ),
    dsn: Annotated[
        str, typer.Option("--db-url", help="Database to read; see db_url of `status --json`.")
    ] = "",
    timezone: Annotated[str, typer.Option(help="Whose clock the traffic follows.")] = (
        "America/Los_Angeles"
    ),
    folder: Annotated[
        Path | None, typer.Option("--out", help="Folder of versions to write into.")
    ] = None,
    version: Annotated[str | None, typer.Option(help="Instead of an id from the content.")] = None,
    plot: Annotated[bool, typer.Option("--plot", help=f"Also draw {PLOT.name}.")] = False,
) -> None:
    """Fit the ETA model, calibrate its interval and show how well it does on held-out trips."""
    from rowcast.models.eta_artefact import ARTEFACTS
    from rowcast.models.eta_train import Settings, train

    _check_timezone(timezone)
    _check_plot(plot)
    with _progress() as bar:
        task = bar.add_task("trips", total=None)

        def advance(stage: str, done: int, total: int) -> None:
            bar.update(task, description=stage, completed=done, total=total)

        material, oracle = _simulated(trips, seed) if source is Source.sim else _recorded(dsn)
        result = train(
            material,
            folder or ARTEFACTS,
            timezone=timezone,
            source={"name": source.value, "trips": len(material), "seed": seed},
            settings=Settings(seed=seed),
            oracle=oracle,
            version=version,
            progress=advance,
        )
    _show(result)
    if plot:
        from rowcast.models.eta_plot import draw

        out.print(f"drawn: {draw(result, timezone, PLOT)}")


@app.command()
def signin(
    people: Annotated[int, typer.Option(min=100, max=100_000, help="Simulated people.")] = (
        DEFAULT_PEOPLE
    ),
    seed: Annotated[int, typer.Option(min=0, help="Of the people and of the fit.")] = SIGN_IN_SEED,
    folder: Annotated[
        Path | None, typer.Option("--out", help="Folder of versions to write into.")
    ] = None,
    plot: Annotated[bool, typer.Option("--plot", help=f"Also draw {SIGN_IN_PLOT.name}.")] = False,
) -> None:
    """Fit the sign-in scorecard and show how well it does on held-out people, beside rivals."""
    from rowcast.models.signin_artefact import ARTEFACTS
    from rowcast.models.signin_train import train
    from rowcast.sim.signins import KINDS, WORLDS

    _check_plot(plot)
    with _progress() as bar:
        task = bar.add_task("", total=None)
        result = train(
            {name: _sign_ins(name, people, seed) for name in WORLDS},
            folder or ARTEFACTS,
            seed=seed,
            source={"name": "sim", "people": people, "teachers": TEACHERS},
            teachers=[_sign_ins("standard", people, seed + 2000 + n) for n in range(TEACHERS)],
            progress=lambda world: bar.update(task, description=world),
        )
    _show_sign_ins(result)
    if plot:
        from rowcast.models.signin_plot import draw

        out.print(f"drawn: {draw(result, KINDS, SIGN_IN_PLOT)}")


def _sign_ins(world: str, people: int, seed: int) -> Callable[[], tuple[SignIns, Numbers]]:
    """Other worlds have other people, and fewer, since none of them is for training."""
    from rowcast.sim.signins import STANDARD, WORLDS, World

    rates = WORLDS[world]
    standard = rates is STANDARD
    made = World(
        people if standard else people // 2, seed=seed + (0 if standard else 500), rates=rates
    )

    def make() -> tuple[SignIns, Numbers]:
        simulated = made.simulate()
        return simulated.sign_ins, simulated.kind

    return make


def _show_sign_ins(result: SignInResult) -> None:
    title = f"signin {result.version}: recall at 1 % false alarms (average precision)"
    table = Table(title=title, title_justify="left")
    table.add_column("", no_wrap=True)
    for world in result.judged:
        table.add_column(world, justify="right")
    judged = list(result.judged.values())
    table.add_row(
        "attacks / sign-ins",
        *(f"{one.sign_ins.attack.sum()} / {len(one.sign_ins.kind)}" for one in judged),
    )
    for method in judged[0].scores:
        cells = (one.scores[method] for one in judged)
        table.add_row(method, *(f"{s.recall:.3f} ({s.average_precision:.3f})" for s in cells))
    table.add_row("alarms at threshold", *(f"{one.alarm_share:.2%}" for one in judged))
    table.add_row("recall at threshold", *(f"{one.alarm_recall:.3f}" for one in judged))
    table.add_row("calibration error", *(f"{one.calibration_error:.4f}" for one in judged))
    out.print(table)
    out.print(f"trained and judged in {result.seconds:.1f} s; written to {result.folder}")
    out.print("the threshold lives in the database; set it when this version is deployed:")
    out.print("update private.sign_in_policy set alarm_from =", f"{result.alarm_from};")


def _check_plot(plot: bool) -> None:
    if plot and find_spec("matplotlib") is None:
        raise RowcastError("--plot needs matplotlib", "install the dependency group dev")


def _check_timezone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise RowcastError(f"no time zone {name!r}", "name one as in Europe/Berlin") from error


def _progress() -> Progress:
    columns = (TextColumn("{task.description:>8}"), BarColumn(), TimeElapsedColumn())
    return Progress(*columns, console=err, transient=True)


def _simulated(trips: int, seed: int) -> tuple[Trips, Oracle | None]:
    from rowcast.models.eta_score import Oracle
    from rowcast.sim.city import City

    city = City()
    simulated = city.simulate(trips, seed=seed)
    requests = simulated.trips.requests
    known = city.median_seconds(requests, simulated.rain, simulated.event)
    return simulated.trips, Oracle(city.oracle_median(requests), known)


def _recorded(dsn: str) -> tuple[Trips, Oracle | None]:
    import psycopg

    from rowcast.models.eta_trips import TooFewTripsError, from_database

    if not dsn:
        raise RowcastError("no database given", "add --db-url; `rowcast status --json` has db_url")
    try:
        return from_database(dsn), None
    except TooFewTripsError as error:
        raise RowcastError(str(error)) from error
    except psycopg.Error as error:
        reason = str(error).strip().splitlines()[0]
        raise RowcastError(f"the database cannot be read: {reason}", "check --db-url") from error


def _show(result: Result) -> None:
    table = Table(title=f"eta {result.version}", title_justify="left")
    table.add_column("mean abs. error, s")
    for name in result.held_out:
        table.add_column(name.replace("_", " "), justify="right")
    for label, cell in _ROWS.items():
        table.add_row(label, *(cell(part.scores) for part in result.held_out.values()))
    out.print(table)
    counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in result.counts.items())
    out.print(f"{counts}; trained in {result.seconds:.1f} s; written to {result.folder}")


def _error(field: str) -> Any:
    def cell(scores: Scores) -> str:
        mae: float | None = getattr(scores, field)
        if mae is None:
            return "not known"
        above = scores.above_irreducible_percent(mae)
        return f"{mae:.1f}" if above is None else f"{mae:.1f} ({above:+.1f} %)"

    return cell


_ROWS = {
    "trips": lambda scores: str(scores.n),
    "closed form": _error("mae_closed_form"),
    "linear rival": _error("mae_linear"),
    "model": _error("mae_model"),
    "irreducible (oracle, row only)": _error("mae_irreducible"),
    "oracle that knows the rain": _error("mae_full_information"),
    "80 % interval covers": lambda scores: f"{scores.coverage_percent:.1f} %",
    "interval's mean width, s": lambda scores: f"{scores.mean_width_seconds:.0f}",
}
