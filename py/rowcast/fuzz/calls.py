"""One request, and strategies that draw requests to a table or a function."""

from __future__ import annotations

import base64
import csv
import io
import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hypothesis import strategies as st

from rowcast.fuzz import nasty

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rowcast.fuzz.document import Field, Resource

OPERATORS = (
    "eq", "neq", "gt", "gte", "lt", "lte", "like", "ilike", "match", "imatch", "in", "is", "fts",
    "isdistinct", "plfts", "phfts", "wfts", "fts(english)", "cs", "cd", "ov", "sl", "sr", "nxr",
    "nxl", "adj", "like(any)", "eq(any)", "gt(all)", "nothing",
)  # fmt: skip
CASTS = (
    "text", "int", "int8", "jsonb", "uuid", "timestamptz", "regclass", "regrole", "xml", "float8",
    "bytea", "text[]", "oid", "name", "bit", "money", "interval", "inet",
)  # fmt: skip
PREFERENCES = (
    "count=exact", "count=planned", "count=estimated", "return=representation", "return=minimal",
    "return=headers-only", "resolution=merge-duplicates", "resolution=ignore-duplicates",
    "missing=default", "tx=rollback", "tx=commit", "handling=strict", "handling=lenient",
    "timezone=UTC", "timezone='; drop", "max-affected=1", "params=single-object",
    "params=multiple-objects", "count=", "=", "respond-async",
)  # fmt: skip
ACCEPTS = (
    "application/json", "text/csv", "application/vnd.pgrst.object+json", "text/plain", "*/*",
    "application/vnd.pgrst.object+json;nulls=stripped", "application/octet-stream", "text/xml",
    "application/vnd.pgrst.plan+json; options=analyze|verbose|settings|buffers|wal", "x",
    "application/vnd.pgrst.plan+text", "application/geo+json", "application/openapi+json",
)  # fmt: skip
PROFILES = ("public", "ml", "private", "auth", "pg_catalog", "vault", "")
RANGES = ("0-0", "0-", "-1", "5-2", "99999999999999999999-", "0-99999999999999999999", "x")
LIMITS = ("0", "1", "-1", "1001", "99999999999999999999", "1.5", "x", "")
# A query must fit the head of a request, or nobody behind the gateway sees it.
_LONGEST = 2000
FOREIGN = ("users", "jobs", "auth.users", "pg_authid", "decrypted_secrets", "")


