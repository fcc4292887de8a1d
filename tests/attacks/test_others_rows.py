"""Reading and changing rows of somebody else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.attacks.support import OPEN_READ, calls_with, holds_nothing_of, offered, plain
from tests.personas import as_service, as_user, refused
from tests.stack.support import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    import httpx

    from rowcast.fuzz.people import Victim
    from tests.attacks.support import Weakened
    from tests.conftest import Connection
    from tests.stack.support import Person

EMBEDDINGS = (
    "/{0}?select=*,{1}(*)",
    "/{0}?select=*,{1}!inner(*)",
    "/{0}?select=...{1}(*)",
    "/{0}?select=*,x:{1}!left(*)&x.id=not.is.null",
    "/{0}?select=*,{1}(count)",
)
REFUSALS = {400, 403, 405}
NOT_THE_API = ("users", "jobs", "account_words", "decrypted_secrets", "pg_authid")


def scan(client: httpx.Client, victim: Victim) -> None:
    """Ask each table for everything."""
    tables, _ = offered(client)
    assert len(tables) >= 4
    for table in tables:
        for query in ("", "?select=*&limit=1000", "?or=(id.not.is.null,id.is.null)"):
            holds_nothing_of(victim, client.get(table.path + query))


def test_scanning_every_table(attacker: httpx.Client, victim: Victim) -> None:
    scan(attacker, victim)


def test_scanning_every_table_without_signing_in(nobody: httpx.Client, victim: Victim) -> None:
    tables, _ = offered(nobody)
    assert tables == []
    for path in ("profiles", "pickup_requests", "predictions", "prediction_outcomes"):
        answer = nobody.get(f"/{path}")
        assert answer.status_code == 401
        holds_nothing_of(victim, answer)


def test_the_scan_sees_an_open_policy(
    attacker: httpx.Client, victim: Victim, weakened: Weakened
) -> None:
    with weakened(*OPEN_READ), pytest.raises(AssertionError, match="pickup_requests"):
        scan(attacker, victim)


def test_guessing_ids_in_every_column_of_every_table(
    attacker: httpx.Client, victim: Victim
) -> None:
    tables, _ = offered(attacker)
    for table in tables:
        for field in table.fields:
            guesses = {"uuid": victim.guessed_ids, "text": (*victim.guessed_ids, victim.marker)}
            for guess in guesses.get(field.format, ()):
                answer = attacker.get(f"{table.path}?{field.name}=eq.{guess}")
                assert (answer.status_code, answer.json()) == (200, []), (table.path, field.name)


def test_guessing_ids_in_every_argument_of_every_function(
    attacker: httpx.Client, victim: Victim, unharmed: None
) -> None:
    _, functions = offered(attacker)
    tried = 0
    for function in functions:
        for guess in victim.guessed_ids:
            for arguments in calls_with(function, ("uuid", "text"), guess):
                tried += 1
                answer = attacker.post(function.path, json=arguments)
                holds_nothing_of(victim, answer)
                if "p_id" in arguments or "p_user_id" in arguments:
                    assert answer.status_code in {403, 404}, (function.path, answer.text)
    assert tried >= 10


def test_changing_and_deleting_rows_by_a_guessed_id(
    attacker: httpx.Client, victim: Victim, unharmed: None
) -> None:
    tables, _ = offered(attacker)
    wanted = {"Prefer": "return=representation"}
    for table in tables:
        fields = [f for f in table.fields if f.format in {"uuid", "text"}]
        for field in fields:
            for guess in victim.guessed_ids:
                query = f"{table.path}?{field.name}=eq.{guess}"
                change = {field.name: plain(field)}
                for answer in (
                    attacker.patch(query, json=change, headers=wanted),
                    attacker.delete(query, headers=wanted),
                ):
                    assert answer.status_code in {200, 403} or answer.status_code == 400
                    holds_nothing_of(victim, answer)
                    assert answer.status_code != 200 or answer.json() == []


def test_renaming_everybody_at_once(
    attacker: httpx.Client, victim: Victim, mallory: Person, unharmed: None, weakened: Weakened
) -> None:
    def rename() -> None:
        answer = attacker.patch(
            "/profiles?id=not.is.null",
            json={"display_name": "Mallory"},
            headers={"Prefer": "return=representation"},
        )
        assert [row["id"] for row in answer.json()] == [mallory.id]

    rename()
    mistake = 'alter policy "people change their own profile" on public.profiles using ({0}) {1}'
    own = "id = (select auth.uid())"
    strict = 'alter policy "people read their own profile" on public.profiles using ({0})'
    # Two mistakes are needed: the policy for reading also narrows what an UPDATE finds. The check
    # of the new row still refuses, so the rows stay.
    with (
        weakened(mistake.format("true", ""), mistake.format(own, "")),
        weakened(strict.format("true"), strict.format(own)),
        pytest.raises((AssertionError, TypeError)),
    ):
        rename()


def embed(client: httpx.Client, victim: Victim) -> int:
    """Every table within every other; the number that PostgREST could join."""
    tables, _ = offered(client)
    names = [table.path[1:] for table in tables]
    joined = 0
    for one in names:
        for another in (*names, *NOT_THE_API):
            for form in EMBEDDINGS:
                answer = client.get(form.format(one, another))
                assert answer.status_code in {200, 400}, answer.text
                holds_nothing_of(victim, answer)
                joined += answer.status_code == 200
                if another in NOT_THE_API:
                    assert answer.status_code == 400, answer.request.url
    return joined


def test_embedding_rows_of_others(attacker: httpx.Client, victim: Victim) -> None:
    assert embed(attacker, victim) > 0


def test_embedding_is_narrowed_by_the_policy_of_what_is_embedded(
    attacker: httpx.Client, victim: Victim, weakened: Weakened
) -> None:
    her = victim.person.user_id
    policy = 'alter policy "people read their own roles" on public.user_roles using ({0})'
    own = "user_id = (select auth.uid()) or (select private.has_permission('users.read'))"

    def embedded() -> bool:
        return str(her) in attacker.get("/app_roles?select=name,user_roles!inner(*)").text

    with weakened(
        f"insert into public.user_roles (user_id, role) values ('{her}', 'support')",
        f"delete from public.user_roles where user_id = '{her}'",
    ):
        assert not embedded()
        with weakened(policy.format("true"), policy.format(own)):
            assert embedded()


def test_upsert_over_anothers_row(attacker: httpx.Client, victim: Victim, unharmed: None) -> None:
    tables, _ = offered(attacker)
    for table in tables:
        row = {field.name: plain(field) for field in table.fields}
        for name in ("id", "user_id", "owner_id"):
            if name in row:
                row[name] = victim.guessed_ids[0]
        for resolution in ("merge-duplicates", "ignore-duplicates"):
            preference = {"Prefer": f"resolution={resolution}, return=representation"}
            answer = attacker.post(table.path, json=row, headers=preference)
            assert answer.status_code in REFUSALS, (table.path, answer.text)
            holds_nothing_of(victim, answer)
        if "id" in row:
            answer = attacker.put(f"{table.path}?id=eq.{row['id']}", json=row)
            assert answer.status_code in REFUSALS, (table.path, answer.text)


def test_an_upsert_is_refused_by_grants_and_policies(
    attacker: httpx.Client, alice: Person, postgres: Connection, weakened: Weakened
) -> None:
    """With every one of them open the same request changes the row."""

    def upsert() -> int:
        row = {"id": alice.id, "display_name": "Taken"}
        preference = {"Prefer": "resolution=merge-duplicates"}
        return attacker.post("/profiles", json=row, headers=preference).status_code

    before = "select display_name from public.profiles where id = %s"
    assert upsert() == 403
    grant = "{0} insert, update (id) on public.profiles {1} authenticated"
    with (
        weakened(grant.format("grant", "to"), grant.format("revoke", "from")),
        weakened(*everything_open("profiles")),
    ):
        assert upsert() in {200, 201}
    assert postgres.execute(before, [alice.id]).fetchone() == ("Taken",)


def everything_open(table: str) -> tuple[str, str]:
    """A policy that allows every command, and its end."""
    return (
        (
            f'create policy "attack: open" on public.{table} for all to authenticated'
            " using (true) with check (true)"
        ),
        f'drop policy "attack: open" on public.{table}',
    )


def test_aggregates_over_rows_of_others(attacker: httpx.Client, victim: Victim) -> None:
    tables, _ = offered(attacker)
    for table in tables:
        for select in ("count()", *(f"{field.name}.max()" for field in table.fields)):
            answer = attacker.get(f"{table.path}?select={select}")
            assert answer.status_code == 400, answer.text
            assert answer.json()["code"] in {"PGRST123", "PGRST100"}


def test_aggregates_where_somebody_switched_them_on(
    attacker: httpx.Client, victim: Victim, admin: Connection, weakened: Weakened
) -> None:
    """They are off by PostgREST's default. On, they count what the policies show, and no more."""
    setting = "alter role authenticator {0} pgrst.db_aggregates_enabled {1}"
    path = f"/pickup_requests?select=count()&user_id=eq.{victim.person.user_id}"

    def counted() -> int | None:
        answer = attacker.get(path)
        return int(answer.json()[0]["count"]) if answer.status_code == 200 else None

    def switch(how: str, value: str) -> None:
        admin.execute(setting.format(how, value).encode())
        admin.execute("notify pgrst, 'reload config'")

    switch("set", "= 'true'")
    try:
        eventually(lambda: counted() is not None)
        assert counted() == 0
        with weakened(*OPEN_READ):
            assert (counted() or 0) > 0
    finally:
        switch("reset", "")
        eventually(lambda: counted() is None)


