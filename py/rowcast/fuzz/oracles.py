"""What an answer must never be. Each finding names the rule that was broken.

- `status`: a 5xx. PostgREST's own are listed in ACCEPTED, each with its reason.
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

if TYPE_CHECKING:
    import httpx

    from rowcast.fuzz.calls import Call
    from rowcast.fuzz.people import Person, Victim

# Faults of PostgREST that no SQL can prevent, by the code in the answer, or its text without one.
ACCEPTED = {
    "57014": "the statement ran into the role's own time limit, which is what stops it",
    "54001": "JSON nested deeper than Postgres's stack: 413 from PostgREST 12, 500 from others",
    # What its web server says when PostgREST 12 itself fails; an error of the database has a code.
    # Known: a form that is not UTF-8; DELETE with offset and an order by another table.
    "Something went wrong": "PostgREST failed by itself",
}

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


def _status(call: Call, answer: httpx.Response, text: str) -> Finding | None:
    if answer.status_code < 500:
        return None
    code = code_of(text) or text[:60] or "without a body"
    if code in ACCEPTED or (call.method == "HEAD" and not text):
        return None  # GET says what HEAD cannot
    return Finding("status", f"{answer.status_code} {code}")


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