@dataclass(frozen=True, slots=True)
class Call:
    """A request to the Data API, before anybody's key is added."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None

    @property
    def target(self) -> str:
        """Path and query as sent."""
        if not self.query:
            return self.path
        return self.path + "?" + "&".join(f"{_quoted(k)}={_quoted(v)}" for k, v in self.query)

    @property
    def sent(self) -> str:
        """Everything the client chose, as text; what an answer repeats of it is no secret."""
        parts = [*(f"{k}={v}" for k, v in self.query), *(v for _, v in self.headers), self.path]
        return "\n".join(parts) + "\n" + (self.body or b"").decode(errors="replace")

    def curl(self, credentials: Sequence[str]) -> str:
        """A command that sends it again; `credentials` are headers, with shell variables."""
        words = ["curl", "-sS", "-i", "-g", "-X", self.method]
        words += [f'"$SUPABASE_URL/rest/v1"{shlex.quote(self.target)}']
        words += [f'-H "{header}"' for header in credentials]
        words += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in self.headers]
        if self.body is None:
            return " ".join(words)
        text = self.body.decode(errors="replace")
        if text.isprintable() and len(text) < 2000:
            return " ".join([*words, "--data-binary", shlex.quote(text)])
        encoded = base64.b64encode(self.body).decode()
        return f"base64 -d <<< {encoded} | " + " ".join([*words, "--data-binary @-"])


def _quoted(text: str) -> str:
    return quote(text.encode(errors="surrogatepass"), safe="*().,:->!")


def to_table(
    table: Resource, others: Sequence[str], pool: nasty.Pool, *, writes: bool = True
) -> Any:
    """A strategy of requests to a table: reads, and unless told otherwise every other verb."""
    verbs = ("GET", "HEAD", *(("PUT", *table.verbs) if writes else ()))

    @st.composite
    def call(draw: st.DrawFn) -> Call:
        method = draw(st.sampled_from(verbs))
        query = draw(_query(table.fields, others, pool))
        headers = draw(_headers())
        if method in {"GET", "HEAD", "DELETE"}:
            return Call(method, table.path, query, headers)
        if method == "POST":
            query += draw(_pairs("on_conflict", table.fields))
        query += draw(_pairs("columns", table.fields))
        kind, body = draw(_rows(table.fields, pool, bulk=method == "POST"))
        return Call(method, table.path, query, (*headers, ("Content-Type", kind)), body)

    return call()


def to_function(
    function: Resource, pool: nasty.Pool, known: Sequence[Mapping[str, Any]] = ()
) -> Any:
    """A strategy of requests to a function, by GET and by POST; `known` are arguments that work."""
    meant = [_good_object(function.fields, pool)]
    if known:
        as_it_is = st.sampled_from(known).map(dict)
        changed = as_it_is.flatmap(lambda call: _one_changed(call, function, pool))
        meant = [as_it_is, *meant, changed]

    @st.composite
    def call(draw: st.DrawFn) -> Call:
        # A call as it is meant, so that the function's own code is reached. Hypothesis begins with
        # the simplest choices: no run is so short that it would not make the first known call.
        if not draw(st.booleans()):
            arguments = draw(st.one_of(meant))
            if draw(st.integers(0, 3)) == 3:
                return Call("GET", function.path, _as_query(arguments))
            body = json.dumps(arguments).encode()
            return Call("POST", function.path, (), (("Content-Type", "application/json"),), body)
        arguments = draw(_object(function.fields, pool))
        headers = draw(_headers())
        query = draw(st.sampled_from(((), (("select", "*"),), (("limit", "1"),))))
        if draw(st.booleans()):
            return Call("GET", function.path, _as_query(arguments) + query, headers)
        kind, body = draw(_encoded(arguments))
        return Call("POST", function.path, query, (*headers, ("Content-Type", kind)), body)

    return call()


def _as_query(arguments: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Arguments as they stand in a query; a list as Postgres writes it."""
    return tuple(
        (name, _plain(_literal(value) if isinstance(value, list) else value)[:_LONGEST])
        for name, value in arguments.items()
    )


def _literal(value: Sequence[Any]) -> str:
    return "{" + ",".join(_plain(part) for part in value) + "}"


def _one_changed(
    arguments: Mapping[str, Any], function: Resource, pool: nasty.Pool
) -> st.SearchStrategy[dict[str, Any]]:
    """Arguments that work but for one of them, or for one place within it."""

    @st.composite
    def draw_one(draw: st.DrawFn) -> dict[str, Any]:
        field = draw(st.sampled_from(function.fields or (None,)))
        if field is None:
            return dict(arguments)
        old = arguments.get(field.name)
        if isinstance(old, dict | list) and draw(st.integers(0, 3)) > 0:
            return {**arguments, field.name: draw(_changed_within(old))}
        return {**arguments, field.name: draw(nasty.value(field, pool))}

    return draw_one()


def _changed_within(value: Any) -> st.SearchStrategy[Any]:
    """A document with one place replaced or left out."""

    @st.composite
    def draw_one(draw: st.DrawFn) -> Any:
        if not isinstance(value, dict | list) or not value or draw(st.integers(0, 4)) == 4:
            return draw(nasty.ANYTHING)
        if isinstance(value, list):
            place = draw(st.integers(0, len(value) - 1))
            return [*value[:place], draw(_changed_within(value[place])), *value[place + 1 :]]
        name = draw(st.sampled_from(sorted(value)))
        if draw(st.integers(0, 4)) == 4:
            return {key: content for key, content in value.items() if key != name}
        return {**value, name: draw(_changed_within(value[name]))}

    return draw_one()


