"""Who sends the requests, and the victim whose rows nobody else may see or change."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
from psycopg import sql

from rowcast.errors import RowcastError
from rowcast.fuzz.document import Resource, resources
from rowcast.fuzz.nasty import Pool

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rowcast.fuzz.document import Field

Connection = psycopg.Connection[tuple[Any, ...]]

_PASSWORD = "correct horse battery"  # noqa: S105 - of accounts that live as long as a run
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_QUIET_SECONDS = 10.0
# What ends the caller's own session has its turn in the run, not while rows are planted.
_ENDS = {"/rpc/sign_out_everywhere"}


@dataclass(frozen=True, slots=True)
class Site:
    """Where the Data API is, and the keys of its project. Without `db_url` nothing asks SQL."""

    api_url: str
    publishable_key: str
    secret_key: str
    db_url: str | None = None


@dataclass(slots=True)
class Person:
    """Somebody with a role: `name` is anon, user, admin or backend."""

    name: str
    key: str
    user_id: str | None = None
    token: str | None = None
    resources: tuple[Resource, ...] = ()

    @property
    def headers(self) -> dict[str, str]:
        """What makes a request this person's."""
        found = {"apikey": self.key}
        return found | ({"Authorization": f"Bearer {self.token}"} if self.token else {})

    @property
    def credentials(self) -> list[str]:
        """The same for a shell."""
        key = "SUPABASE_SECRET_KEY" if self.name == "backend" else "SUPABASE_PUBLISHABLE_KEY"
        return [f"apikey: ${key}", *(["authorization: Bearer $TOKEN"] if self.token else [])]

    def read_document(self, client: httpx.Client) -> None:
        """Learn which tables and functions this role is shown."""
        answer = client.get("/rest/v1/", headers=self.headers)
        if answer.status_code != 200:
            raise RowcastError(
                f"the API does not describe itself to {self.name}: {answer.status_code}",
                "check the URL and the key",
            )
        self.resources = resources(answer.json())


@dataclass(slots=True)
class Victim:
    """An account with rows that carry `marker`, which no request ever sends."""

    person: Person
    marker: str
    # Half of the ids of the rows are sent by attackers who have guessed them; the others never.
    guessed_ids: tuple[str, ...] = ()
    secret_ids: tuple[str, ...] = ()
    planted: list[str] = field(default_factory=list)
    bare: list[str] = field(default_factory=list)


def sign_up(client: httpx.Client, site: Site, name: str, display_name: str = "Ann") -> Person:
    """A new account with a token."""
    answer = client.post(
        "/auth/v1/signup",
        headers={"apikey": site.publishable_key},
        json={
            "email": f"fuzz-{secrets.token_hex(8)}@example.com",
            "password": _PASSWORD,
            "data": {"display_name": display_name},
        },
    )
    content = answer.json() if answer.status_code == 200 else {}
    if "access_token" not in content:
        raise RowcastError(
            f"sign-up gave no session: {answer.status_code} {answer.text[:200]}",
            "e-mail confirmation must be off, and sign-ups allowed",
        )
    return Person(name, site.publishable_key, content["user"]["id"], content["access_token"])


def make_admin(site: Site, person: Person) -> bool:
    """Give the role `admin` in the tables; False where this database knows no roles."""
    if site.db_url is None:
        return False
    with psycopg.connect(site.db_url) as connection:
        if connection.execute("select to_regclass('public.user_roles')").fetchone() == (None,):
            return False
        connection.execute(
            "insert into public.user_roles (user_id, role) values (%s, 'admin')", [person.user_id]
        )
    return True


def plant(client: httpx.Client, site: Site) -> Victim:
    """Sign somebody up and leave the marker in every text that the account can reach."""
    marker = f"marker-{secrets.token_hex(8)}"
    victim = Victim(sign_up(client, site, "victim", marker), marker)
    victim.person.read_document(client)
    for resource in victim.person.resources:
        if resource.is_function:
            _call_plainly(client, victim.person, resource, marker)
    if site.db_url is not None:
        with psycopg.connect(site.db_url) as connection:
            _insert(connection, victim)
    _settle(client, victim)
    return victim


