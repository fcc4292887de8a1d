"""Rows of two people, and of nobody, in every table that row-level security guards for the API.

Made from the catalogue; plant.toml helps where it cannot tell.
"""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from tests.rls.people import HERE, Connection

if TYPE_CHECKING:
    from uuid import UUID

    from tests.rls.people import People

SPECIAL: dict[str, Any] = tomllib.loads((HERE / "plant.toml").read_text())

OWNER_COLUMNS = ("user_id", "owner_id", "actor_id", "id")

# What stands in a column that must be filled and has no default; by the category of its type.
BY_CATEGORY = {
    "S": "{mark}", "N": "1", "B": "true", "D": "now()", "T": "interval '1 hour'",
    "I": "'192.0.2.1'", "A": "'{{}}'",
}  # fmt: skip
BY_TYPE = {"uuid": "gen_random_uuid()", "jsonb": "'{{}}'", "json": "'{{}}'", "bytea": r"'\x00'"}

# Tables with row-level security on which a client's role has any right at all.
TABLES = """
select c.oid::regclass::text, format('%s.%s', n.nspname, c.relname)
from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and c.relrowsecurity and not c.relispartition
  and exists (
    select from unnest(array['anon', 'authenticated']) as r (role)
    where has_schema_privilege(role, n.oid, 'usage') and (
      has_table_privilege(role, c.oid, 'select,insert,update,delete')
      or has_any_column_privilege(role, c.oid, 'select,insert,update')
    )
  )
"""

COLUMNS = """
select a.attname, a.attnotnull, a.atthasdef or a.attidentity <> '' or a.attgenerated <> '',
  t.typname, t.typcategory,
  (select quote_literal(min(e.enumlabel)) from pg_enum as e where e.enumtypid = t.oid),
  coalesce(p.conkey @> array[a.attnum], false),
  f.confrelid::regclass::text, k.attname
from pg_attribute as a
join pg_type as b on b.oid = a.atttypid
join pg_type as t on t.oid = coalesce(nullif(b.typbasetype, 0), b.oid)
left join pg_constraint as p on p.conrelid = a.attrelid and p.contype = 'p'
left join pg_constraint as f
  on f.conrelid = a.attrelid and f.contype = 'f' and f.conkey = array[a.attnum]
left join pg_attribute as k on k.attrelid = f.confrelid and k.attnum = f.confkey[1]
where a.attrelid = %s::regclass and a.attnum > 0 and not a.attisdropped
order by a.attnum
"""


@dataclass(frozen=True, slots=True)
class Column:
    """A column as the catalogue has it."""

    name: str
    required: bool
    filled: bool
    type: str
    category: str
    label: str | None
    is_key: bool
    refers_table: str | None
    refers_column: str | None

    @property
    def refers(self) -> tuple[str, str] | None:
        return (self.refers_table, self.refers_column or "") if self.refers_table else None

    @property
    def is_persons(self) -> bool:
        return self.refers in {("auth.users", "id"), ("public.profiles", "id"), ("profiles", "id")}


@dataclass(frozen=True, slots=True)
class Table:
    """A guarded table and its planted rows, by whose they are: `ann`, `ben` or `nobody`."""

    name: str
    columns: tuple[Column, ...]
    owner: str | None
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def key(self) -> list[str]:
        return [column.name for column in self.columns if column.is_key]

    @property
    def before(self) -> str:
        return str(SPECIAL.get(self.name, {}).get("before", "select"))


def guarded_tables(db: Connection) -> list[Table]:
    """Those with row-level security that a client's role can reach, referred ones first."""
    db.execute("set local search_path = ''")
    found = {name: _table(db, regclass, name) for regclass, name in db.execute(TABLES).fetchall()}
    needs = {
        name: {column.refers[0] for column in table.columns if column.refers} - {name}
        for name, table in found.items()
    }
    return [found[name] for name in TopologicalSorter(needs).static_order() if name in found]


