"""Who does something in a test: role and claims for a while, inside the open transaction.

    with as_user(db, rider):
        db.execute("select public.me()")

`refused` asserts a refusal and leaves the transaction usable.
"""

from __future__ import annotations

import json
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

Connection = psycopg.Connection[Any]

DENIED = "42501"  # refused by a grant, or by a policy's WITH CHECK


@contextmanager
def as_anon(conn: Connection) -> Iterator[None]:
    """Nobody: the publishable key alone."""
    with _acting(conn, "anon", {"role": "anon"}):
        yield


@contextmanager
def as_user(conn: Connection, user_id: UUID, **claims: Any) -> Iterator[None]:
    """A signed-in person, as PostgREST sets them up from a verified token."""
    token = {"sub": str(user_id), "role": "authenticated", "aud": "authenticated", **claims}
    with _acting(conn, "authenticated", token):
        yield


@contextmanager
def as_service(conn: Connection) -> Iterator[None]:
    """A back end with the secret key."""
    with _acting(conn, "service_role", {"role": "service_role"}):
        yield


@contextmanager
def _acting(conn: Connection, role: str, claims: dict[str, Any]) -> Iterator[None]:
    read = "select current_setting('role'), current_setting('request.jwt.claims', true)"
    write = "select set_config('role', %s, true), set_config('request.jwt.claims', %s, true)"
    with conn.transaction():
        before = conn.execute(read).fetchone()
        assert before is not None
        conn.execute(write, [role, json.dumps(claims)])
        yield
        # A savepoint that is released keeps local settings; one that is rolled back does not.
        conn.execute(write, [before[0], before[1] or ""])


@contextmanager
def refused(conn: Connection, sqlstate: str, detail: str | None = None) -> Iterator[None]:
    """The block's statement fails with this SQLSTATE and, if given, this token in its detail."""
    with pytest.raises(psycopg.Error) as caught, conn.transaction():
        yield
    found = (caught.value.sqlstate, caught.value.diag.message_detail)
    assert found == (sqlstate, detail if detail is not None else found[1]), str(caught.value)


def make_user(conn: Connection, email: str | None = None, **user_meta_data: Any) -> UUID:
    """An account, as Auth would insert it; the trigger gives it a profile."""
    user_id = uuid.uuid4()
    conn.execute(
        "insert into auth.users (id, email, raw_user_meta_data) values (%s, %s, %s)",
        [user_id, email or f"{user_id}@example.com", json.dumps(user_meta_data)],
    )
    return user_id
