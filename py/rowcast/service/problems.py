"""Refusals: an HTTP status, a stable token from docs/reference/error-codes.md, and a sentence."""

from __future__ import annotations

import re

import psycopg
from starlette.responses import JSONResponse


class Problem(Exception):  # noqa: N818 - a refusal, not a failure of ours
    """A refusal, told in the shape PostgREST uses: code, message, details, hint."""

    def __init__(self, status: int, token: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.token = token
        self.message = message
        self.hint = hint

    def response(self) -> JSONResponse:
        """The refusal as a response."""
        body = {
            "code": f"PT{self.status}",
            "details": self.token,
            "hint": self.hint,
            "message": self.message,
        }
        return JSONResponse(body, status_code=self.status)


def problem_from_database(error: psycopg.Error) -> Problem | None:
    """What a function raised with `sqlstate 'PTnnn'`, or None for any other error."""
    found = re.fullmatch(r"PT([45]\d\d)", error.sqlstate or "")
    if found is None:
        return None
    diag = error.diag
    token = diag.message_detail or "REFUSED"
    return Problem(int(found[1]), token, diag.message_primary or "", diag.message_hint)
