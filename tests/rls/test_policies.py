"""Attacks on rows and channels, each by its name; test_rows.py proves every policy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.personas import DENIED, as_user, make_user, refused

if TYPE_CHECKING:
    from uuid import UUID

Connection = psycopg.Connection[tuple[Any, ...]]


def seen(db: Connection, user: UUID, query: str) -> list[Any]:
    """The first column as this user sees it."""
    with as_user(db, user):
        return [row[0] for row in db.execute(query).fetchall()]


def hears(db: Connection, user: UUID, topic: str, extension: str = "broadcast") -> bool:
    """Whether Realtime would let this person join: it reads under their role with the topic set."""
    db.execute(
        "insert into realtime.messages (topic, extension, private) values (%s, %s, true)",
        [topic, extension],
    )
    with as_user(db, user):
        db.execute("select set_config('realtime.topic', %s, true)", [topic])
        found = db.execute(
            "select from realtime.messages where topic = %s and extension = %s", [topic, extension]
        ).fetchall()
    return bool(found)


@pytest.fixture
def me(db: Connection) -> UUID:
    return _somebody(db)


@pytest.fixture
def other(db: Connection) -> UUID:
    return _somebody(db)


def _somebody(db: Connection) -> UUID:
    """A person with a row in every table, beside rows of nobody."""
    user = make_user(db)
    db.execute(
        "insert into public.pickup_requests (user_id, client_key, origin_lat, origin_lng, dest_lat,"
        " dest_lng, estimate_seconds, eta_seconds) values (%s, 'k', 1, 1, 2, 2, 90, 90)",
        [user],
    )
    for owner in (user, None):
        db.execute(
            "insert into public.predictions"
            " (prediction, source_table, row_key, owner_id, model, status)"
            " values ('pickup_eta', 'public.pickup_requests', 'x', %s, 'eta', 'done')",
            [owner],
        )
        db.execute(
            "insert into public.prediction_outcomes (prediction, row_key, owner_id, truth)"
            " values ('pickup_eta', gen_random_uuid()::text, %s, '1')",
            [owner],
        )
    return user


# Attacks, each by its name


def attacked(db: Connection, me: UUID, statement: str, *parameters: Any) -> None:
    """The statement is refused by a grant: an error, before any policy is asked."""
    with as_user(db, me):
        with pytest.raises(psycopg.errors.InsufficientPrivilege) as caught, db.transaction():
            db.execute(statement, parameters)
        assert "permission denied" in str(caught.value)


def test_booking_for_somebody_else(db: Connection, me: UUID, other: UUID) -> None:
    for user in (other, me):
        attacked(
            db,
            me,
            "insert into public.pickup_requests (user_id, client_key, origin_lat, origin_lng,"
            " dest_lat, dest_lng, estimate_seconds, eta_seconds)"
            " values (%s, 'stolen', 1, 1, 2, 2, 90, 90)",
            user,
        )


@pytest.mark.parametrize(
    "change",
    [
        "eta_seconds = 1",
        "eta_source = 'model'",
        "status = 'completed'",
        "user_id = auth.uid()",
        "completed_at = now()",
        "client_key = 'x'",
        "cancel_reason = 'x'",
    ],
)
def test_writing_a_verdict(db: Connection, me: UUID, change: str) -> None:
    attacked(db, me, f"update public.pickup_requests set {change}")


@pytest.mark.parametrize(
    "table",
    [
        "public.pickup_requests",
        "public.predictions",
        "public.prediction_outcomes",
        "public.profiles",
    ],
)
def test_deleting_the_traces(db: Connection, me: UUID, table: str) -> None:
    attacked(db, me, f"delete from {table}")
    attacked(db, me, f"truncate {table}")


def test_forging_a_receipt(db: Connection, me: UUID) -> None:
    attacked(
        db,
        me,
        "insert into public.predictions"
        " (prediction, source_table, row_key, owner_id, model, status)"
        " values ('pickup_eta', 'x', 'x', %s, 'eta', 'done')",
        me,
    )
    attacked(db, me, "update public.predictions set output = '{}'")
    attacked(
        db,
        me,
        "insert into public.prediction_outcomes (prediction, row_key, owner_id, truth)"
        " values ('pickup_eta', 'x', %s, '1')",
        me,
    )


def test_reading_others_receipts_through_a_partition(db: Connection, me: UUID) -> None:
    partitions = db.execute(
        "select inhrelid::regclass::text from pg_inherits"
        " where inhparent = 'public.predictions'::regclass"
    ).fetchall()
    assert len(partitions) >= 2
    for (partition,) in partitions:
        attacked(db, me, f"table {partition}")
        # By two mistakes, say.
        db.execute("grant usage on schema ml to authenticated")
        db.execute(f"grant select on {partition} to authenticated")
        assert seen(db, me, f"select owner_id from {partition}") == []


def test_reading_what_belongs_to_nobody(db: Connection, me: UUID) -> None:
    for table in ("public.predictions", "public.prediction_outcomes"):
        assert seen(db, me, f"select owner_id from {table} where owner_id is null") == []


def test_becoming_somebody_else(db: Connection, me: UUID, other: UUID) -> None:
    attacked(db, me, "update public.profiles set id = %s", other)
    # Were the column ever granted, the policy's check would still refuse.
    db.execute("grant update (id) on public.profiles to authenticated")
    with as_user(db, me):
        refusal = pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level")
        with refusal, db.transaction():
            db.execute("update public.profiles set id = gen_random_uuid()")


def test_making_a_profile_for_somebody_else(db: Connection, me: UUID, other: UUID) -> None:
    db.execute("delete from public.profiles where id = %s", [other])
    attacked(db, me, "insert into public.profiles (id) values (%s)", other)


def test_claims_that_the_user_writes_give_no_rights(db: Connection, me: UUID) -> None:
    claims = {"role": "service_role", "sub": "x", "is_admin": True}
    with as_user(db, me, user_metadata=claims, app_metadata=claims):
        found = db.execute("select user_id from public.pickup_requests").fetchall()
    assert found == [(me,)]


def test_a_token_without_a_subject_sees_nothing(db: Connection, me: UUID) -> None:
    with as_user(db, me):
        db.execute("select set_config('request.jwt.claims', '{\"role\":\"authenticated\"}', true)")
        for table in ("profiles", "pickup_requests", "predictions", "prediction_outcomes"):
            assert db.execute(f"select from public.{table}").fetchall() == []


def test_listening_to_somebody_elses_channel(db: Connection, me: UUID, other: UUID) -> None:
    assert hears(db, me, f"user:{me}")
    for topic in (f"user:{other}", "user:", "user:%", f"user:{me}x", f"USER:{me}", "all", ""):
        assert not hears(db, me, topic), topic
    assert not hears(db, me, f"user:{me}", "presence")


def test_speaking_on_a_private_channel(db: Connection, me: UUID, other: UUID) -> None:
    before = db.execute("select count(*) from realtime.messages").fetchone()
    for topic in (f"user:{me}", f"user:{other}"):
        with as_user(db, me), refused(db, DENIED):
            db.execute("select set_config('realtime.topic', %s, true)", [topic])
            db.execute(
                "insert into realtime.messages (topic, extension, payload, private)"
                " values (%s, 'broadcast', %s, true)",
                [topic, json.dumps({"status": "done"})],
            )
        with as_user(db, me):  # turns its own refusal into a warning
            db.execute("select realtime.send('{}', 'prediction', %s, true)", [topic])
    assert db.execute("select count(*) from realtime.messages").fetchone() == before


@pytest.mark.parametrize(
    "attack",
    [
        "table ml.jobs",
        "table ml.models",
        "table ml.attachments",
        "table private.pickup_transitions",
        "select ml.claim('me', '{\"eta\":\"1\"}')",
        "select ml.commit(gen_random_uuid(), '[]', '1')",
        "select ml.cancel('pickup_eta', 'x')",
        "select ml.redrive()",
        "select private.advance_pickup(gen_random_uuid(), 'completed')",
        "select private.request_pickup(1, 1, 2, 2, 'ride', 'k')",
        "table auth.users",
        "table vault.decrypted_secrets",
        "select cron.schedule('* * * * *', 'select 1')",
    ],
)
def test_going_round_the_api(db: Connection, me: UUID, attack: str) -> None:
    attacked(db, me, attack)


def test_a_leaked_secret_key_still_writes_no_verdict(db: Connection, me: UUID) -> None:
    """service_role passes row-level security, so its grants are what limits it."""
    db.execute("set local role service_role")
    assert db.execute("select count(*) >= 1 from public.pickup_requests").fetchone() == (True,)
    for attack in (
        "update public.pickup_requests set eta_seconds = 1",
        "delete from public.predictions",
        "table ml.jobs",
        "table ml.predictions_default",
    ):
        with refused(db, DENIED):
            db.execute(attack)