def _plain(value: Any) -> str:
    """A value as it stands in a query."""
    return value if isinstance(value, str) else json.dumps(value)


def _good_object(fields: Sequence[Field], pool: nasty.Pool) -> st.SearchStrategy[dict[str, Any]]:
    values = {field.name: nasty.good(field, pool) for field in fields}
    needed = {field.name: values[field.name] for field in fields if field.required}
    return st.fixed_dictionaries(
        needed, optional={k: v for k, v in values.items() if k not in needed}
    )


def _object(fields: Sequence[Field], pool: nasty.Pool) -> st.SearchStrategy[dict[str, Any]]:
    """Required fields, most of the others, and at times one nobody knows."""

    @st.composite
    def draw_one(draw: st.DrawFn) -> dict[str, Any]:
        whole = draw(st.integers(0, 3)) > 0
        found: dict[str, Any] = {}
        for field in fields:
            if (field.required and whole) or draw(st.booleans()):
                found[field.name] = draw(nasty.value(field, pool))
        if draw(st.integers(0, 9)) == 9:
            extra = st.sampled_from(("role", "is_admin", "user_id", "\x00", "a b", ""))
            found[draw(extra)] = draw(nasty.ANYTHING)
        return found

    return draw_one()


def _rows(
    fields: Sequence[Field], pool: nasty.Pool, *, bulk: bool
) -> st.SearchStrategy[tuple[str, bytes]]:
    one = _object(fields, pool)
    if not bulk:
        return one.flatmap(_encoded)
    return st.one_of(one.flatmap(_encoded), st.lists(one, max_size=3).flatmap(_encoded))


def _encoded(content: Any) -> st.SearchStrategy[tuple[str, bytes]]:
    """The content as JSON as a rule; also as CSV, as a form, broken, or nested to the brim."""
    whole = json.dumps(content).encode()
    as_json = st.just(("application/json", whole))
    strange = st.sampled_from(
        (
            ("application/json", whole[:-1]),
            ("application/json", b""),
            ("application/json", b"[" * 100_000 + b"]" * 100_000),
            ("application/json", b'{"a":' * 20_000 + b"1" + b"}" * 20_000),
            ("application/json", b'"text"'),
            ("application/json", b"\xff\xfe"),
            ("application/json", b'{"a":1,"a":2}'),
            ("application/json", b"NaN"),
            ("text/csv", _csv(content)),
            ("text/csv", b"a,b\n1\n"),
            ("text/csv", b"\x00"),
            ("application/x-www-form-urlencoded", b"a=1&a=2&%00=%ff"),
            ("text/plain", whole),
            ("application/octet-stream", whole),
            ("application/geo+json", whole),
            ("x", whole),
        )
    )
    return st.one_of(as_json, as_json, as_json, strange)


def _csv(content: Any) -> bytes:
    rows = content if isinstance(content, list) else [content]
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(rows[0] if rows else [])
    for row in rows:
        writer.writerow(_plain(value) for value in row.values())
    return file.getvalue().encode(errors="replace")


def _query(
    fields: Sequence[Field], others: Sequence[str], pool: nasty.Pool
) -> st.SearchStrategy[tuple[tuple[str, str], ...]]:
    part = st.one_of(
        _filter(fields, pool),
        _filter(fields, pool),
        _logic(fields, pool),
        _select(fields, others).map(lambda text: ("select", text)),
        _order(fields, others).map(lambda text: ("order", text)),
        st.sampled_from(LIMITS).map(lambda text: ("limit", text)),
        st.sampled_from(LIMITS).map(lambda text: ("offset", text)),
        st.tuples(st.sampled_from([f"{name}.id" for name in others]), st.just("not.is.null")),
        st.tuples(nasty.text(), nasty.text()).map(_short),
    )
    return st.lists(part, max_size=3).map(tuple)


def _short(pair: tuple[str, str]) -> tuple[str, str]:
    return pair[0][:_LONGEST], pair[1][:_LONGEST]


