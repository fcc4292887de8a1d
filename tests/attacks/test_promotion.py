"""Giving oneself rights, money, verdicts or another's name."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.attacks.support import offered, plain
from tests.personas import DENIED, as_user, refused

if TYPE_CHECKING:
    from uuid import UUID

    from rowcast.fuzz.people import Victim
    from rowcast.stack.stack import Status
    from tests.attacks.support import Weakened
    from tests.conftest import Connection
    from tests.stack.support import Person

# Names under which other systems kept rights, money and verdicts in a row that its owner may write.
CLAIMED: dict[str, Any] = {
    "role": "admin", "roles": ["admin"], "is_admin": True, "admin_scope": "all", "tier": "pro",
    "subscription_tier": "enterprise", "monthly_limit": 10**9, "credits": 10**6, "balance": 10**6,
    "verified": True, "email_verified": True, "status": "completed", "score": 1, "price": 0,
    "user_id": "00000000-0000-4000-8000-000000000000", "deleted_at": None, "banned_until": None,
}  # fmt: skip


def rights_of(postgres: Connection, user: str) -> list[Any]:
    """What the tables say of somebody's rights."""
    held = "select role from public.user_roles where user_id = %s order by 1"
    account = "select role, raw_app_meta_data, to_jsonb(u) -> 'is_super_admin'"
    account += " from auth.users as u where id = %s"
    return [*postgres.execute(held, [user]), *postgres.execute(account, [user])]


def test_promoting_oneself_by_every_function(
    attacker: httpx.Client, mallory: Person, postgres: Connection
) -> None:
    before = rights_of(postgres, mallory.id)
    _, functions = offered(attacker)
    for function in functions:
        arguments = {field.name: plain(field) for field in function.fields}
        for field in function.fields:
            if "json" in field.format:
                attacker.post(function.path, json=arguments | {field.name: CLAIMED})
            if field.format == "uuid":
                arguments[field.name] = mallory.id
            if field.name in {"p_role", "p_roles"}:
                arguments[field.name] = "admin"
        attacker.post(function.path, json=arguments)
    assert rights_of(postgres, mallory.id) == before


def test_giving_oneself_a_role_by_the_function_made_for_it(
    attacker: httpx.Client, mallory: Person, postgres: Connection, weakened: Weakened
) -> None:
    def promote() -> int:
        wish = {"p_user_id": mallory.id, "p_role": "admin"}
        return attacker.post("/rpc/set_role", json=wish).status_code

    assert promote() == 403
    # Seen to fail: whoever may give roles can give this one, and only then.
    give = "insert into public.user_roles (user_id, role) values ('{0}', 'admin')"
    take = "alter table public.user_roles disable trigger user;"
    take += "delete from public.user_roles where user_id = '{0}';"
    take += "alter table public.user_roles enable trigger user"
    with weakened(give.format(mallory.id), take.format(mallory.id)):
        assert promote() == 200


