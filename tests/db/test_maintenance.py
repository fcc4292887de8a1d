"""Partitions, old ids, silent workers; and the health of it all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.db.pipeline import (
    Connection,
    Worker,
    column,
    pickups,
    value,
)
from tests.personas import as_user

if TYPE_CHECKING:
    from uuid import UUID


def partitions(conn: Connection) -> list[str]:
    return column(
        conn,
        "select c.relname from pg_inherits as i join pg_class as c on c.oid = i.inhrelid"
        " where i.inhparent = 'public.predictions'::regclass order by 1",
    )


def month(conn: Connection, ahead: int) -> str:
    found: str = value(
        conn, "select to_char(now() + make_interval(months => %s), 'YYYYMM')", [ahead]
    )
    return f"predictions_{found}"


def test_maintenance_makes_the_coming_partitions_once(db: Connection) -> None:
    wanted = [month(db, n) for n in range(3)]
    db.execute(f"drop table ml.{wanted[1]}, ml.{wanted[2]}")
    for _ in range(2):
        db.execute("select ml.maintain()")
        assert partitions(db) == [*wanted, "predictions_default"]
    for name in wanted:
        open_to = "select has_table_privilege(%s, %s, 'select')"
        assert value(db, "select relrowsecurity from pg_class where relname = %s", [name])
        for role in ("anon", "authenticated", "service_role", "rowcast_service"):
            assert value(db, open_to, [role, f"ml.{name}"]) is False


def test_a_receipt_goes_to_the_partition_of_its_month(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    pickups(db, rider)
    worker.commit(worker.claim_one())
    partition = "select tableoid::regclass::text from public.predictions"
    assert value(db, partition) == f"ml.{month(db, 0)}"


def test_maintenance_drops_what_is_past_its_keep(db: Connection) -> None:
    for ahead in (-13, -12, -1):
        db.execute(
            f"create table ml.{month(db, ahead)} partition of public.predictions for values"
            " from (date_trunc('month', now()) + make_interval(months => %s))"
            " to (date_trunc('month', now()) + make_interval(months => %s + 1))".replace(
                "%s", str(ahead)
            )
        )
    db.execute("select ml.maintain(12)")
    assert month(db, -13) not in partitions(db)
    assert {month(db, -12), month(db, -1), "predictions_default"} <= set(partitions(db))


def test_a_month_that_began_in_the_default_partition_stays_there(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    db.execute(f"drop table ml.{month(db, 0)}")
    pickups(db, rider)
    worker.commit(worker.claim_one())
    db.execute("select ml.maintain()")
    assert month(db, 0) not in partitions(db)
    assert column(db, "select status from public.predictions") == ["done"]


def test_maintenance_forgets_old_webhooks_and_silent_workers(db: Connection) -> None:
    db.execute("""
        delete from ml.workers;
        insert into ml.webhook_deliveries values
        ('old', now() - interval '11 min'), ('young', now() - interval '9 min');
        insert into ml.workers (name, seen_at) values
        ('old', now() - interval '25 hours'), ('young', now() - interval '23 hours');
    """)
    db.execute("select ml.maintain()")
    assert column(db, "select id from ml.webhook_deliveries") == ["young"]
    assert column(db, "select name from ml.workers") == ["young"]


def count_again(conn: Connection, worker: Worker) -> None:
    """The last count is four seconds old, and the next heartbeat counts."""
    conn.execute("update ml.queue_state set taken_at = taken_at - interval '4 s'")
    worker.heartbeat()


def test_health_tells_a_dead_service_from_a_living_one(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    db.execute("delete from ml.workers")
    report = "select status, queue_depth, workers_alive from public.health_detailed()"
    with as_user(db, rider):
        assert db.execute(report).fetchone() == ("degraded", 0, 0)
    worker.heartbeat()
    pickups(db, rider, 2)
    count_again(db, worker)
    with as_user(db, rider):
        assert db.execute(report).fetchone() == ("ok", 2, 1)
    db.execute("update ml.jobs set enqueued_at = now() - interval '61 s'")
    count_again(db, worker)
    with as_user(db, rider):
        assert db.execute(report).fetchone() == ("degraded", 2, 1)
