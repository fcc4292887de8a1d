"""docs/reference/access.md: who may do what, by tests/rls/access.toml and the database's comments.

The tests beside access.toml hold it against the database, so what is said here was tried.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

from rowcast.stack import bootstrap, paths

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

    Connection = psycopg.Connection[tuple[Any, ...]]
    Entry = dict[str, Any]

SOURCE = paths.CHECKOUT / "tests/rls/access.toml"
DOCUMENT = paths.CHECKOUT / "docs/reference/access.md"

_HEAD = """\
# Who may do what

Made by `./rowcast access` from `tests/rls/access.toml` and the comments in the database; do not
edit. The tests beside that file try every cell, and take away every policy to see that a cell
changes. What is not here is refused.

Rows are `own`, `others` (another person's), `shared` (of nobody) or `all` of these. An answer of a
function holds the same, or `ok` where it is about nobody's rows, or `nothing`; a word in capitals
is [the refusal](error-codes.md), a dash no right to call it.
"""

_NOBODY = "\u2013"


def document(connection: Connection) -> str:
    """The text of the file."""
    access = tomllib.loads(SOURCE.read_text())
    said = _comments(connection)
    parts = [_HEAD, _people(access)]
    for title, names in _domains(access).items():
        parts.append(f"## {title}\n")
        parts += [_table(access, name, said) for name in names if name in _tables(access)]
        functions = [name for name in names if name in access["calls"]]
        if functions:
            parts.append(_functions(access, functions, said))
    parts.append(_servers(access))
    return "\n".join(parts)


def _comments(connection: Connection) -> dict[str, str]:
    """Table or function → the first line of its comment."""
    with connection.transaction():
        connection.execute("set local search_path = ''")
        rows = connection.execute(
            "select oid::pg_catalog.regclass::text, pg_catalog.obj_description(oid, 'pg_class')"
            " from pg_catalog.pg_class where relkind in ('r', 'p', 'v')"
            " union all"
            " select oid::pg_catalog.regprocedure::text, pg_catalog.obj_description(oid, 'pg_proc')"
            " from pg_catalog.pg_proc where pronamespace::pg_catalog.regnamespace::text = 'public'"
        ).fetchall()
    return {name: (comment or "").split("\n")[0] for name, comment in rows}


def _tables(access: Entry) -> set[str]:
    """The tables that a client's role has a right on."""
    clients = {persona["role"] for persona in access["personas"].values()}
    granted = {name for name, roles in access["tables"].items() if clients & set(roles)}
    return granted | set(access["rows"])


def _domains(access: Entry) -> dict[str, list[str]]:
    """Title → tables and functions, by the migration that makes them."""
    names = [*_tables(access), *access["calls"]]
    found: dict[str, list[str]] = {}
    for file in bootstrap.migration_files():
        text = file.read_text()
        title = file.stem.split("_", 1)[1].replace("_", " ").capitalize()
        made = [(place, name) for name in names if (place := _made_at(text, name)) is not None]
        for _, name in sorted(made):
            found.setdefault(title, []).append(name)
            names.remove(name)
    return {**found, "Of the platform": sorted(names)} if names else found


def _made_at(text: str, name: str) -> int | None:
    schema, _, rest = name.partition("(")[0].partition(".")
    marks = [f"-- file: sql/functions/{schema}/{rest}.sql\n", f"create table {schema}.{rest} "]
    return next((text.index(mark) for mark in marks if mark in text), None)


# -- the parts -------------------------------------------------------------------------------------


def _people(access: Entry) -> str:
    lines = []
    for name, about in access["personas"].items():
        who = "a person who owns rows" if about.get("is") == "owner" else about.get("is", "")
        if about.get("like"):
            who += f"; may do what {about['like']} may, unless it is listed apart"
        if about.get("like") == about.get("is") == "owner":
            who = "an API key of the owner's; may do what owner may, unless it is listed apart"
        lines.append((f"`{name}`", who, f"`{about['role']}`"))
    return "## Who\n\n" + _markdown(("who", "", "database role"), lines)


def _table(access: Entry, name: str, said: dict[str, str]) -> str:
    """Whoever may do the same shares a line."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for persona, about in access["personas"].items():
        grants = access["tables"].get(name, {}).get(about["role"], {})
        rows = _rows(access, name, persona, about, grants)
        if rows:
            cells = (_cell(verb, rows, grants) for verb in ("select", "insert", "update", "delete"))
            alike.setdefault(tuple(cells), []).append(f"`{persona}`")
    lines = [(", ".join(people), *cells) for cells, people in alike.items()]
    table = _markdown(("who", "reads", "inserts", "updates", "deletes"), lines)
    parts = [f"### {name.removeprefix('public.')}\n", f"{said.get(name, '')}\n", table]
    return "\n".join(part for part in parts if part.strip())


def _rows(access: Entry, table: str, persona: str, about: Entry, grants: Entry) -> Entry:
    """Verb → whose rows. Row-level security says nothing to the secret key: its grants decide."""
    if about["role"] == "service_role":
        return dict.fromkeys(grants, "all")
    entry = access["rows"].get(table, {})
    if persona in entry or "like" in about:
        return dict(entry.get(persona, {}))
    return dict(entry.get("everyone", {})) if about["role"] == "authenticated" else {}


def _cell(verb: str, rows: Entry, grants: Entry) -> str:
    if verb not in rows:
        return ""
    whose = rows[verb] if isinstance(rows[verb], str) else ", ".join(rows[verb])
    columns = grants.get(verb, "*")
    if columns in ("*", True):
        return str(whose)
    return f"{whose}: {', '.join(f'`{column}`' for column in columns)}"


def _functions(access: Entry, functions: list[str], said: dict[str, str]) -> str:
    people = [name for name, about in access["personas"].items() if "like" not in about]
    lines = []
    for function in functions:
        found = access["calls"][function]
        for number, case in enumerate(found if isinstance(found, list) else [found]):
            roles = access["functions"].get(function, [])
            cells = [
                _outcome(access["personas"][name]["role"] in roles, name, case) for name in people
            ]
            about = said.get(function, "") if number == 0 else ""
            lines.append((_call(function, case), about, *cells))
    return "### Functions\n\n" + _markdown(("call", "", *people), lines)


def _call(function: str, case: Entry) -> str:
    """Without types; the arguments only tell whom or what a call is about."""
    name = function.partition("(")[0].removeprefix("public.")
    about = re.sub(r"\{(?:\w+\.)*(\w+)\}", r"\1", case.get("with", ""))
    return f"`{name}({about})`".replace("|", "\\|")


def _outcome(may_call: bool, persona: str, case: Entry) -> str:
    if not may_call:
        return _NOBODY
    outcome = str(case.get(persona, case.get("everyone", "")))
    return f"`{outcome}`" if outcome.isupper() else outcome


def _servers(access: Entry) -> str:
    """What the roles that belong to servers may call; they have no right on any table."""
    clients = {about["role"] for about in access["personas"].values()}
    found: dict[str, list[str]] = {}
    for function, roles in access["functions"].items():
        for role in roles:
            if role not in clients:
                found.setdefault(role, []).append(function)
    lines = [
        (f"`{role}`", ", ".join(f"`{name.partition('(')[0]}`" for name in sorted(names)))
        for role, names in sorted(found.items())
    ]
    return "## Servers\n\nThey may call these functions and nothing else.\n\n" + _markdown(
        ("role", "functions"), lines
    )


def _markdown(heading: tuple[str, ...], lines: Sequence[tuple[str, ...]]) -> str:
    rule = ("---",) * len(heading)
    return "".join("| " + " | ".join(line) + " |\n" for line in (heading, rule, *lines))
