"""What an answer must never be. Each finding names the rule that was broken.

- `status`: a 5xx, unless it is one of ACCEPTED and its request has the shape that is known for it.
- `leak`: the victim's marker, or the id of a row of the victim's that no request ever sends.
- `schema`: an error tells of what is not the API: see `_TELLING`, and names that only schemas
  `private` and `ml` hold, in the quotes in which Postgres names things.
- `silence`: no answer, or the gateway's word that PostgREST broke off.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from rowcast.fuzz.calls import Call
    from rowcast.fuzz.people import Person, Victim


def _is_deep(call: Call) -> bool:
    body = call.body or b""
    return b"[" * 1000 in body or body.count(b'{"') > 1000


def _has_pattern(call: Call) -> bool:
    return any(re.search(r"\bi?match(?:\(\w+\))?\.", part) for pair in call.query for part in pair)


def _is_broken_form(call: Call) -> bool:
    try:
        unquote_to_bytes(call.body or b"").decode()
    except UnicodeDecodeError:
        return ("Content-Type", "application/x-www-form-urlencoded") in call.headers
    return False


def _cuts_by_another_table(call: Call) -> bool:
    names = {name for name, _ in call.query}
    by_another = any(name == "order" and "(" in text for name, text in call.query)
    return call.method in {"PATCH", "DELETE"} and bool(names & {"limit", "offset"}) and by_another


@dataclass(frozen=True, slots=True)
class Fault:
    """A server error of PostgREST's own: its code, or its text, and the requests that it is for."""

    code: str
    why: str
    fits: Callable[[Call], bool]


# What no SQL can prevent. Any other server error is a finding, and so are these for other requests.
ACCEPTED = (
    Fault("57014", "a regular expression ran into the role's time limit", _has_pattern),
    Fault("57014", "deeply nested JSON ran into the role's time limit", _is_deep),
    Fault("54001", "JSON deeper than Postgres's stack; PostgREST 12 says 413", _is_deep),
    Fault("Something went wrong", "a form that is not UTF-8", _is_broken_form),
    Fault("Something went wrong", "a write cut by another table's order", _cuts_by_another_table),
)

# An answer may say: names of the API's own tables, columns, functions and constraints, types and
# operators of Postgres, and what the client sent. It may not say any of these:
_TELLING = {
    "a name qualified by a hidden schema": r"\b(?:private|ml|auth|vault|cron|net|storage)\.[a-z_]+",
    "SQL text": r"\b(?:SQL statement|SQL function|SQL expression)\b",
    "a line of a function": r"PL/pgSQL function|\bat (?:RAISE|assignment)\b",
    "a stack trace": r"Traceback \(most recent|CallStack|\bat [\w.<>]+ \(.*:\d+:\d+\)",
    "a file": r"(?<![\w/.])/(?:home|usr|tmp|var|opt|root|etc)/\w|\.(?:hs|py|ts|c):\d+",
    "the values of a row": r"Failing row contains",
}
_PATTERNS = {name: re.compile(pattern) for name, pattern in _TELLING.items()}
_IN_QUOTES = re.compile(r'"([a-z_][a-z_0-9]*)"')


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that an answer broke; `what` is short and the same for the same defect."""

    rule: str
    what: str


def judge(
    call: Call,
    person: Person,
    answer: httpx.Response,
    victim: Victim,
    hidden: frozenset[str] = frozenset(),
) -> Finding | None:
    """The first rule that this answer breaks."""
    text = answer.text
    return (
        _status(call, answer, text)
        or (None if person.name in {"admin", "backend"} else _leak(text, victim))
        or (_schema(call, text, hidden) if answer.status_code >= 400 else None)
    )


def code_of(text: str) -> str:
    """The code of an error, empty where there is none."""
    try:
        content = json.loads(text)
    except ValueError:
        return ""
    return str(content.get("code", "")) if isinstance(content, dict) else ""


def accepted(call: Call, answer: httpx.Response) -> str | None:
    """Why this server error is PostgREST's own; None where it is a defect."""
    said = code_of(answer.text) or answer.text
    for fault in ACCEPTED:
        if answer.status_code == 500 and said == fault.code and fault.fits(call):
            return fault.why
    return None


def _status(call: Call, answer: httpx.Response, text: str) -> Finding | None:
    if answer.status_code < 500 or accepted(call, answer):
        return None
    return Finding(
        "status", f"{answer.status_code} {code_of(text) or text[:60] or 'without a body'}"
    )


def _leak(text: str, victim: Victim) -> Finding | None:
    if victim.marker in text:
        return Finding("leak", "the victim's marker in an answer")
    if any(identifier in text for identifier in victim.secret_ids):
        return Finding("leak", "an id of the victim's rows that nobody sent")
    return None


def _schema(call: Call, text: str, hidden: frozenset[str]) -> Finding | None:
    """Look at what the error says, less what it repeats of the request."""
    said, sent = _words(text), call.sent
    for name, pattern in _PATTERNS.items():
        found = pattern.search(said)
        if found and found[0] not in sent:
            return Finding("schema", f"{name}: {found[0][:60]}")
    for name in _IN_QUOTES.findall(said):
        if name in hidden and name not in sent:
            return Finding("schema", f"a hidden name: {name}")
    return None


def _words(text: str) -> str:
    """The texts of an error in PostgREST's shape, or all of another."""
    try:
        content = json.loads(text)
    except ValueError:
        return text
    if not isinstance(content, dict):
        return text
    return "\n".join(str(content.get(name) or "") for name in ("message", "details", "hint"))
