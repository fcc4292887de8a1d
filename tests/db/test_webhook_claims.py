"""Rule 8: webhooks are taken once, together with their effect."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.db.pipeline import (
    ETA,
    Connection,
    Worker,
    column,
    in_background,
    no_jobs,
    pending,
    pickups,
)
from tests.personas import refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID


def change(key: Any, table: str = "pickup_requests", **more: Any) -> dict[str, Any]:
    return {"schema": "public", "table": table, "record": {"id": key}, **more}


def test_a_webhook_owes_its_row_and_claims_it(db: Connection, rider: UUID, worker: Worker) -> None:
    first, _ = pickups(db, rider, 2)
    no_jobs(db)
    jobs = worker.claim(p_webhook_id="msg_1", p_change=change(str(first)))
    assert [job.row_key for job in jobs] == [str(first)]


def test_a_replayed_webhook_is_refused(db: Connection, rider: UUID, worker: Worker) -> None:
    pickups(db, rider)
    assert len(worker.claim(p_webhook_id="msg_1")) == 1
    pickups(db, rider)
    with refused(db, "PT409", "WEBHOOK_REPLAYED"):
        worker.claim(p_webhook_id="msg_1")
    assert len(worker.claim(p_webhook_id="msg_2")) == 1


def test_two_deliveries_at_once_are_one(connect: Callable[[], Connection]) -> None:
    one, two, watcher = connect(), connect(), connect()
    one.execute("begin")
    Worker(one, ETA).claim(p_webhook_id="msg_1")
    with in_background(watcher, two, lambda: Worker(two, ETA).claim(p_webhook_id="msg_1")) as late:
        one.execute("commit")
    with pytest.raises(psycopg.Error, match="received before"):
        late.result()


def test_an_id_is_forgotten_when_its_effect_is_rolled_back(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    (pickup,) = pickups(db, rider)
    with refused(db, "PT404", "TABLE_NOT_ATTACHED"):
        worker.claim(p_webhook_id="msg_1", p_change=change("x", table="profiles"))
    assert column(db, "select id from ml.webhook_deliveries") == []
    assert len(worker.claim(p_webhook_id="msg_1", p_change=change(str(pickup)))) == 1


@pytest.mark.parametrize(
    "payload",
    [
        change("1", table="profiles"),
        change("1", table="nothing"),
        change("1", table='x"; drop table y; --'),
        change("1", schema="nowhere"),
        {"schema": "public", "record": {"id": "1"}},
        {"table": "pickup_requests", "record": {"id": "1"}},
        {"schema": "", "table": ""},
        {},
        [],
        "text",
        None,
    ],
)
def test_a_table_that_is_not_attached_is_refused(
    db: Connection, worker: Worker, payload: Any
) -> None:
    with refused(db, "PT404", "TABLE_NOT_ATTACHED"):
        worker.claim(p_webhook_id="msg_1", p_change=payload)


@pytest.mark.parametrize(
    "payload",
    [
        change("not a uuid"),
        change(None),
        change(["x"]),
        change(str(uuid.UUID(int=0))),
        {"schema": "public", "table": "pickup_requests"},
        {"schema": "public", "table": "pickup_requests", "record": None},
        {"schema": "public", "table": "pickup_requests", "record": [1]},
    ],
)
def test_a_key_that_names_no_row_owes_nothing(
    db: Connection, rider: UUID, worker: Worker, payload: dict[str, Any]
) -> None:
    pickups(db, rider)
    no_jobs(db)
    assert worker.claim(p_webhook_id="msg_1", p_change=payload) == []
    assert pending(db) == []
