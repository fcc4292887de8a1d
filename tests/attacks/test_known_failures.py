"""What has gone wrong in other back ends, tried here."""

from __future__ import annotations

import secrets
import tomllib
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from rowcast.fuzz.document import resources
from rowcast.stack.paths import CHECKOUT
from tests.attacks.support import holds_nothing_of, offered
from tests.personas import DENIED, as_anon, as_service, as_user, make_user, refused

if TYPE_CHECKING:
    from uuid import UUID

    from rowcast.fuzz.people import Victim
    from rowcast.stack.stack import Status
    from tests.attacks.support import Weakened
    from tests.conftest import Connection
    from tests.stack.support import Person

# What anybody may call who has no more than the publishable key.
FOR_NOBODY = {"/rpc/hello", "/rpc/health", "/rpc/quote_eta"}


# --- APIs without a lock -------------------------------------------------------------------------


def test_functions_that_nobody_took_away_from_anonymous_callers(
    nobody: httpx.Client, attacker: httpx.Client, platform: Status
) -> None:
    """EXECUTE belongs to PUBLIC by default, and to the API's roles by the platform's default."""
    key = {"apikey": platform.secret_key}
    everything = resources(httpx.get(f"{platform.api_url}/rest/v1/", headers=key).json())
    _, for_people = offered(attacker)
    private = [f for f in (*everything, *for_people) if f.is_function]
    _, for_nobody = offered(nobody)
    opened = {f.path for f in for_nobody}
    assert opened >= FOR_NOBODY
    for function in private:
        if function.path not in opened:
            answer = nobody.post(function.path, json={f.name: None for f in function.fields})
            assert answer.status_code == 401, (function.path, answer.text)


def test_a_new_function_is_nobodys(db: Connection, me: UUID) -> None:
    db.execute("create function public.forgotten() returns int language sql return 1")
    for somebody in (as_anon(db), as_user(db, me), as_service(db)):
        with somebody, refused(db, DENIED):
            db.execute("select public.forgotten()")


def test_a_new_table_whose_row_security_was_forgotten(db: Connection, me: UUID) -> None:
    """With the platform's default grants it would be everybody's to read and write."""
    db.execute("create table public.forgotten (id int); insert into public.forgotten values (1)")
    for somebody in (as_anon(db), as_user(db, me), as_service(db)):
        with somebody:
            for statement in ("table public.forgotten", "insert into public.forgotten values (2)"):
                with refused(db, DENIED):
                    db.execute(statement.encode())


@pytest.mark.parametrize(
    "path",
    [
        "/api/debug-ml-connection", "/debug", "/metrics", "/rest/v1/rpc/debug", "/docs", "/.env",
        "/rest-admin/v1/ready", "/rest/v1/../live", "/auth/v1/admin/users", "/auth/v1/.env",
        "/functions/v1/_internal/metric", "/config", "/pg/query", "/api/platform/pg-meta/query",
    ],
)  # fmt: skip
def test_debugging_doors(platform: Status, mallory: Person, path: str) -> None:
    headers = {"apikey": platform.publishable_key, "Authorization": f"Bearer {mallory.token}"}
    url = httpx.URL(platform.api_url).copy_with(raw_path=path.encode())
    answer = httpx.get(url, headers=headers, timeout=20)
    assert 400 <= answer.status_code < 500, answer.text
    for told in ("postgresql://", platform.jwt_secret, platform.secret_key, "Traceback", "/home/"):
        assert told not in answer.text


def test_health_names_no_host_and_nobodys_rows(
    attacker: httpx.Client, nobody: httpx.Client, victim: Victim
) -> None:
    for client, path in ((attacker, "/rpc/health_detailed"), (nobody, "/rpc/health")):
        answer = client.post(path, json={})
        assert answer.status_code == 200
        holds_nothing_of(victim, answer)
        for told in ("127.0.0.1", "localhost", "postgres", "http:", "pid"):
            assert told not in answer.text


def test_the_list_of_everybody(
    attacker: httpx.Client, nobody: httpx.Client, victim: Victim
) -> None:
    """A list of subscribers that anybody could fetch; and unsubscribing them by their address."""
    for client, status in ((attacker, 403), (nobody, 401)):
        for page in ({}, {"p_page": 1, "p_page_size": 100}, {"p_search": victim.marker}):
            answer = client.post("/rpc/list_users", json=page)
            assert answer.status_code == status
            holds_nothing_of(victim, answer)


# --- verdicts that a client sends ----------------------------------------------------------------


def test_a_verdict_on_the_deadline_sent_by_the_caller(attacker: httpx.Client) -> None:
    places = {"p_origin_lat": 1, "p_origin_lng": 1, "p_dest_lat": 2, "p_dest_lng": 2}
    pickup = attacker.post("/rpc/request_pickup", json=places).json()
    for name in ("p_cancelled_after_deadline", "p_before_deadline", "p_status", "p_cancelled_at"):
        answer = attacker.post("/rpc/cancel_pickup", json={"p_id": pickup["id"], name: False})
        assert answer.status_code == 404
    assert attacker.get(f"/pickup_requests?id=eq.{pickup['id']}").json()[0]["status"] == "requested"


