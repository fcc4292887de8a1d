"""A request as PostgREST makes it: settings, the role, the pre-request, then whatever it asks.

Reads run READ ONLY, as theirs do. `as_user` of tests/personas.py skips the pre-request.
"""

from __future__ import annotations

import json
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from uuid import UUID

Connection = psycopg.Connection[tuple[Any, ...]]

SETTINGS = """
select set_config('role', %(role)s, true), set_config('request.jwt.claims', %(claims)s, true),
  set_config('request.headers', %(headers)s, true), set_config('request.method', %(method)s, true),
  set_config('request.path', %(path)s, true),
  set_config('transaction_read_only', %(read_only)s, true)
"""


@contextmanager
def request(
    conn: Connection,
    claims: Mapping[str, Any] | None = None,
    *,
    method: str = "POST",
    path: str = "/rpc/hello",
    headers: Mapping[str, str] | None = None,
) -> Iterator[Connection]:
    """Admitted: the block runs as the caller. It keeps its writes, and its charge with them."""
    token = {"role": "anon", **(claims or {})}
    reads = method in ("GET", "HEAD")
    settings = {
        "role": token["role"],
        "claims": json.dumps(token),
        "headers": json.dumps({"x-forwarded-for": "192.0.2.1", **(headers or {})}),
        "method": method,
        "path": path,
        "read_only": "on" if reads else "off",
    }
    with conn.transaction(force_rollback=reads):
        conn.execute(SETTINGS, settings)
        conn.execute("select gate.before_request()")
        yield conn
        conn.execute("select set_config('role', 'none', true)")


def token_of(user: UUID, session: UUID | None = None, **claims: Any) -> dict[str, Any]:
    """The claims of a person's access token."""
    found = {"role": "authenticated", "sub": str(user), **claims}
    return found if session is None else found | {"session_id": str(session)}


def make_session(conn: Connection, user: UUID, **columns: Any) -> UUID:
    """A session, as Auth would insert it at sign-in."""
    session = uuid.uuid4()
    row = {"id": session, "user_id": user, "created_at": "now()", "aal": "aal1", **columns}
    names, places = ", ".join(row), ", ".join(["%s"] * len(row))
    query = f"insert into auth.sessions ({names}) values ({places})"
    conn.execute(query.encode(), list(row.values()))
    return session


@contextmanager
def throttled(conn: Connection) -> Iterator[dict[str, Any]]:
    """The block's request is refused with 429; gives what PostgREST makes the answer of."""
    answer: dict[str, Any] = {}
    with pytest.raises(psycopg.Error) as caught, conn.transaction():
        yield answer
    assert caught.value.sqlstate == "PGRST", caught.value
    body = json.loads(caught.value.diag.message_primary or "")
    how = json.loads(caught.value.diag.message_detail or "")
    assert (body["code"], body["details"], how["status"]) == ("PT429", "RATE_LIMITED", 429)
    answer.update(how["headers"])
