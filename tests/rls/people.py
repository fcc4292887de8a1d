"""The personas of access.toml as accounts: a role, claims, and the rights that they hold."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from tests.personas import make_user

if TYPE_CHECKING:
    from uuid import UUID

Connection = psycopg.Connection[tuple[Any, ...]]

HERE = Path(__file__).parent
ROLES = ("anon", "authenticated", "service_role", "rowcast_service", "supabase_auth_admin")
ACCESS = tomllib.loads((HERE / "access.toml").read_text())


@dataclass(frozen=True, slots=True)
class Persona:
    """Who tries: `user` is None for whoever is nobody."""

    name: str
    role: str
    user: UUID | None
    claims: str


@dataclass(frozen=True, slots=True)
class People:
    """Everybody of access.toml. Ann's rows are the owner's own; Ben never acts, he only owns."""

    ann: UUID
    ben: UUID
    personas: tuple[Persona, ...]

    def id_of(self, name: str) -> UUID | None:
        """The account behind a persona's name, or behind `other`."""
        if name == "other":
            return self.ben
        return next(persona.user for persona in self.personas if persona.name == name)


def stated(entry: dict[str, Any], persona: str) -> Any:
    """What an entry of access.toml says of a persona, of whom they are like, or of `everyone`."""
    names = (persona, ACCESS["personas"][persona].get("like"), "everyone")
    return next((entry[name] for name in names if name in entry), None)


def gather(db: Connection) -> People:
    """Make the accounts and give them their roles."""
    ann, ben = make_user(db), make_user(db)
    personas = tuple(_persona(db, name, ann) for name in ACCESS["personas"])
    return People(ann, ben, personas)


def _persona(db: Connection, name: str, ann: UUID) -> Persona:
    about = ACCESS["personas"][name]
    claims: dict[str, Any] = {"role": about["role"], **about.get("claims", {})}
    user = None
    if about["role"] == "authenticated":
        user = ann if about.get("is") == "owner" else make_user(db)
        claims |= {"sub": str(user), "aud": "authenticated"}
    for key, since, until in (("holds", "1 day", None), ("held", "2 days", "1 day")):
        if key in about:
            db.execute(
                "insert into public.user_roles (user_id, role, granted_at, expires_at)"
                " values (%s, %s, now() - %s::interval, now() - %s::interval)",
                [user, about[key], since, until],
            )
    return Persona(name, about["role"], user, json.dumps(claims))
