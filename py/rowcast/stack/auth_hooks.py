"""Stand-in for what Auth tells a client whose sign-up the before-user-created hook refused.

The embedded Auth answers every exception with the same 500, so the gateway asks the hook again
(sql/platform/after_auth/04_auth_hooks.sql) and gives its refusal in the platform's shape.
"""

from __future__ import annotations

import json
from typing import Any

import psycopg
from aiohttp import web

# Where the embedded Auth makes accounts by email.
CREATING_PATHS = frozenset(("/auth/v1/signup", "/auth/v1/otp", "/auth/v1/magiclink"))

# From this version on, Auth's errors are {code, message}; clients say which they understand.
VERSION_HEADER = "X-Supabase-Api-Version"
NEW_ERRORS = "2024-01-01"


async def refusal(
    db_url: str, path: str, body: object, api_version: str | None
) -> web.Response | None:
    """The hook's refusal of the sign-up that this request asked for; None if it has none."""
    if path not in CREATING_PATHS or not isinstance(body, bytes):
        return None
    try:
        wanted = json.loads(body)
    except (ValueError, RecursionError):
        return None
    email = wanted.get("email") if isinstance(wanted, dict) else None
    if not isinstance(email, str):
        return None
    error = await _ask(db_url, email, json.dumps(wanted.get("data")))
    return None if error is None else _answer(error, api_version or "")


async def _ask(db_url: str, email: str, user_metadata: str) -> dict[str, Any] | None:
    try:
        async with await psycopg.AsyncConnection.connect(db_url) as connection:
            cursor = await connection.execute(
                "select auth._standin_refusal(%s, %s)", [email, user_metadata]
            )
            row = await cursor.fetchone()
    except (psycopg.Error, ValueError):  # then the 500 that is there already is the truth
        return None
    return row[0] if row is not None and isinstance(row[0], dict) else None


def _answer(error: dict[str, Any], api_version: str) -> web.Response:
    """Auth knows no code of its own for what a hook refuses, and calls it `unknown`."""
    status, message = error.get("http_code", 500), error.get("message", "")
    if api_version >= NEW_ERRORS:
        return web.json_response(
            {"code": "unknown", "message": message},
            status=status,
            headers={VERSION_HEADER: NEW_ERRORS},
        )
    return web.json_response(
        {"code": status, "error_code": "unknown", "msg": message}, status=status
    )