def plant(db: Connection, people: People) -> dict[str, Table]:
    """Plant them all; by name."""
    tables = {table.name: table for table in guarded_tables(db)}
    for table in tables.values():
        owners: dict[str, UUID | None] = {"nobody": None}
        if table.owner is not None:
            owners = {"ann": people.ann, "ben": people.ben, **_if_nullable(table)}
        for whose, person in owners.items():
            table.rows[whose] = _row_of(db, tables, table, whose, person)
    return tables


def _table(db: Connection, regclass: str, name: str) -> Table:
    columns = tuple(Column(*row) for row in db.execute(COLUMNS, [regclass]).fetchall())
    return Table(name, columns, _owner(name, columns))


def _owner(name: str, columns: tuple[Column, ...]) -> str | None:
    if "owner" in SPECIAL.get(name, {}):
        return str(SPECIAL[name]["owner"])
    named = {column.name: column for column in columns}
    for wanted in OWNER_COLUMNS:
        if wanted in named and (wanted != "id" or named[wanted].is_persons):
            return wanted
    return None


def _if_nullable(table: Table) -> dict[str, None]:
    (owner,) = (column for column in table.columns if column.name == table.owner)
    return {} if owner.required else {"nobody": None}


def _row_of(
    db: Connection, tables: dict[str, Table], table: Table, whose: str, person: UUID | None
) -> dict[str, Any]:
    """The row that a trigger has made already, as for a profile, or else a new one."""
    name = sql.SQL(table.name)
    if table.owner and person:
        query = sql.SQL("select to_jsonb(t) from {} as t where {}::text = %s")
        made = db.execute(query.format(name, sql.Identifier(table.owner)), [str(person)]).fetchone()
        if made:
            return dict(made[0])
    values = _values(tables, table, whose, person)
    insert = sql.SQL(
        "insert into {} as t ({}) overriding system value values ({}) returning to_jsonb(t)"
    ).format(
        name,
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join(map(sql.SQL, values.values())),
    )
    try:
        with db.transaction():
            planted = db.execute(insert).fetchone()
    except psycopg.Error as error:
        raise AssertionError(
            f"no row of {whose} can be planted in {table.name}: {error}\n"
            f'Say in tests/rls/plant.toml what its columns take: ["{table.name}"]'
        ) from error
    assert planted is not None
    return dict(planted[0])


def _values(
    tables: dict[str, Table], table: Table, whose: str, person: UUID | None
) -> dict[str, str]:
    """Column → SQL expression, for those that need one."""
    words = {
        "person": f"'{person}'" if person else "null",
        "mark": f"'planted_{whose}'",
    }
    special = SPECIAL.get(table.name, {}).get("columns", {})
    values = {}
    for column in table.columns:
        text = special.get(column.name) or _value(tables, table, column, whose)
        if text is not None:
            values[column.name] = text.format(**words)
    return values


def _value(tables: dict[str, Table], table: Table, column: Column, whose: str) -> str | None:
    if column.name == table.owner or (column.is_persons and column.required):
        return "{person}"
    if not column.required or column.filled:
        return None
    if column.refers:
        return _reference(tables, column.refers, whose)
    if column.label:
        return column.label
    return BY_TYPE.get(column.type) or BY_CATEGORY.get(column.category)


def _reference(tables: dict[str, Table], refers: tuple[str, str], whose: str) -> str:
    """The planted row of the same person, of nobody, or else any."""
    table, column = refers
    rows = tables[table].rows if table in tables else {}
    row = rows.get(whose) or rows.get("nobody")
    if row:
        return literal(row[column]).replace("{", "{{").replace("}", "}}")
    return f"(select {column} from {table} limit 1)"


def literal(value: Any) -> str:
    """A JSON value as an SQL literal of unknown type."""
    if value is None:
        return "null"
    text = value if isinstance(value, str) else json.dumps(value)
    return "'" + text.replace("'", "''") + "'"


def fill(text: str, row: dict[str, Any]) -> str:
    """`{column}` in the text becomes the row's value as a literal."""
    return re.sub(r"\{(\w+)\}", lambda found: literal(row[found[1]]), text)
