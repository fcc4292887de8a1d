"""A session in the running stack's database, or in any other by --db-url."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from rowcast.cli.queue_tables import Row
from rowcast.errors import RowcastError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

Url = Annotated[
    str | None,
    typer.Option("--db-url", help="Another database than the running stack's, as postgres."),
]


@contextmanager
def database(db_url: str | None, command: str, needs: str) -> Iterator[Connection[Row]]:
    """A session as postgres; what may be wrong with it is said in one line."""
    import psycopg
    from psycopg.rows import dict_row

    try:
        with psycopg.connect(
            db_url or _stack_url(),
            autocommit=True,
            connect_timeout=10,
            application_name=f"rowcast {command}",
            row_factory=dict_row,
        ) as connection:
            yield connection
    except psycopg.errors.InsufficientPrivilege as error:
        raise RowcastError(_first_line(error), "connect as role postgres") from error
    except (psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedTable) as error:
        raise RowcastError(
            f"this database has no {needs}, or an older one",
            "apply the migrations: supabase db push --db-url …",
        ) from error
    except psycopg.errors.UndefinedFunction as error:
        raise RowcastError(
            f"this database has an older {needs}: {_first_line(error)}",
            "apply the migrations: supabase db push --db-url …",
        ) from error
    except psycopg.Error as error:
        raise RowcastError(
            f"the database did not do it: {_first_line(error)}",
            "--db-url takes postgresql://postgres:password@host:port/postgres",
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _stack_url() -> str:
    from rowcast.stack.stack import default_stack

    status = default_stack().status()
    if not status.running:
        raise RowcastError("the stack is not running", "./rowcast up, or name one with --db-url")
    return status.db_url
