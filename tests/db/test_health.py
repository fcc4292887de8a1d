"""How the parts are: figures for the signed-in, a verdict for all, nothing of anybody's rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.db.pipeline import Connection, column, pickups
from tests.personas import DENIED, as_anon, as_service, as_user, refused

if TYPE_CHECKING:
    from uuid import UUID


@pytest.fixture
def counted(notes: Connection, rider: UUID) -> Connection:
    """Two predictions, with a job in every state; no heartbeat has counted it."""
    pickups(notes, rider, 4)
    notes.execute("insert into public.notes select n, n from generate_series(1, 3) as n")
    notes.execute("""
        update ml.jobs set is_background = true where row_key in ('1', '2');
        select * from ml.claim('w', '{"eta": "1"}', 1);
        select ml.fail(token, 'item') from ml.leases;
        select * from ml.claim('w', '{"eta": "1"}', 1);
        insert into ml.dead_letters (attachment_id, row_key, attempts, reason)
        select id, 'secret key', 5, 'item_fault' from ml.attachments where name = 'notes';
        insert into ml.workers (name, models, activity)
        values ('w', '{"eta": "1"}', '{"pickup_eta": {"per_second": 7.5, "full_batches": 0}}');
        select ml.pause('notes');
        update ml.models set breaker_until = now() + interval '1 h' where name = 'eta';
        delete from ml.queue_state;
    """)
    return notes


def report(conn: Connection) -> dict[str, Any]:
    cursor = conn.cursor(row_factory=dict_row)
    row = cursor.execute("select * from public.health_detailed()").fetchone()
    assert row is not None
    return row


def test_the_queue_in_total_and_by_prediction(counted: Connection, rider: UUID) -> None:
    with as_user(counted, rider):
        told = report(counted)
    totals = ("pending", "background", "waiting", "running", "dead_letters", "per_second")
    assert [told[name] for name in totals] == [3, 2, 1, 1, 1, 7.5]
    assert told["queue_depth"] == 7
    for prediction in told["predictions"]:
        assert prediction.pop("oldest_seconds") >= 0
    assert [one for one in told["predictions"] if one["prediction"] != "sign_in_risk"] == [
        {
            "prediction": "notes", "pending": 1, "background": 2, "waiting": 0, "running": 0,
            "per_second": 0, "dead_letters": 1, "paused": True, "breaker_open": False,
        },
        {
            "prediction": "pickup_eta", "pending": 2, "background": 0, "waiting": 1, "running": 1,
            "per_second": 7.5, "dead_letters": 0, "paused": False, "breaker_open": True,
        },
    ]  # fmt: skip


def test_without_predictions_it_is_empty(db: Connection, rider: UUID) -> None:
    db.execute("select ml.detach(name) from ml.attachments")
    with as_user(db, rider):
        told = report(db)
    assert (told["predictions"], told["pending"], told["queue_depth"]) == ([], 0, 0)


def test_it_shows_no_row_and_no_person(counted: Connection, rider: UUID, other: UUID) -> None:
    with as_user(counted, other):
        told = str(report(counted))
    secrets = [rider, "secret key", *column(counted, "select row_key from ml.queue")]
    assert not [secret for secret in secrets if len(str(secret)) > 1 and str(secret) in told]


def test_who_may_ask(db: Connection) -> None:
    with as_anon(db), refused(db, DENIED):
        report(db)
    with as_service(db):
        assert report(db)["database"] == "ok"


DATABASE_FIGURES = (
    "probe_ms", "cache_hit_ratio", "connections", "max_connections", "oldest_transaction_seconds",
    "database_bytes",
)  # fmt: skip
QUEUE_FIGURES = (
    "queue_depth", "oldest_job_seconds", "pending", "background", "waiting", "running",
    "per_second", "dead_letters", "workers_alive", "last_heartbeat_at", "last_prediction_at",
)  # fmt: skip


def asked(conn: Connection, function: str) -> dict[str, Any]:
    cursor = conn.cursor(row_factory=dict_row)
    row = cursor.execute(f"select * from public.{function}()".encode()).fetchone()
    assert row is not None
    return row


@pytest.mark.parametrize(
    ("function", "figures"), [("health_db", DATABASE_FIGURES), ("health_queue", QUEUE_FIGURES)]
)
def test_strangers_are_told_the_verdict_alone(
    db: Connection, function: str, figures: tuple[str, ...]
) -> None:
    with as_anon(db):
        told = asked(db, function)
    assert told.pop("status") in {"ok", "degraded"}
    assert told.pop("checked_at") is not None
    assert told == dict.fromkeys(figures)


def test_the_databases_figures(db: Connection, rider: UUID) -> None:
    with as_user(db, rider):
        told = asked(db, "health_db")
    assert told["status"] == "ok"
    assert 0 <= told["probe_ms"] < 60_000
    assert 0 <= told["cache_hit_ratio"] <= 1
    assert 1 <= told["connections"] <= told["max_connections"]
    assert told["oldest_transaction_seconds"] >= 0
    assert told["database_bytes"] > 1_000_000
    with as_service(db):
        assert asked(db, "health_db")["max_connections"] == told["max_connections"]


def test_a_transaction_that_stays_open_is_seen(
    db: Connection, rider: UUID, database_template: str
) -> None:
    with psycopg.connect(database_template) as lingering:
        began = lingering.execute("select now()").fetchone()
        with as_user(db, rider):
            seen = asked(db, "health_db")["oldest_transaction_seconds"]
        row = db.execute("select extract(epoch from clock_timestamp() - %s)", began).fetchone()
        assert row is not None
        assert seen > 0
        lingering.rollback()


def test_the_queues_figures_are_those_of_the_detailed_report(
    counted: Connection, rider: UUID
) -> None:
    with as_user(counted, rider):
        told, detailed = asked(counted, "health_queue"), report(counted)
    assert {name: told[name] for name in QUEUE_FIGURES if name != "oldest_job_seconds"} == {
        name: detailed[name] for name in QUEUE_FIGURES if name != "oldest_job_seconds"
    }
    assert told["status"] == detailed["status"] == "ok"


@pytest.mark.parametrize(
    "change",
    [
        "update ml.workers set seen_at = now() - interval '16 s'",
        "update ml.jobs set enqueued_at = now() - interval '61 s'",
    ],
)
def test_no_worker_or_an_old_job_degrades_the_queue_for_everybody(
    counted: Connection, rider: UUID, change: str
) -> None:
    with as_anon(counted):
        assert asked(counted, "health_queue")["status"] == "ok"
    counted.execute(change.encode())
    with as_anon(counted):
        assert asked(counted, "health_queue")["status"] == "degraded"
    with as_user(counted, rider):
        assert asked(counted, "health_queue")["status"] == "degraded"
        assert asked(counted, "health_db")["status"] == "ok"


def test_a_stranger_cannot_make_the_queue_be_counted(counted: Connection) -> None:
    """With no worker alive nobody counts it on the side, and a long queue takes long to count."""
    counted.execute("delete from ml.workers")
    counted.execute("drop function ml.count_queue()")
    with as_anon(counted):
        assert asked(counted, "health_queue")["status"] == "degraded"
