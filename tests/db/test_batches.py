"""A claim may bring several batches of one model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.db.pipeline import Connection, Worker, pickups, value
from tests.personas import make_user

if TYPE_CHECKING:
    from uuid import UUID


def test_as_many_batches_as_are_wanted(db: Connection, rider: UUID, worker: Worker) -> None:
    pickups(db, rider, 10)
    leases = worker.lease(limit=3, p_batches={"eta": 3})
    assert [lease.size for lease in leases] == [3, 3, 3]
    assert len({lease.token for lease in leases}) == 3
    assert [len(json.loads(lease.inputs)) for lease in leases] == [3, 3, 3]
    assert value(db, "select count(*) from ml.jobs") == 1


def test_what_does_not_fill_a_batch_makes_a_smaller_one(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    pickups(db, rider, 4)
    assert [lease.size for lease in worker.lease(limit=3, p_batches={"eta": 16})] == [3, 1]


def test_there_are_never_more_than_sixteen(db: Connection, rider: UUID, worker: Worker) -> None:
    pickups(db, rider, 20)
    assert len(worker.lease(limit=1, p_batches={"eta": 1000})) == 16


def test_everybody_is_in_the_first_batch_before_anybody_is_in_it_twice(
    db: Connection, worker: Worker
) -> None:
    importer, other = make_user(db), make_user(db)
    pickups(db, importer, 100)
    (single,) = pickups(db, other)
    oldest = value(db, "select row_key from ml.jobs order by enqueued_at limit 1")
    batches = [
        {job.row_key for job in worker.jobs_of(lease)}
        for lease in worker.lease(limit=8, p_batches={"eta": 8})
    ]
    assert len(batches) == 8
    (with_oldest,) = [keys for keys in batches if oldest in keys]
    assert str(single) in with_oldest


def test_without_hands_a_webhook_still_leaves_its_note(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    pickups(db, rider)
    assert worker.lease(p_batches={"eta": 0}, p_webhook_id="once") == []
    assert value(db, "select count(*) from ml.webhook_deliveries where id = 'once'") == 1