def _filter(fields: Sequence[Field], pool: nasty.Pool) -> st.SearchStrategy[tuple[str, str]]:
    @st.composite
    def draw_one(draw: st.DrawFn) -> tuple[str, str]:
        field = draw(st.sampled_from(fields))
        name = field.name + draw(st.sampled_from(("", "", "", "->a", "->>a", "->0->>b", "->-1")))
        operator = draw(st.sampled_from(OPERATORS))
        text = _plain(draw(nasty.value(field, pool)))[:_LONGEST]
        if operator == "in":
            text = f"({text})"
        elif operator.endswith(("(any)", "(all)")):
            text = "{" + text + "}"
        return name, draw(st.sampled_from(("", "", "not."))) + f"{operator}.{text}"

    return draw_one()


def _logic(fields: Sequence[Field], pool: nasty.Pool) -> st.SearchStrategy[tuple[str, str]]:
    inside = st.lists(_filter(fields, pool).map(".".join), min_size=1, max_size=3)
    name = st.sampled_from(("or", "and", "not.or", "not.and"))
    return st.tuples(name, inside.map(lambda parts: f"({','.join(parts)})"))


def _select(fields: Sequence[Field], others: Sequence[str]) -> st.SearchStrategy[str]:
    names = [field.name for field in fields]
    name = st.sampled_from(names)
    related = st.sampled_from((*others, *FOREIGN))
    part = st.one_of(
        st.just("*"),
        name,
        st.tuples(name, st.sampled_from(CASTS)).map("::".join),
        st.tuples(name, st.sampled_from(("->a", "->>a", "->0->b::int"))).map("".join),
        st.tuples(name, st.sampled_from(("sum", "avg", "max", "count"))).map(
            lambda pair: f"{pair[0]}.{pair[1]}()"
        ),
        st.just("count()"),
        related.map(lambda other: f"{other}(*)"),
        related.map(lambda other: f"...{other}!inner(id)"),
        related.map(lambda other: f"x:{other}!left(*,{other}(*))"),
        nasty.text().map(lambda text: text[:2000]),
    )
    return st.lists(part, min_size=1, max_size=4).map(",".join)


def _order(fields: Sequence[Field], others: Sequence[str]) -> st.SearchStrategy[str]:
    name = st.sampled_from([field.name for field in fields])
    way = st.sampled_from(("", ".asc", ".desc.nullsfirst", ".nullslast", "->a.desc", ".x"))
    related = st.sampled_from([f"{other}(id)" for other in others])
    return st.one_of(st.tuples(name, way).map("".join), related, nasty.text().map(lambda x: x[:99]))


def _pairs(parameter: str, fields: Sequence[Field]) -> st.SearchStrategy[tuple[Any, ...]]:
    """`on_conflict` and `columns`: at times, some names."""
    names = st.lists(st.sampled_from([field.name for field in fields]), min_size=1, max_size=4)
    some = names.map(lambda chosen: ((parameter, ",".join(chosen)),))
    return st.one_of(st.just(()), st.just(()), some)


def _headers() -> st.SearchStrategy[tuple[tuple[str, str], ...]]:
    named: Mapping[str, Sequence[str]] = {
        "Accept": ACCEPTS, "Range": RANGES, "Accept-Profile": PROFILES, "Content-Profile": PROFILES,
        "X-HTTP-Method-Override": ("DELETE", "PATCH"), "Range-Unit": ("items", "bytes"),
    }  # fmt: skip
    prefer = st.lists(st.sampled_from(PREFERENCES), min_size=1, max_size=3, unique=True)
    one = st.one_of(
        prefer.map(lambda chosen: ("Prefer", ", ".join(chosen))),
        *(st.tuples(st.just(name), st.sampled_from(texts)) for name, texts in named.items()),
    )
    none: st.SearchStrategy[tuple[Any, ...]] = st.just(())
    return st.one_of(none, none, st.lists(one, max_size=2, unique_by=lambda h: h[0]).map(tuple))
