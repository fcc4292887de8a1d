"""One version of a row is answered once, though an older job of the row came back meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.db.pipeline import ETA, Connection, Worker, come_back, edit, owed, pickups, receipts

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

from tests.personas import make_user


def test_a_retry_waits_for_a_running_batch_of_its_row(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    (pickup,) = pickups(db, rider)
    running = worker.claim_one()
    # As if a reclaim had not seen the claim that was just being made.
    db.execute(
        "insert into ml.retries select attachment_id, %s, %s, clock_timestamp() - interval '1 s',"
        " clock_timestamp(), true, false, 0, 0, 0, 'lease_expired' from ml.leases",
        [str(pickup), rider],
    )
    assert worker.claim() == []
    assert owed(db, "waiting") == [str(pickup)]
    assert worker.commit(running) == ["done"]
    # Its turn comes, and the answer that is there now spares the call.
    assert worker.claim() == []
    assert owed(db) == []
    assert receipts(db, pickup).count("done") == 1


def test_no_row_is_in_two_batches_of_one_claim(db: Connection, rider: UUID, worker: Worker) -> None:
    (pickup,) = pickups(db, rider)
    come_back(db)
    edit(db, pickup, 50)
    assert [job.row_key for job in worker.claim()] == [str(pickup)]
    assert owed(db, "waiting") == []


def test_nor_one_whose_retry_comes_back_while_the_claim_is_made(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    (pickup,) = pickups(db, rider)
    come_back(db)
    edit(db, pickup, 50)
    # As if the retry had come just after the claim had looked for those of its fresh jobs.
    db.execute(
        "create or replace function ml.absorb_retries(p_attachment_id smallint, p_jobs ml.owed[])"
        " returns ml.owed[] language sql return p_jobs"
    )
    running = worker.claim()
    assert [job.row_key for job in running] == [str(pickup)]
    assert worker.commit(*running) == ["done"]
    assert worker.claim() == []
    assert owed(db) == []
    assert receipts(db, pickup).count("done") == 1


@pytest.mark.parametrize("younger", ["pending", "running"])
def test_a_retry_that_was_overtaken_before_its_input_was_read_is_given_back(
    younger: str, connect: Callable[[], Connection]
) -> None:
    session = connect()
    worker = Worker(session, ETA)
    (pickup,) = pickups(session, make_user(session))
    if younger == "running":
        worker.claim_one()
    ((kept,),) = session.execute(
        """
        select (select array_agg(k.row_key) from unnest(ml.let_overtake(a, m, array[
          (%s, ml.nobody(), clock_timestamp(), true, false, 2, 0, 0, null)::ml.owed,
          ('another', ml.nobody(), clock_timestamp(), true, false, 2, 0, 0, null)::ml.owed
        ])) as k)
        from ml.attachments as a join ml.models as m on m.name = a.model
        where a.name = 'pickup_eta'
        """,
        [str(pickup)],
    ).fetchall()
    assert kept == ["another"]
    found = session.execute(
        "select attempts, reason from ml.queue where row_key = %s and state = 'waiting'",
        [str(pickup)],
    ).fetchall()
    # Beside a pending job there is nothing to wait for: it inherits that the row is new.
    assert found == ([] if younger == "pending" else [(2, "overtaken")])