def visible_count(client: httpx.Client, path: str, kind: str) -> int:
    """The number after the slash of Content-Range."""
    answer = client.get(path, headers={"Prefer": f"count={kind}", "Range": "0-0"})
    return int(answer.headers["Content-Range"].rpartition("/")[2])


def test_counting_rows_of_others_exactly(
    attacker: httpx.Client, victim: Victim, weakened: Weakened
) -> None:
    path = f"/pickup_requests?user_id=eq.{victim.person.user_id}"
    assert visible_count(attacker, path, "exact") == 0
    with weakened(*OPEN_READ):
        assert visible_count(attacker, path, "exact") > 0


@pytest.fixture(scope="module")
def busy(postgres: Connection, sign_up: Callable[[], Person]) -> str:
    """Somebody with so many rows that the planner knows of them."""
    person = sign_up()
    postgres.execute(
        "insert into public.pickup_requests (user_id, client_key, status, origin_lat, origin_lng,"
        " dest_lat, dest_lng, estimate_seconds, eta_seconds)"
        " select %s, n::text, 'completed', 1, 1, 2, 2, 90, 90 from generate_series(1, 700) as n",
        [person.id],
    )
    postgres.execute("analyze public.pickup_requests")
    return person.id


@pytest.mark.parametrize("kind", ["planned", "estimated"])
@pytest.mark.parametrize("way", ["one header", "hidden among others", "hidden by a second header"])
def test_counting_rows_of_others_by_the_planners_guess(
    attacker: httpx.Client, busy: str, kind: str, way: str
) -> None:
    preferences = {
        "one header": [f"count={kind}"],
        "hidden among others": [f"return=minimal, count={kind}, tx=commit"],
        "hidden by a second header": [f"count={kind}", "return=minimal"],
    }[way]
    headers = [("Prefer", preference) for preference in preferences]
    answer = attacker.get(f"/pickup_requests?user_id=eq.{busy}", headers=headers)
    assert (answer.status_code, answer.json()["details"]) == (400, "COUNT_NOT_EXACT")


