"""`psql`, `types` and `access`: commands that look into the database."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated
from urllib.parse import unquote, urlsplit

import typer

from rowcast.cli.console import note, steps
from rowcast.errors import RowcastError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FORWARD = {"allow_extra_args": True, "ignore_unknown_options": True}


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command(context_settings={**_FORWARD, "help_option_names": []})(psql)
    app.command()(types)
    app.command()(access)


def psql(context: typer.Context) -> None:
    """Open psql as role postgres; arguments are psql's own."""
    from rowcast.stack import install
    from rowcast.stack.stack import default_stack

    current = default_stack().status()
    if not current.running:
        raise RowcastError("the stack is not running", "./rowcast up")
    url = urlsplit(current.db_url)
    environment = {
        **os.environ,
        "PGHOST": url.hostname or "",
        "PGPORT": str(url.port or 5432),
        "PGUSER": unquote(url.username or ""),
        "PGPASSWORD": unquote(url.password or ""),
        "PGDATABASE": url.path.strip("/"),
    }
    command = [str(install.client_binary("psql")), *context.args]
    os.execve(command[0], command, environment)


def types(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail when the files are out of date.")
    ] = False,
) -> None:
    """Write the TypeScript and Python types of the API, made by the Supabase CLI."""
    with steps("generating types") as report, _database_url() as url:
        report("generating types")
        stale = outdated_types(url) if check else write_types(url)
    if check and stale:
        raise RowcastError(
            f"out of date: {', '.join(str(file) for file in stale)}", "./rowcast types"
        )
    for file in stale:
        note(f"wrote {file}")


def access() -> None:
    """Write docs/reference/access.md: who may do what, by tests/rls/access.toml."""
    import psycopg

    from rowcast.access import DOCUMENT, document

    with steps("access") as report, _database_url() as url:
        report("reading the comments of the database")
        with psycopg.connect(url) as connection:
            DOCUMENT.write_text(document(connection))
    note(f"wrote {DOCUMENT}")


def type_files() -> dict[str, Path]:
    """Language of the generator → the committed file."""
    from rowcast.stack.paths import CHECKOUT

    return {
        "typescript": CHECKOUT / "supabase/types/database.types.ts",
        "python": CHECKOUT / "py/rowcast/database_types.py",
    }


def outdated_types(url: str) -> list[Path]:
    """The committed type files that differ from what the database at `url` yields."""
    return [
        file
        for language, file in type_files().items()
        if not file.exists() or file.read_text() != generate_types(url, language)
    ]


def write_types(url: str) -> list[Path]:
    """Write every type file; returns those that changed."""
    changed = outdated_types(url)
    for language, file in type_files().items():
        if file in changed:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(generate_types(url, language))
    return changed


def generate_types(url: str, language: str) -> str:
    """What `supabase gen types` says about schema public."""
    from rowcast.stack.bootstrap import run_cli

    done = run_cli(["gen", "types", "--lang", language, "--schema", "public"], url)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise RowcastError(f"supabase gen types --lang {language} failed: {last}")
    return done.stdout


@contextmanager
def _database_url() -> Iterator[str]:
    """The running stack's database, else that of a stack started for this purpose."""
    from rowcast.stack.stack import default_stack
    from rowcast.stack.temporary import temporary_stack

    current = default_stack().status()
    if current.running:
        yield current.db_url
        return
    with temporary_stack(service=False) as stack:
        yield stack.status().db_url
