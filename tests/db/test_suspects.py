"""A row that kills its worker is found alone, and takes nobody along."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.db.pipeline import (
    Connection,
    Worker,
    column,
    dead,
    due_now,
    edit,
    owed,
    pickups,
    receipts,
    reclaim,
    value,
)

if TYPE_CHECKING:
    from uuid import UUID


def test_batches_of_suspects_shrink_by_eight(db: Connection, rider: UUID, worker: Worker) -> None:
    pickups(db, rider, 128)
    db.execute("update ml.models set max_attempts = 100")
    sizes = []
    for _ in range(5):
        (lease,) = worker.lease(limit=128)
        sizes.append(lease.size)
        reclaim(db)
        # Only those that were aboard go on; the others are left out of this test.
        db.execute(
            "delete from ml.retries where suspicion < (select max(suspicion) from ml.retries)"
        )
    assert sizes == [128, 16, 2, 1, 1]


def test_the_poison_dies_alone_and_the_innocents_are_done(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    made = {str(p) for p in pickups(db, rider, 128)}
    poison = max(made)
    for _ in range(500):
        due_now(db)
        leases = worker.lease(limit=64)
        if not leases:
            break
        for lease in leases:
            jobs = worker.jobs_of(lease)
            if poison in {job.row_key for job in jobs}:
                reclaim(db)  # the worker dies, and another takes the batch back
            else:
                assert set(worker.commit(*jobs)) == {"done"}
    assert owed(db) == []
    assert dead(db) == [(poison, "lease_expired", 5)]
    done = column(db, "select row_key from public.predictions where status = 'done'")
    assert sorted(done) == sorted(made - {poison})
    assert receipts(db, poison) == ["failed"]


def test_suspects_endanger_nobody_new(db: Connection, rider: UUID, worker: Worker) -> None:
    suspects = {str(p) for p in pickups(db, rider, 4)}
    worker.claim()
    reclaim(db)
    fresh = {str(p) for p in pickups(db, rider, 4)}
    batches = [{job.row_key for job in worker.jobs_of(lease)} for lease in worker.lease(limit=32)]
    assert sorted(batches, key=sorted) == sorted([suspects, fresh], key=sorted)


def test_other_faults_make_nobody_a_suspect(db: Connection, rider: UUID, worker: Worker) -> None:
    pickups(db, rider, 16)
    for fault in ("item", "batch", "provider", "release"):
        worker.fail(*worker.claim(limit=16), fault=fault)
        db.execute("update ml.models set breaker_until = null")
        due_now(db)
    assert [lease.size for lease in worker.lease(limit=16)] == [16]


def test_an_edit_clears_a_suspect(db: Connection, rider: UUID, worker: Worker) -> None:
    (pickup,) = pickups(db, rider)
    worker.claim()
    reclaim(db)
    edit(db, pickup, 50)
    assert worker.claim_one().attempts == 0
    held = "select j.suspicion from ml.leases as l, unnest(l.jobs) as j"
    assert value(db, held) == 0
