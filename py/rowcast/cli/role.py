"""`role`: give somebody a role, or take it; how the first admin is made."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from rowcast.cli.session import Url, database
from rowcast.errors import RowcastError

if TYPE_CHECKING:
    from psycopg import Connection

    from rowcast.cli.queue_tables import Row


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command("role")(role)


def role(
    person: Annotated[str, typer.Argument(help="An e-mail address, or an account's id.")],
    name: Annotated[str, typer.Argument(metavar="[ROLE]", help="As in app_roles: admin, …")] = "",
    take: Annotated[bool, typer.Option("--take", help="Take the role away.")] = False,
    until: Annotated[
        datetime | None, typer.Option(help="When the role ends by itself, in UTC.")
    ] = None,
    db_url: Url = None,
) -> None:
    """Give a person a role, or take it; without a role, print those held."""
    import psycopg

    if not name and (take or until):
        raise RowcastError("which role?", "./rowcast role ann@example.com admin")
    with database(db_url, "role", "roles") as session:
        user_id = _account(session, person)
        try:
            if name:
                _set(session, user_id, name, not take, until and until.replace(tzinfo=UTC))
        except psycopg.Error as error:
            if not (error.sqlstate or "").startswith("PT"):
                raise
            said = error.diag
            raise RowcastError(said.message_primary or "", said.message_hint or "") from error
        for line in _held(session, user_id) or ["no role"]:
            typer.echo(f"{person}  {line}")


def _account(session: Connection[Row], person: str) -> UUID:
    """The account of this address or id; several may have one address with single sign-on."""
    found = session.execute(
        "select id from auth.users where lower(email) = lower(%(it)s) or id::text = lower(%(it)s)",
        {"it": person},
    ).fetchall()
    if not found:
        raise RowcastError(f"nobody has the address or id {person}", "sign up first")
    if len(found) > 1:
        ids = ", ".join(str(row["id"]) for row in found)
        raise RowcastError(f"several accounts have the address {person}", f"name one: {ids}")
    return UUID(str(found[0]["id"]))


def _set(
    session: Connection[Row], user_id: UUID, name: str, granted: bool, until: datetime | None
) -> None:
    known = [row["name"] for row in session.execute("select name from public.app_roles order by 1")]
    if name not in known:
        raise RowcastError(f"there is no role {name}", f"there are {', '.join(known)}")
    # As whoever has the secret key, so by the rules of set_role; the audit log says postgres.
    with session.transaction():
        session.execute("set local role service_role")
        session.execute("select public.set_role(%s, %s, %s, %s)", [user_id, name, granted, until])


def _held(session: Connection[Row], user_id: UUID) -> list[str]:
    rows = session.execute(
        "select role, expires_at from public.user_roles"
        " where user_id = %s and coalesce(expires_at > now(), true) order by role",
        [user_id],
    )
    return [
        row["role"]
        + (
            f" until {row['expires_at'].astimezone(UTC):%Y-%m-%d %H:%M} UTC"
            if row["expires_at"]
            else ""
        )
        for row in rows
    ]
