"""Options that every protocol takes; each protocol's file adds its own."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict, Field, field_validator

AUTHORIZATION = "authorization"

# Headers that the HTTP client sets; a key in one of them would break the request.
_TAKEN = {"host", "content-length", "content-type", "transfer-encoding", "connection",
          "accept", "accept-encoding", "user-agent", "te", "upgrade", "cookie"}  # fmt: skip


class Options(BaseModel):
    """A name that no protocol knows is refused: it would be a typing error that nobody notices."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    key: str | None = Field(default=None, min_length=1)
    """Name of an entry of ROWCAST_REMOTE_KEYS. The key itself never stands in the database."""
    auth_header: str = AUTHORIZATION
    """Header that carries the key: `authorization` as `Bearer <key>`, others the key alone."""

    @field_validator("auth_header")
    @classmethod
    def _check_header(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,63}", value) or value.lower() in _TAKEN:
            raise ValueError("not a header that may carry a key")
        return value.lower()