@pytest.mark.parametrize("table", ["user_roles", "app_roles", "permissions", "role_permissions"])
def test_writing_the_tables_of_rights(attacker: httpx.Client, mallory: Person, table: str) -> None:
    row = {"user_id": mallory.id, "role": "admin", "name": "god", "permission": "users.read"}
    columns = {"user_roles": ("user_id", "role"), "app_roles": ("name",),
               "permissions": ("name",), "role_permissions": ("role", "permission")}  # fmt: skip
    row = {name: row[name] for name in columns[table]} | {}
    key, value = next(iter(row.items()))
    for answer in (
        attacker.post(f"/{table}", json=row),
        attacker.post(f"/{table}", json=row, headers={"Prefer": "resolution=merge-duplicates"}),
        attacker.patch(f"/{table}?{key}=not.is.null", json=row),
        attacker.delete(f"/{table}?{key}=eq.{value}"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, DENIED)


def test_mass_assignment_by_patch(
    attacker: httpx.Client, mallory: Person, postgres: Connection
) -> None:
    def row() -> Any:
        read = "select to_jsonb(p) - 'updated_at' from public.profiles as p where id = %s"
        return postgres.execute(read, [mallory.id]).fetchone()

    before = row()
    for name, value in {**CLAIMED, "id": CLAIMED["user_id"], "created_at": "2000-01-01"}.items():
        answer = attacker.patch("/profiles", json={"locale": "en", name: value})
        assert answer.status_code in {400, 403}, (name, answer.text)
    assert row() == before


def test_mass_assignment_of_a_column_that_somebody_granted(
    db: Connection, me: UUID, other: UUID
) -> None:
    """The policy's check still holds the row to its owner."""
    with as_user(db, me), refused(db, DENIED):
        db.execute("update public.profiles set id = %s", [other])
    db.execute("grant update on public.profiles to authenticated")
    with as_user(db, me), refused(db, DENIED):
        db.execute("update public.profiles set id = gen_random_uuid()")


def test_extra_columns_in_an_insert(attacker: httpx.Client, mallory: Person) -> None:
    tables, _ = offered(attacker)
    for table in tables:
        for columns in ("", "?columns=id,user_id"):
            row = {"id": mallory.id, "user_id": mallory.id, **CLAIMED}
            answer = attacker.post(f"{table.path}{columns}", json=row)
            assert answer.status_code in {400, 403}, (table.path, answer.text)


def test_extra_arguments_of_a_function(attacker: httpx.Client, mallory: Person) -> None:
    """An argument that the function does not have finds no function: nothing is dropped."""
    booking = {"p_origin_lat": 1, "p_origin_lng": 1, "p_dest_lat": 2, "p_dest_lng": 2}
    assert attacker.post("/rpc/request_pickup", json=booking).status_code == 200
    for name in (
        "p_user_id",
        "user_id",
        "p_eta_seconds",
        "p_price",
        "p_status",
        "p_cancelled_late",
    ):
        answer = attacker.post("/rpc/request_pickup", json=booking | {name: mallory.id})
        assert (answer.status_code, answer.json()["code"]) == (404, "PGRST202"), name


def test_booking_in_the_name_of_another(
    attacker: httpx.Client, victim: Victim, weakened: Weakened, unharmed: None
) -> None:
    her = victim.guessed_ids[0]
    row = {"user_id": her, "client_key": "planted", "origin_lat": 1, "origin_lng": 1,
           "dest_lat": 2, "dest_lng": 2, "estimate_seconds": 9, "eta_seconds": 9}  # fmt: skip
    assert attacker.post("/pickup_requests", json=row).status_code == 403
    grant = "{0} insert on public.pickup_requests {1} authenticated"
    with weakened(grant.format("grant", "to"), grant.format("revoke", "from")):
        # Without a policy for it the row is refused all the same, by another check.
        answer = attacker.post("/pickup_requests", json=row)
        assert (answer.status_code, "row-level" in answer.text) == (403, True)


def sign_up_with(platform: Status, **extra: Any) -> httpx.Response:
    """A sign-up as a client may write it, with fields that it should not decide."""
    return httpx.post(
        f"{platform.api_url}/auth/v1/signup",
        headers={"apikey": platform.publishable_key},
        json={"email": f"{secrets.token_hex(8)}@example.com", "password": "correct horse 7!"}
        | extra,
        timeout=20,
    )


@pytest.mark.parametrize(
    "extra",
    [
        {"data": {**CLAIMED, "app_metadata": {"role": "admin"}}},
        {"app_metadata": {"role": "admin"}},
        {"raw_app_meta_data": {"role": "admin"}},
        {"role": "service_role"},
        {"is_super_admin": True},
        {"user_metadata": CLAIMED, "id": "00000000-0000-4000-8000-000000000001"},
    ],
    ids=["user metadata", "app metadata", "raw app metadata", "role", "super admin", "id"],
)
def test_signing_up_as_somebody_with_rights(
    platform: Status, postgres: Connection, extra: dict[str, Any]
) -> None:
    answer = sign_up_with(platform, **extra)
    if answer.status_code != 200:
        assert answer.status_code in {400, 422}
        return
    user = answer.json()["user"]["id"]
    assert user != CLAIMED["user_id"]
    held = rights_of(postgres, user)
    assert len(held) == 1, "no role in the tables"
    role, app_metadata, super_admin = held[0]
    assert (role, bool(super_admin)) == ("authenticated", False)
    assert "admin" not in str(app_metadata)
    token = answer.json()["access_token"]
    headers = {"apikey": platform.publishable_key, "Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=f"{platform.api_url}/rest/v1", headers=headers) as client:
        assert client.get("/user_roles").json() == []
        assert client.post("/rpc/list_users", json={}).status_code == 403
        assert len(client.get("/profiles").json()) == 1


def test_changing_ones_app_metadata(platform: Status, sign_up: Any, postgres: Connection) -> None:
    person = sign_up()
    before = rights_of(postgres, person.id)
    headers = {"apikey": platform.publishable_key, "Authorization": f"Bearer {person.token}"}
    for change in (
        {"app_metadata": {"role": "admin"}},
        {"role": "service_role"},
        {"data": {"role": "admin", "app_metadata": {"role": "admin"}}},
        {"is_super_admin": True, "banned_until": None},
    ):
        httpx.put(f"{platform.api_url}/auth/v1/user", headers=headers, json=change, timeout=20)
    assert rights_of(postgres, person.id) == before


def test_rights_that_user_metadata_claims(db: Connection, me: UUID, other: UUID) -> None:
    claims = {"roles": ["admin"], "role": "admin", "permissions": ["users.read"]}
    with as_user(
        db, me, user_metadata=claims, app_metadata=claims, user_role="admin", roles=["admin"]
    ):
        assert db.execute("select id from public.profiles").fetchall() == [(me,)]
        with refused(db, "PT403", "PERMISSION_DENIED"):
            db.execute("select public.get_user(%s)", [other])
    db.execute("insert into public.user_roles (user_id, role) values (%s, 'admin')", [me])
    with as_user(db, me):  # the table gives the right that the claims do not
        assert db.execute("select (public.get_user(%s)).id", [other]).fetchone() == (other,)