def _call_plainly(client: httpx.Client, person: Person, function: Resource, text: str) -> None:
    if function.path in _ENDS:
        return
    arguments = {field.name: _own(field, text) for field in function.fields}
    known = {name: value for name, value in arguments.items() if value is not None}
    client.post(f"/rest/v1{function.path}", headers=person.headers, json=known)


def _own(field: Field, marker: str) -> Any:
    if field.labels:
        return field.labels[0]
    if field.format == "text":
        return f"{marker}-{field.name}"
    if "double" in field.format or "numeric" in field.format:
        return 12.5
    return None


def own_something(client: httpx.Client, person: Person) -> None:
    """Call every function once with plain arguments, so that ids of one's own are there."""
    for function in person.resources:
        if function.is_function:
            _call_plainly(client, person, function, "own")


def pool_of(client: httpx.Client, person: Person) -> Pool:
    """Ids and words that this person reads in the tables, and the names of their columns."""
    ids: set[str] = {person.user_id} if person.user_id else set()
    words, names = {"a", "Ann"}, {"a"}
    for table in person.resources:
        if not table.is_function:
            names.update(field.name for field in table.fields)
            answer = client.get(f"/rest/v1{table.path}?limit=5", headers=person.headers)
            for row in answer.json() if answer.status_code == 200 else ():
                texts = {value for value in row.values() if isinstance(value, str)}
                ids.update(text for text in texts if _UUID.fullmatch(text))
                words.update(text for text in texts if len(text) < 30)
    return Pool(tuple(sorted(ids)), tuple(sorted(words)), tuple(sorted(names)))


def tables_of(client: httpx.Client, victim: Victim) -> dict[str, list[str]]:
    """What the victim reads of each table: its rows as sorted JSON."""
    found = {}
    for table in victim.person.resources:
        if not table.is_function:
            answer = client.get(f"/rest/v1{table.path}", headers=victim.person.headers)
            rows = answer.json() if answer.status_code == 200 else []
            found[table.path] = sorted(json.dumps(row, sort_keys=True) for row in rows)
    return found


def _settle(client: httpx.Client, victim: Victim) -> None:
    """Wait until the pipeline has answered what the victim's rows are owed; note their ids."""
    deadline = time.monotonic() + _QUIET_SECONDS
    before, now = None, tables_of(client, victim)
    while before != now and time.monotonic() < deadline:
        time.sleep(1.0)
        before, now = now, tables_of(client, victim)
    found = sorted(set(_UUID.findall(json.dumps(now))) - {str(victim.person.user_id)})
    victim.guessed_ids = (str(victim.person.user_id), *found[::2])
    victim.secret_ids = tuple(found[1::2])
    for path, rows in now.items():
        (victim.planted if victim.marker in "".join(rows) else victim.bare).append(path)


# --- rows that no function of the API makes ------------------------------------------------------

_COLUMNS = """
select a.attname, format_type(a.atttypid, null), a.attnotnull and not a.atthasdef,
  (select c.confrelid::regclass::text from pg_constraint as c
   where c.conrelid = a.attrelid and c.contype = 'f' and c.conkey = array[a.attnum] limit 1),
  (select e.enumlabel from pg_enum as e where e.enumtypid = a.atttypid order by enumsortorder
   limit 1),
  a.attname in ('user_id', 'owner_id')
from pg_attribute as a
where a.attrelid = %s::regclass and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
  and a.attidentity = ''
order by a.attnum
"""


def _insert(connection: Connection, victim: Victim) -> None:
    """A row in each table that names an owner, as role postgres; a refusal leaves it bare."""
    tables = connection.execute(
        "select distinct c.oid::regclass::text from pg_class as c join pg_attribute as a"
        " on a.attrelid = c.oid where c.relnamespace = 'public'::regnamespace"
        " and c.relkind in ('r', 'p') and a.attname in ('user_id', 'owner_id') order by 1"
    ).fetchall()
    for (table,) in tables:
        row = {
            name: _content(connection, victim, *rest)
            for name, *rest in connection.execute(_COLUMNS, [table]).fetchall()
        }
        known = {name: value for name, value in row.items() if value is not None}
        if victim.marker in str(known):  # else the row would tell nothing, and might give a right
            _try(connection, table, known)