def test_moving_a_pickup_on_by_its_rider(db: Connection, me: UUID) -> None:
    with as_user(db, me):
        booked = db.execute("select (public.request_pickup(1, 1, 2, 2)).id").fetchone()
        assert booked is not None
        with refused(db, DENIED):
            db.execute("select public.advance_pickup(%s, 'completed')", [booked[0]])


def test_a_status_outside_the_list(db: Connection, me: UUID) -> None:
    """Where a status is a text without a check, `archived` and `job_completed` get in."""
    with as_user(db, me):
        db.execute("select public.request_pickup(1, 1, 2, 2)")
    change = "update public.pickup_requests set {0} where user_id = '{1}'"
    for wrong, state in (
        ("status = 'archived'", "22P02"),
        ("eta_source = 'friend'", "23514"),
        ("eta_seconds = -1", "23514"),
        ("status = 'completed'", "PT409"),
    ):
        with refused(db, state):
            db.execute(change.format(wrong, me).encode())


# --- policies that leak --------------------------------------------------------------------------


def test_rows_without_an_owner_are_nobodys(db: Connection, me: UUID) -> None:
    """A policy with `or user_id is null` hands all anonymous rows to everybody."""
    db.execute(
        "insert into public.predictions (prediction, source_table, row_key, model, status)"
        " values ('x', 'x', 'x', 'eta', 'done')"
    )
    with as_user(db, me):
        assert db.execute("select from public.predictions").fetchall() == []
    db.execute(
        'alter policy "owners read the receipts of their rows" on public.predictions'
        " using (owner_id = (select auth.uid()) or owner_id is null)"
    )
    with as_user(db, me):
        assert len(db.execute("select from public.predictions").fetchall()) == 1


def test_a_token_without_a_subject_owns_nothing(db: Connection, me: UUID) -> None:
    """NULL = NULL is not true: nobody's rows are not those of a token that names nobody."""
    with as_user(db, me):
        db.execute("select set_config('request.jwt.claims', '{\"role\":\"authenticated\"}', true)")
        for table in ("profiles", "pickup_requests", "predictions", "user_roles", "notifications"):
            assert db.execute(f"select from public.{table}".encode()).fetchall() == [], table


def test_an_update_policy_beside_a_grant_on_the_whole_table(db: Connection, me: UUID) -> None:
    """The classical promotion: `for update using (id = auth.uid())` and a role in the same row."""
    columns = db.execute(
        "select column_name from information_schema.columns where table_schema = 'public'"
        " and table_name = 'profiles' and column_name ~"
        " '(role|tier|admin|verified|balance|credit|limit|plan|score|banned)'"
    ).fetchall()
    assert columns == [], "a profile holds nothing that gives a right"
    granted = db.execute(
        "select column_name from information_schema.column_privileges where grantee ="
        " 'authenticated' and privilege_type = 'UPDATE' and table_schema = 'public'"
        " and column_name in ('id', 'user_id', 'owner_id', 'created_at', 'status', 'role')"
    ).fetchall()
    assert granted == []


def test_a_partition_beside_its_parents_policy(db: Connection, me: UUID) -> None:
    partitions = db.execute(
        "select inhrelid::regclass::text from pg_inherits join pg_class as c on c.oid = inhparent"
        " where c.relnamespace = 'public'::regnamespace and c.relkind = 'p'"
    ).fetchall()
    assert partitions
    for (partition,) in partitions:
        for somebody in (as_anon(db), as_user(db, me), as_service(db)):
            with somebody, refused(db, DENIED):
                db.execute(f"table {partition}".encode())


def test_looking_tokens_up_by_a_policy(attacker: httpx.Client) -> None:
    """Whoever may select rows that are `active` may list them; secrets are compared in SQL."""
    tables, _ = offered(attacker)
    for table in tables:
        for field in table.fields:
            assert not any(
                word in field.name for word in ("token", "secret", "hash_of", "password")
            )


# --- rights that outlive themselves --------------------------------------------------------------


def test_granting_more_than_one_holds(db: Connection, me: UUID, other: UUID) -> None:
    """Where a group's admin may grant any role, support makes itself admin."""
    db.execute("insert into public.user_roles (user_id, role) values (%s, 'support')", [me])
    grant = "select public.set_role(%s, %s)"
    for role in ("admin", "support"):
        for target in (me, other):
            with as_user(db, me), refused(db, "PT403"):
                db.execute(grant, [target, role])
    db.execute("insert into public.role_permissions values ('support', 'roles.grant')")
    with as_user(db, me):
        db.execute(grant, [other, "support"])
        with refused(db, "PT403", "ABOVE_YOURSELF"):
            db.execute(grant, [me, "admin"])


