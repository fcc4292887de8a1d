"""The one error a user of the command line sees: a line that says what is wrong, and what to do."""

from __future__ import annotations


class RowcastError(Exception):
    """Something the user can act on; `hint` names the next step."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