def _content(
    connection: Connection,
    victim: Victim,
    kind: str,
    needed: bool,
    target: str | None,
    label: str | None,
    owner: bool,
) -> Any:
    """A value for one column; None to leave it out."""
    if owner or target == "auth.users":
        return victim.person.user_id if owner or needed else None
    if label is not None:
        return label
    if target is not None:
        return _key_of(connection, target) if needed else None
    if kind == "text":
        return victim.marker
    if kind in {"json", "jsonb"}:
        return json.dumps({"marker": victim.marker})
    known = {"integer": 90, "bigint": 90, "smallint": 1, "double precision": 12.5, "boolean": True,
             "numeric": 1, "real": 1, "bytea": b"x"}  # fmt: skip
    return known.get(kind, secrets.token_hex(16) if kind == "uuid" else None) if needed else None


def _key_of(connection: Connection, table: str) -> Any:
    """The first column of some row that a foreign key can point to."""
    row = connection.execute(sql.SQL("select * from {} limit 1").format(_named(table))).fetchone()
    return row[0] if row else None


def _named(table: str) -> sql.Identifier:
    return sql.Identifier(*(("public", table) if "." not in table else tuple(table.split("."))))


def _try(connection: Connection, table: str, row: dict[str, Any]) -> None:
    """Insert; where a check refuses a column, take a value that the check itself names."""
    tried: set[str] = set()
    while True:
        names = sql.SQL(", ").join(map(sql.Identifier, row))
        values = sql.SQL(", ").join([sql.Placeholder()] * len(row))
        insert = sql.SQL("insert into {} ({}) values ({})").format(_named(table), names, values)
        try:
            with connection.transaction():
                connection.execute(insert, list(row.values()))
            return
        except psycopg.errors.CheckViolation as refusal:
            constraint = refusal.diag.constraint_name or ""
            if constraint in tried or not _obey(connection, table, constraint, row):
                return
            tried.add(constraint)
        except psycopg.Error:
            return


def _obey(connection: Connection, table: str, constraint: str, row: dict[str, Any]) -> bool:
    """Change the columns of a check to the first text in its definition, or leave them out."""
    found = connection.execute(
        "select pg_get_constraintdef(c.oid), array(select a.attname::text from pg_attribute as a"
        " where a.attrelid = c.conrelid and a.attnum = any (c.conkey))"
        " from pg_constraint as c where c.conrelid = %s::regclass and c.conname = %s",
        [table, constraint],
    ).fetchone()
    if found is None:
        return False
    literals = re.findall(r"'([^']+)'::text", found[0])
    for column in found[1]:
        if column in row and literals and isinstance(row[column], str):
            row[column] = literals[0]
        else:
            row.pop(column, None)
    return True


_OWNED = """
select c.oid::regclass::text, array_agg(a.attname::text order by a.attnum)
from pg_class as c join pg_attribute as a on a.attrelid = c.oid
where c.relkind in ('r', 'p') and not c.relispartition
  and c.relnamespace in ('public'::regnamespace, 'private'::regnamespace)
  and a.atttypid = 'uuid'::regtype and a.attnum > 0 and not a.attisdropped
group by c.oid
"""


def checksums(site: Site, client: httpx.Client, victim: Victim) -> dict[str, str]:
    """One hash for each table, of the victim's rows: by SQL where it may, else as she reads them.

    A row counts as hers when one of its uuid columns holds her id.
    """
    rows: dict[str, Iterable[str]] = dict(tables_of(client, victim))
    if site.db_url is not None:
        with psycopg.connect(site.db_url) as connection:
            for table, columns in connection.execute(_OWNED).fetchall():
                hers = sql.SQL(" or ").join(
                    sql.SQL("t.{} = {}").format(sql.Identifier(name), victim.person.user_id)
                    for name in columns
                )
                query = sql.SQL("select to_jsonb(t)::text from {} as t where {} order by 1").format(
                    _named(table), hers
                )
                rows[f"sql:{table}"] = [text for (text,) in connection.execute(query).fetchall()]
    return {name: hashlib.sha256("\n".join(lines).encode()).hexdigest() for name, lines in
            rows.items()}  # fmt: skip