def test_the_last_admin_is_removed(db: Connection, me: UUID) -> None:
    db.execute("delete from public.user_roles where role <> 'admin'")
    db.execute("insert into public.user_roles (user_id, role) values (%s, 'admin')", [me])
    with as_user(db, me), refused(db, "PT409", "LAST_ADMIN"):
        db.execute("select public.set_role(%s, 'admin', false)", [me])
    with refused(db, "PT409", "LAST_ADMIN"):
        db.execute("delete from auth.users where id = %s", [me])


def test_a_right_that_was_taken_back_while_the_token_lives(
    attacker: httpx.Client, mallory: Person, victim: Victim, weakened: Weakened
) -> None:
    """The very next request with the same token has lost it."""
    give = f"insert into public.user_roles (user_id, role) values ('{mallory.id}', 'support')"
    take = f"delete from public.user_roles where user_id = '{mallory.id}' and role = 'support'"
    with weakened(give, take):
        assert attacker.post("/rpc/list_users", json={}).status_code == 200
        assert (
            attacker.post("/rpc/get_user", json={"p_user_id": victim.person.user_id}).status_code
            == 200
        )
    assert attacker.post("/rpc/list_users", json={}).status_code == 403
    holds_nothing_of(victim, attacker.get("/profiles"))


def test_a_role_that_has_ended(db: Connection, me: UUID) -> None:
    db.execute(
        "insert into public.user_roles (user_id, role, granted_at, expires_at)"
        " values (%s, 'admin', now() - interval '2 hours', now() - interval '1 hour')",
        [me],
    )
    with as_user(db, me), refused(db, "PT403", "PERMISSION_DENIED"):
        db.execute("select public.list_users()")


# --- sign-ups ------------------------------------------------------------------------------------


def test_a_trigger_that_fails_stops_no_sign_up(db: Connection) -> None:
    db.execute("alter table public.profiles add column broken int not null default 1 / 1")
    db.execute("alter table public.profiles alter column broken drop default")
    user = make_user(db)
    kept = db.execute("select count(*) from auth.users where id = %s", [user]).fetchone()
    assert kept == (1,)


def test_mass_sign_up(platform: Status, postgres: Connection) -> None:
    """Auth limits sign-ups on the platform; the embedded one does not. What one costs is bounded:
    no credit, no role, one profile, one session."""
    users = []
    for _ in range(5):
        answer = httpx.post(
            f"{platform.api_url}/auth/v1/signup",
            headers={"apikey": platform.publishable_key},
            json={
                "email": f"mass-{secrets.token_hex(6)}@example.com",
                "password": "correct horse 7!",
            },
            timeout=20,
        )
        if answer.status_code == 429:
            break
        users.append(answer.json()["user"]["id"])
    rows: Any = postgres.execute(
        "select (select count(*) from public.profiles where id::text = any (%(u)s)),"
        " (select count(*) from public.user_roles where user_id::text = any (%(u)s)),"
        " (select count(*) from ml.jobs where owner_id::text = any (%(u)s))",
        {"u": users},
    ).fetchone()
    assert rows == (len(users), 0, 0)
    config = tomllib.loads((CHECKOUT / "supabase/config.toml").read_text())
    assert config["auth"]["rate_limit"]["sign_in_sign_ups"] <= 30


def test_who_has_an_account_is_not_told(platform: Status, postgres: Connection) -> None:
    """A password that is wrong and an account that is not there are answered alike."""
    known = f"known-{secrets.token_hex(6)}@example.com"
    headers = {"apikey": platform.publishable_key}
    api = f"{platform.api_url}/auth/v1"
    made = {"email": known, "password": "correct horse 7!"}
    assert httpx.post(f"{api}/signup", headers=headers, json=made, timeout=20).status_code == 200
    answers = [
        httpx.post(
            f"{api}/token?grant_type=password",
            headers=headers,
            json={"email": email, "password": "wrong horse 8!"},
            timeout=20,
        )
        for email in (known, f"none-{secrets.token_hex(6)}@example.com")
    ]
    first, second = ((answer.status_code, answer.text) for answer in answers)
    assert first == second


# --- errors where there should be refusals -------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        "?recording_type=eq.x", "?id=eq.7", "?id=eq.abc", "?created_at=eq.yesterday-ish",
        "?order=nothere", "?select=nothere", "?page=1&size=100", "?id=7",
    ],
)  # fmt: skip
def test_a_filter_that_fits_no_column_is_the_callers_fault(
    attacker: httpx.Client, query: str
) -> None:
    answer = attacker.get(f"/profiles{query}")
    assert answer.status_code == 400, answer.text
    assert "private" not in answer.text
