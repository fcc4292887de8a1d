"""`load-networks`: fill private.ip_networks from a file of address ranges with places."""

from __future__ import annotations

import csv
import gzip
import ipaddress
import math
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from rowcast.cli.console import note, steps
from rowcast.errors import RowcastError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Network = tuple[str, str | None, float, float]

_HINT = "take a file of IP to City Lite, https://db-ip.com/db/download/ip-to-city-lite"
_COLUMNS = 8  # first, last, continent, country, region, city, latitude, longitude


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command("load-networks")(load_networks)


def load_networks(
    file: Annotated[Path, typer.Argument(help="CSV, also gzipped: IP to City Lite of db-ip.com.")],
    dsn: Annotated[
        str, typer.Option("--db-url", help="Another database than the running stack's.")
    ] = "",
) -> None:
    """Replace what the database knows of where addresses are; used from the next sign-in on."""
    import psycopg

    if not file.is_file():
        raise RowcastError(f"there is no file {file}", _HINT)
    try:
        with (
            steps("loading networks"),
            open_text(file) as lines,
            psycopg.connect(dsn or _running()) as connection,
        ):
            # Readers see the old networks until the new ones are all there.
            connection.execute("delete from private.ip_networks")
            statement = "copy private.ip_networks (network, country, lat, lng) from stdin"
            count = 0
            with connection.cursor().copy(statement) as copy:
                for network in networks(lines):
                    copy.write_row(network)
                    count += 1
        with psycopg.connect(dsn or _running(), autocommit=True) as connection:
            connection.execute("vacuum analyze private.ip_networks")
    except psycopg.Error as error:
        reason = str(error).strip().splitlines()[0]
        raise RowcastError(f"the networks cannot be loaded: {reason}", "check --db-url") from error
    except (ValueError, OSError, csv.Error) as error:
        raise RowcastError(f"{file} cannot be read: {error}", _HINT) from error
    note(f"{count} networks")


def _running() -> str:
    from rowcast.stack.stack import default_stack

    return default_stack().status().db_url


def open_text(file: Path) -> IO[str]:
    """The file's text, whether gzipped or not."""
    if file.suffix == ".gz":
        return gzip.open(file, "rt", encoding="utf-8", newline="")
    return file.open(encoding="utf-8", newline="")


def networks(lines: Iterable[str]) -> Iterator[Network]:
    """The networks that the ranges consist of; raises `ValueError` with the line's number."""
    for number, row in enumerate(csv.reader(lines), start=1):
        try:
            yield from _of_range(row)
        except (ValueError, TypeError) as error:
            raise ValueError(f"line {number}: {error}") from error


def _of_range(row: list[str]) -> Iterator[Network]:
    if len(row) != _COLUMNS:
        raise ValueError(f"{len(row)} columns, {_COLUMNS} are needed")
    first, last = ipaddress.ip_address(row[0]), ipaddress.ip_address(row[1])
    lat, lng = float(row[6]), float(row[7])
    if not (math.isfinite(lat) and math.isfinite(lng)):
        raise ValueError("a place is not a number")
    country = row[3] if row[3] != "ZZ" else None
    if country is None and lat == lng == 0:
        return  # reserved ranges: nowhere
    for network in ipaddress.summarize_address_range(first, last):
        yield str(network), country, lat, lng
