"""Stand-in for what Auth tells whom the before-user-created hook refused, or who is banned.

The embedded Auth answers every exception with the same 500, so the gateway asks the database again
(sql/platform/after_auth/04_auth_hooks.sql) and gives the refusal in the platform's shape.
"""

from __future__ import annotations

import json
from typing import Any, LiteralString

import psycopg
from aiohttp import web

# Where the embedded Auth makes accounts by email.
CREATING_PATHS = frozenset(("/auth/v1/signup", "/auth/v1/otp", "/auth/v1/magiclink"))

# Where somebody signs in, by password and by a code, and what the platform says to who is banned.
_BANNED = {"/auth/v1/token": (400, "user_banned"), "/auth/v1/verify": (403, "user_banned")}
ENTERING_PATHS = frozenset(_BANNED)

# From this version on, Auth's errors are {code, message}; clients say which they understand.
VERSION_HEADER = "X-Supabase-Api-Version"
NEW_ERRORS = "2024-01-01"


async def refusal(
    db_url: str, path: str, body: object, api_version: str | None
) -> web.Response | None:
    """What Auth would have said to this sign-up or sign-in; None if nothing but its 500."""
    if path not in CREATING_PATHS | ENTERING_PATHS or not isinstance(body, bytes):
        return None
    try:
        wanted = json.loads(body)
    except (ValueError, RecursionError):
        return None
    email = wanted.get("email") if isinstance(wanted, dict) else None
    if not isinstance(email, str):
        return None
    if path in ENTERING_PATHS:
        banned = await _ask(db_url, "select auth._standin_is_banned(%s)", [email])
        return _answer(*_BANNED[path], "User is banned", api_version or "") if banned else None
    metadata = json.dumps(wanted.get("data"))
    error = await _ask(db_url, "select auth._standin_refusal(%s, %s)", [email, metadata])
    if not isinstance(error, dict):
        return None
    # Auth knows no code of its own for what a hook refuses, and calls it `unknown`.
    status, message = error.get("http_code", 500), error.get("message", "")
    return _answer(status, "unknown", message, api_version or "")


async def _ask(db_url: str, query: LiteralString, values: list[str]) -> Any:
    try:
        async with await psycopg.AsyncConnection.connect(db_url) as connection:
            row = await (await connection.execute(query, values)).fetchone()
    except (psycopg.Error, ValueError):  # then the 500 that is there already is the truth
        return None
    return None if row is None else row[0]


def _answer(status: int, code: str, message: str, api_version: str) -> web.Response:
    if api_version >= NEW_ERRORS:
        return web.json_response(
            {"code": code, "message": message},
            status=status,
            headers={VERSION_HEADER: NEW_ERRORS},
        )
    return web.json_response({"code": status, "error_code": code, "msg": message}, status=status)
