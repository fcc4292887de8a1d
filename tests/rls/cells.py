"""The rows of the matrix: each persona tries each verb on each planted row.

A cell is (table, verb, persona, whose row); it is let through or not. `give` is an update that
makes the row somebody else's, tried as if the column were granted: the policy has to refuse it.
Updates and deletes name no row, as a client's may: a WHERE would bring in the policy for SELECT,
and hide what the one for UPDATE lets through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from psycopg import sql

from tests.rls.people import ACCESS, HERE, Connection, People, Persona, stated
from tests.rls.planting import Table, fill, literal, plant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PASSES = "service_role"  # row-level security says nothing to it: its grants are its limit
VERBS = ("select", "insert", "update", "delete", "give")
SCOPES = {"own": {"own"}, "others": {"others"}, "shared": {"shared"},
          "all": {"own", "others", "shared"}}  # fmt: skip


class Cell(NamedTuple):
    table: str
    verb: str
    persona: str
    whose: str

    def __str__(self) -> str:
        rows = {"own": "their own row", "others": "another's row", "shared": "a row of nobody"}
        return f"{self.persona} may {self.verb} {rows[self.whose]} of {self.table}"


class Trial(NamedTuple):
    """How a cell is tried."""

    cell: Cell
    role: str
    claims: str
    before: str
    statement: str
    probe: str


class World(NamedTuple):
    """Everybody, and everything that is theirs."""

    db: Connection
    people: People
    tables: dict[str, Table]


def make_world(db: Connection) -> World:
    """Plant the rows and bring what runs the trials."""
    from tests.rls.people import gather

    people = gather(db)
    tables = plant(db, people)
    db.execute((HERE / "tried.sql").read_bytes(), prepare=False)
    db.execute("set constraints all immediate")
    return World(db, people, tables)


def expected(tables: Iterable[Table]) -> set[Cell]:
    """What access.toml lets through, among the rows that there are."""
    return {
        Cell(table.name, verb, persona, whose)
        for table in tables
        for persona in ACCESS["personas"]
        for verb, scopes in _stated_verbs(table.name, persona).items()
        for whose in scopes & set(_rows_for(persona, table))
    }


def _stated_verbs(table: str, persona: str) -> dict[str, set[str]]:
    """Verb → whose rows, as the file says; `everyone` is everybody who is signed in."""
    entry = ACCESS["rows"].get(table, {})
    if ACCESS["personas"][persona]["role"] != "authenticated":
        entry = {name: verbs for name, verbs in entry.items() if name != "everyone"}
    return {
        verb: set().union(
            *(SCOPES[word] for word in ([scope] if isinstance(scope, str) else scope))
        )
        for verb, scope in (stated(entry, persona) or {}).items()
    }


def let_through(world: World, tables: Iterable[Table]) -> set[Cell]:
    """What the database lets through."""
    found = set()
    for table in tables:
        rights = _rights(world.db, table)
        trials = [
            trial
            for persona in world.people.personas
            if persona.role != PASSES
            for trial in _trials(table, persona, rights)
        ]
        found |= _try(world.db, [trial for trial in trials if trial.cell.verb != "give"])
        with world.db.transaction(force_rollback=True):
            if _open_owner(world.db, table):
                found |= _try(world.db, [trial for trial in trials if trial.cell.verb == "give"])
    return found


def _try(db: Connection, trials: list[Trial]) -> set[Cell]:
    """Those that were let through; an outcome that is neither fails with its cell."""
    outcomes = db.execute(
        "select pg_temp.tried(role, claims, before, statement, probe)"
        " from unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[])"
        " with ordinality as t (role, claims, before, statement, probe, n) order by n",
        [[trial[column] for trial in trials] for column in range(1, 6)],
    ).fetchall()
    found = set()
    for trial, (outcome,) in zip(trials, outcomes, strict=True):
        assert not outcome.startswith("error"), f"{trial.cell}: {outcome}\n{trial.statement}"
        if outcome in {"1", "CONSTRAINT"}:
            found.add(trial.cell)
    return found


def _rights(db: Connection, table: Table) -> dict[tuple[str, str], list[str]]:
    """(role, verb) → the columns it may write, those of no unique index first."""
    rows = db.execute(
        "select r.role, v.verb, a.attname from unnest(array['anon', 'authenticated'])"
        " as r (role), unnest(array['insert', 'update']) as v (verb), pg_attribute as a"
        " where a.attrelid = %s::regclass and a.attnum > 0 and not a.attisdropped"
        " and a.attgenerated = '' and a.attidentity <> 'a'"
        " and has_column_privilege(r.role, a.attrelid, a.attnum, v.verb) order by exists ("
        " select from pg_index as i where i.indrelid = a.attrelid and i.indisunique"
        " and a.attnum = any (i.indkey)), a.attnum",
        [table.name],
    ).fetchall()
    found: dict[tuple[str, str], list[str]] = {}
    for role, verb, column in rows:
        found.setdefault((role, verb), []).append(column)
    return found


def _rows_for(persona: str, table: Table) -> dict[str, dict[str, Any]]:
    """Whose → a row, as this persona sees it: Ann's are the owner's own."""
    is_owner = ACCESS["personas"][persona].get("is") == "owner"
    rows = {
        "own": table.rows.get("ann") if is_owner else None,
        "others": table.rows.get("ben"),
        "shared": table.rows.get("nobody"),
    }
    return {whose: row for whose, row in rows.items() if row is not None}


def _trials(
    table: Table, persona: Persona, rights: dict[tuple[str, str], list[str]]
) -> Iterator[Trial]:
    for whose, row in _rows_for(persona.name, table).items():
        before = fill(table.before, row)
        this = " and ".join(f'"{name}" = {literal(row[name])}' for name in table.key)
        for verb in VERBS if whose == "own" else VERBS[:-1]:
            statement = _statement(table, verb, row, rights.get((persona.role, verb), []), this)
            if statement:
                cell = Cell(table.name, verb, persona.name, whose)
                probes = verb in {"update", "delete", "give"}
                probe = f"select ctid from {table.name} where {this}" if probes else ""
                yield Trial(cell, persona.role, persona.claims, before, statement, probe)


def _statement(
    table: Table, verb: str, row: dict[str, Any], columns: list[str], this: str
) -> str | None:
    """None where the verb has no column to write: the grants, compared elsewhere, refuse it."""
    if verb == "select":
        return f'select "{table.key[0]}" from {table.name} where {this}'
    if verb == "delete":
        return f"delete from {table.name}"
    if verb == "insert" and columns:
        names = ", ".join(f'"{name}"' for name in columns)
        values = ", ".join(literal(row[name]) for name in columns)
        return f"insert into {table.name} ({names}) values ({values})"
    if verb == "update" and columns:
        return f'update {table.name} set "{columns[0]}" = {literal(row[columns[0]])}'
    if verb == "give" and table.owner:
        return (
            f'update {table.name} set "{table.owner}" = {literal(table.rows["ben"][table.owner])}'
        )
    return None


def _open_owner(db: Connection, table: Table) -> bool:
    """Let clients write the owner's column, where the table is ours to grant."""
    row = db.execute(
        "select relowner = current_user::regrole from pg_class where oid = %s::regclass",
        [table.name],
    ).fetchone()
    if table.owner is None or row != (True,):
        return False
    grant = sql.SQL("grant update ({}) on {} to anon, authenticated")
    db.execute(grant.format(sql.Identifier(table.owner), sql.SQL(table.name)))
    return True
