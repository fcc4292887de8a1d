"""health_detailed: the queue in total and for each prediction, and nothing of anybody's rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    assert told["predictions"] == [
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
    db.execute("select ml.detach('pickup_eta')")
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