@pytest.mark.parametrize("kind", ["planned", "estimated", "exact"])
def test_a_guessed_count_is_refused_to_people_alone(db: Connection, me: UUID, kind: str) -> None:
    headers = json.dumps({"prefer": f"return=minimal, count={kind}"})
    statement = "select private.refuse_estimated_counts(%s::jsonb)"
    db.execute("grant usage on schema private to authenticated, service_role")
    with as_service(db):
        db.execute(statement, [headers])
    with as_user(db, me):
        if kind == "exact":
            db.execute(statement, [headers])
        else:
            with refused(db, "PT400", "COUNT_NOT_EXACT"):
                db.execute(statement, [headers])


def test_asking_for_the_plan_of_a_query(attacker: httpx.Client, victim: Victim) -> None:
    for form in ("+json", "+text", "", '+json; for="application/json"; options=analyze|verbose'):
        accept = {"Accept": f"application/vnd.pgrst.plan{form}"}
        answer = attacker.get("/pickup_requests", headers=accept)
        assert (answer.status_code, answer.json()["code"]) == (415, "PGRST107")
        assert "cost" not in answer.text.lower()


def test_casts_that_fail_on_the_values_of_others(
    attacker: httpx.Client, victim: Victim, weakened: Weakened
) -> None:
    """An error may quote the value it stumbles over, so it must never meet another's row."""

    def cast() -> None:
        for kind in ("int", "uuid", "jsonb", "timestamptz", "regclass", "xml"):
            answer = attacker.get(
                f"/pickup_requests?select=client_key::{kind}&client_key=like.marker*"
            )
            assert (answer.status_code, answer.json()) == (200, []), answer.text

    cast()
    with weakened(*OPEN_READ), pytest.raises(AssertionError, match="marker-"):
        cast()


@pytest.mark.parametrize(
    "query",
    [
        "?select=id&order=display_name",
        "?select=id&display_name=like.m*",
        "?select=id&display_name=gt.m",
        "?select=id&or=(display_name.is.null,id.is.null)",
        "?select=id&display_name=in.(a,b)",
        "?select=id,display_name",
        "?select=id,x:display_name::text",
    ],
)
def test_telling_a_column_that_one_may_not_read_by_order_and_filter(
    attacker: httpx.Client, weakened: Weakened, query: str
) -> None:
    """The right to a column is asked for wherever it stands, not only where it is shown."""
    hidden = "revoke select on public.profiles from authenticated;"
    hidden += "grant select (id) on public.profiles to authenticated"
    shown = "grant select on public.profiles to authenticated"
    assert attacker.get(f"/profiles{query}").status_code == 200
    with weakened(hidden, shown):
        for preference in ({}, {"Prefer": "count=exact"}):
            answer = attacker.get(f"/profiles{query}", headers=preference)
            assert (answer.status_code, answer.json()["code"]) == (403, "42501")
