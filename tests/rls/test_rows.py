"""access.toml's [rows] against the database: what row-level security lets each persona do.

And the proof that every policy matters: taken away or opened, it changes at least one cell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest
from psycopg import sql

from tests.rls.cells import PASSES, World, expected, let_through, make_world
from tests.rls.people import ACCESS, ROLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.rls.cells import Cell
    from tests.rls.people import Connection


@pytest.fixture
def world(db: Connection) -> World:
    """Two owners' rows in every table, and everybody who may try for them."""
    return make_world(db)


class Mutant(NamedTuple):
    """A policy that is not as it should be."""

    table: str
    policy: str
    change: str
    statement: str


def compare(found: set[Cell], wanted: set[Cell]) -> None:
    """Name every cell in which the database and access.toml differ."""
    lines = [f"let through, but not in access.toml: {cell}" for cell in sorted(found - wanted)]
    lines += [f"in access.toml, but refused: {cell}" for cell in sorted(wanted - found)]
    assert not lines, "\n" + "\n".join(lines)


def test_every_persona_may_do_to_rows_what_the_file_says(world: World) -> None:
    tables = world.tables.values()
    compare(let_through(world, tables), expected(tables))


def test_row_level_security_holds_for_every_role_of_the_api_but_one(world: World) -> None:
    rows = world.db.execute(
        "select rolname from pg_roles where rolname = any (%s) and rolbypassrls", [list(ROLES)]
    ).fetchall()
    assert rows == [(PASSES,)]


def test_the_file_names_only_what_there_is(world: World) -> None:
    known = {name: set(table.rows) for name, table in world.tables.items()}
    assert set(ACCESS["rows"]) <= set(known), "no API role reaches these tables"
    for table, personas in ACCESS["rows"].items():
        assert set(personas) <= {*ACCESS["personas"], "everyone"}, table


def test_every_guarded_table_has_rows_of_two_people(world: World) -> None:
    assert {"public.profiles", "public.pickup_requests", "realtime.messages"} <= set(world.tables)
    for name, table in world.tables.items():
        assert set(table.rows) >= ({"ann", "ben"} if table.owner else {"nobody"}), name


def test_a_new_table_that_cannot_be_planted_is_named(db: Connection) -> None:
    db.execute(
        "create table public.later"
        " (user_id uuid primary key, word text not null check (word = 'x'))"
    )
    db.execute("alter table public.later enable row level security")
    db.execute("grant select on public.later to authenticated")
    with pytest.raises(AssertionError, match=r"can be planted in public\.later[^$]*plant\.toml"):
        make_world(db)


def test_a_row_too_many_is_named(world: World) -> None:
    """The comparison itself can fail: one policy too wide, one too narrow."""
    world.db.execute(
        'alter policy "riders read their own pickups" on public.pickup_requests using (true)'
    )
    world.db.execute('drop policy "owners read the receipts of their rows" on public.predictions')
    tables = world.tables.values()
    with pytest.raises(AssertionError) as caught:
        compare(let_through(world, tables), expected(tables))
    said = str(caught.value)
    assert "not in access.toml: stranger may select another's row of public.pickup_requests" in said
    assert "but refused: owner may select their own row of public.predictions" in said


def survivors(world: World) -> list[str]:
    """The mutants under which every cell of their table stays what it was."""
    found = []
    before = {name: let_through(world, [table]) for name, table in world.tables.items()}
    for mutant in mutants(world.db):
        with world.db.transaction(force_rollback=True):
            table = world.tables.get(mutant.table)
            world.db.execute(mutant.statement.encode())
            if table is None or let_through(world, [table]) == before[mutant.table]:
                found.append(f'"{mutant.policy}" on {mutant.table}, {mutant.change}')
    return found


def test_no_policy_can_be_taken_away_or_opened_unnoticed(world: World) -> None:
    assert survivors(world) == [], "no cell of the matrix changes with these"


def test_a_policy_that_nothing_reaches_survives_and_is_noticed(world: World) -> None:
    """Without a grant there is nothing that it could let through."""
    world.db.execute(
        'create policy "for nobody" on public.profiles for delete to authenticated using (false)'
    )
    assert survivors(world) == [
        '"for nobody" on public.profiles, dropped', '"for nobody" on public.profiles, open'
    ]  # fmt: skip


def mutants(db: Connection) -> Iterator[Mutant]:
    """Each policy dropped, with its condition open, and with its check open."""
    rows = db.execute(
        "select schemaname, tablename, policyname, qual, with_check"
        " from pg_policies order by 1, 2, 3"
    ).fetchall()
    for schema, table, policy, using, check in rows:
        name = f"{schema}.{table}"
        where = sql.SQL("{} on {}.{}").format(*map(sql.Identifier, (policy, schema, table)))
        on = where.as_string()
        yield Mutant(name, policy, "dropped", f"drop policy {on}")
        if using not in {None, "true"}:
            clauses = "using (true)" + (" with check (true)" if check else "")
            yield Mutant(name, policy, "open", f"alter policy {on} {clauses}")
        if check not in {None, "true"}:
            yield Mutant(name, policy, "unchecked", f"alter policy {on} with check (true)")
