"""Values that break things, and values that do not, as Hypothesis strategies by Postgres type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from rowcast.fuzz.document import Field


@dataclass(frozen=True, slots=True)
class Pool:
    """What is known of the rows that are there: ids, short texts in them, names of columns."""

    ids: tuple[str, ...]
    words: tuple[str, ...]
    names: tuple[str, ...]


MEGABYTE = "x" * 1_000_000

TEXTS = (
    "",
    " ",
    "'",
    '"',
    "''; select pg_sleep(3) --",
    "' or '1'='1",
    "x'); drop table public.profiles; --",
    "$$; select 1; $$",
    "1; set role postgres",
    "' union select rolpassword from pg_authid --",
    "\\",
    "\\x00",
    "\x00",
    "a\x00b",
    "\ud800",
    "\udfff\ud800",
    "\u202eexe.txt",
    "\u200f\u2066x",
    "e\u0301" * 50,
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\u0130\u0131\u017f\u212a",
    "%s%s%n%x",
    "{0.__class__}",
    "{{7*7}}",
    "${jndi:ldap://127.0.0.1/x}",
    "../../../etc/passwd",
    "%2e%2e%2f",
    "\r\nSet-Cookie: a=b",
    '{"a": {"b": [null]}}',
    "[[1,[2]],3]",
    "{1,2,{3}}",
    "(1,2)",
    "null",
    "NULL",
    "true",
    "NaN",
    "<script>alert(1)</script>",
    "*" * 300,
    "(" * 300,
    "a" * 101,
    "a" * 501,
    "ml.jobs",
    "private.pickup_transitions",
    "pg_authid",
)
NUMBERS = (
    0, -1, 1, 32767, 32768, 2147483647, 2147483648, -2147483649, 9223372036854775807,
    9223372036854775808, 1e308, -1e308, 5e-324, 1e-308, 0.1, 90, -90.0000001, 180, 10**400,
)  # fmt: skip
NOT_NUMBERS = ("NaN", "Infinity", "-Infinity", "1e400", "0x10", "1_000", "٣", "1,5", "--1")
TIMES = (
    "infinity", "-infinity", "now", "4714-11-24 BC", "4715-01-01 BC", "294276-12-31T23:59:59Z",
    "294277-01-01", "0000-00-00", "2024-02-30", "2024-02-29T24:00:00+14:59", "epoch", "J2451187",
    "2024-01-01T00:00:00 America/Nowhere", "1970-01-01T00:00:60Z",
)  # fmt: skip
UUIDS = (
    "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", "{}", "x",
    "00000000000000000000000000000001", "{00000000-0000-0000-0000-000000000001}",
)  # fmt: skip


def nested(depth: int) -> list[Any]:
    """Lists within lists."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


_TEXT = st.one_of(
    st.sampled_from(TEXTS),
    st.text(max_size=20),
    st.sampled_from(TEXTS),
    st.integers(0, 19).map(lambda n: MEGABYTE if n == 19 else "short"),
)
_SCALAR = st.one_of(
    st.sampled_from(NUMBERS), st.none(), st.booleans(), _TEXT, st.sampled_from(NOT_NUMBERS)
)
_WORD = st.one_of(st.sampled_from(("Ann", "en", "UTC", None, "2030-01-01T00:00:00Z")), _SCALAR)
ANYTHING = st.one_of(
    _SCALAR,
    st.lists(_SCALAR, max_size=3),
    st.dictionaries(st.sampled_from(("a", "", "role", "0", "__proto__")), _SCALAR, max_size=3),
    st.sampled_from((2, 90, 300)).map(nested),
)


def text() -> st.SearchStrategy[str]:
    """Any text, nasty as a rule."""
    return _TEXT


def good(field: Field, pool: Pool) -> st.SearchStrategy[Any]:
    """Values of the field's own type, such as are in rows that exist."""
    kind = field.format
    if field.labels:
        return st.sampled_from(field.labels)
    if kind.endswith("[]") or kind == "array":
        return st.lists(st.sampled_from(("a", "b")), max_size=3)
    for known, strategy in (
        ("uuid", st.sampled_from(pool.ids)),
        ("int", st.integers(0, 100)),
        ("double", st.floats(-80, 80, allow_nan=False)),
        ("real", st.floats(-80, 80, allow_nan=False)),
        ("numeric", st.floats(0, 100, allow_nan=False)),
        ("bool", st.booleans()),
        ("timestamp", st.datetimes().map(lambda moment: f"{moment.isoformat()}Z")),
        ("date", st.dates().map(str)),
        ("json", st.dictionaries(st.sampled_from(pool.names), _WORD, max_size=2)),
    ):
        if known in kind:
            return strategy
    return st.one_of(st.sampled_from(pool.words), st.sampled_from(pool.words + pool.ids))


def bad(field: Field) -> st.SearchStrategy[Any]:
    """Values that the field's type, or its reader, may stumble over."""
    kind = field.format
    special: tuple[Any, ...] = TEXTS
    if "int" in kind or "double" in kind or "numeric" in kind or "real" in kind:
        special = NUMBERS + NOT_NUMBERS
    elif "timestamp" in kind or "date" in kind:
        special = TIMES
    elif "uuid" in kind:
        special = UUIDS
    return st.one_of(st.sampled_from(special), ANYTHING)


def value(field: Field, pool: Pool) -> st.SearchStrategy[Any]:
    """Two good values for each bad one, so that the code behind the parser is reached."""
    fine = good(field, pool)
    return st.one_of(fine, fine, bad(field))
