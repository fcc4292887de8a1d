"""The names in a call of a function, which nobody behind the gateway bounds.

PostgREST answers a call that fits no function with the one that is likest, and searches for it in
time that grows faster than the square of the names: 9 kB of them take a second of a core, 19 kB
eight. On the platform that is for a CDN or firewall to see: docs/explanation/attacks.md.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable

PREFIX = "/rest/v1/rpc/"
# No function of the project has a tenth of that.
MOST_CHARACTERS = 1000


def too_many(names: Iterable[str]) -> bool:
    """Whether these are more than any function has."""
    return sum(map(len, names)) > MOST_CHARACTERS


def names_in(content_type: str, body: bytes) -> list[str] | None:
    """The names that a body gives its values; None for one nested deeper than can be read.

    What is malformed has no names: PostgREST says what is wrong with it.
    """
    if content_type == "text/csv":
        return body.partition(b"\n")[0].decode(errors="replace").split(",")
    if content_type == "application/x-www-form-urlencoded":
        pairs = body.decode(errors="replace").split("&")
        return [unquote_plus(pair.partition("=")[0]) for pair in pairs]
    try:
        # As PostgREST reads it: numbers of any length, control characters in texts.
        content: Any = json.loads(body, parse_int=str, parse_float=str, strict=False)
    except RecursionError:
        return None
    except ValueError:
        return []
    rows = content if isinstance(content, list) else [content]
    return [name for row in rows[:1] if isinstance(row, dict) for name in row]
