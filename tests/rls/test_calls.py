"""access.toml's [calls] against the database: what each persona gets from each function."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.rls.cells import World, make_world
from tests.rls.people import ACCESS, Connection, Persona, stated
from tests.rls.planting import literal

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def world(db: Connection) -> World:
    """Two owners' rows in every table, and everybody who may call."""
    return make_world(db)


def cases() -> Iterator[tuple[str, dict[str, str]]]:
    """(function, case) of the file; a function may have several."""
    for function, found in ACCESS["calls"].items():
        for case in found if isinstance(found, list) else [found]:
            yield function, case


def sentence(persona: str, function: str, case: dict[str, str], outcome: str) -> str:
    return f"{persona} calls {function.split('(')[0]}({case.get('with', '')}): {outcome}"


def wanted_outcomes() -> set[str]:
    found = set()
    for function, case in cases():
        for persona, about in ACCESS["personas"].items():
            outcome = stated(case, persona) or "not in access.toml"
            if about["role"] not in ACCESS["functions"].get(function, []):
                outcome = case.get(persona, "DENIED")
            found.add(sentence(persona, function, case, outcome))
    return found


def outcomes(world: World) -> set[str]:
    tried = [(function, case, p) for function, case in cases() for p in world.people.personas]
    calls = [f"{f.split('(')[0]}({arguments(world, case)})" for f, case, _ in tried]
    rows = world.db.execute(
        "select c.outcome, c.answer from unnest(%s::text[], %s::text[], %s::text[])"
        " with ordinality as t (role, claims, call, n)"
        " cross join lateral pg_temp.called(role, claims, call) as c order by n",
        [[p.role for _, _, p in tried], [p.claims for _, _, p in tried], calls],
    ).fetchall()
    return {
        sentence(persona.name, function, case, in_words(world, persona, *row))
        for (function, case, persona), row in zip(tried, rows, strict=True)
    }


def arguments(world: World, case: dict[str, str]) -> str:
    """`{public.pickup_requests.id}` is of Ann's row; `{other}` and `{owner}` are accounts."""

    def planted(found: re.Match[str]) -> str:
        table, _, column = found[1].rpartition(".")
        if not table:
            return literal(str(world.people.id_of(column)))
        rows = world.tables[table].rows
        return literal((rows.get("ann") or rows["nobody"])[column])

    return re.sub(r"\{([\w.]+)\}", planted, case.get("with", ""))


def in_words(world: World, persona: Persona, outcome: str, answer: str | None) -> str:
    """Whose data an answer holds: "own", "others", "all", nobody's ("ok"), or none ("nothing")."""
    if outcome != "ANSWERED":
        return outcome
    if not answer:
        return "nothing"
    mentioned = {
        whose for whose, marks in marks_of(world).items() if any(mark in answer for mark in marks)
    }
    me = "ann" if persona.user == world.people.ann else persona.name
    if {"ann", "ben"} <= mentioned:
        return "all"
    return "others" if mentioned - {me} else "own" if mentioned else "ok"


def marks_of(world: World) -> dict[str, set[str]]:
    """Whose → what gives their data away in an answer: their id, their rows' ids, planted words."""
    marks = {
        persona.name: {str(persona.user)}
        for persona in world.people.personas
        if persona.user not in {None, world.people.ann}
    }
    for whose, person in (("ann", world.people.ann), ("ben", world.people.ben)):
        rows = (table for table in world.tables.values() if whose in table.rows)
        keys = {str(table.rows[whose][key]) for table in rows for key in table.key}
        marks[whose] = {str(person), f"planted_{whose}", *(key for key in keys if len(key) == 36)}
    return marks


def test_every_persona_gets_from_every_function_what_the_file_says(world: World) -> None:
    found, wanted = outcomes(world), wanted_outcomes()
    lines = [f"found:    {line}" for line in sorted(found - wanted)]
    lines += [f"the file: {line}" for line in sorted(wanted - found)]
    assert not lines, "\n" + "\n".join(sorted(lines, key=lambda line: line[10:]))


def test_every_function_of_the_api_is_called(db: Connection) -> None:
    db.execute("set local search_path = ''")
    rows = db.execute(
        "select oid::pg_catalog.regprocedure::text from pg_catalog.pg_proc"
        " where pronamespace = 'public'::pg_catalog.regnamespace"
    ).fetchall()
    there_are = {row[0] for row in rows}
    missing, stale = there_are - set(ACCESS["calls"]), set(ACCESS["calls"]) - there_are
    assert (sorted(missing), sorted(stale)) == ([], []), "missing in [calls], and no longer there"


def test_an_answer_too_many_is_noticed(world: World) -> None:
    """The comparison itself can fail: a check that is gone, a list of everybody's."""
    before = outcomes(world)
    world.db.execute(
        'alter policy "riders read their own pickups" on public.pickup_requests using (true)'
    )
    world.db.execute(
        "create or replace function public.my_pickups() returns setof public.pickup_requests"
        " language sql stable as 'select * from public.pickup_requests'"
    )
    assert {line for line in outcomes(world) - before if "my_pickups" in line} >= {
        "stranger calls public.my_pickups(): all", "owner calls public.my_pickups(): all",
    }  # fmt: skip


def test_permissions_are_asked_in_one_place(world: World) -> None:
    """With has_permission() saying yes to everybody, nobody is refused for want of one."""
    refused = {line for line in outcomes(world) if line.endswith(": PERMISSION_DENIED")}
    assert refused
    world.db.execute(
        "create or replace function private.has_permission(p_permission text) returns boolean"
        " language sql stable as 'select true'"
    )
    assert not refused & outcomes(world)
