"""Whose turn it is: claims go round the owners, and a backfill has its share."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.db.pipeline import Connection, Worker, column, owed, value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SETUP = """
create table public.parcels (id integer primary key, owner_id uuid, n integer, answer jsonb);
create function private.apply_parcels(p_row_keys text[], p_outputs jsonb[], p_model_version text)
returns void language sql set search_path = '' as $$
  update public.parcels as p set answer = o.output
  from unnest(p_row_keys, p_outputs) as o (row_key, output) where p.id = o.row_key::integer
$$;
select ml.attach(
  'parcels', 'public.parcels', 'sorter', 'to_jsonb(t.n)', array['n'], 'private.apply_parcels',
  'owner_id'
);
update ml.models set batch_size = 1000 where name = 'sorter';
"""
TEARDOWN = """
select ml.detach('parcels');
drop table public.parcels;
drop function private.apply_parcels;
delete from ml.models where name = 'sorter';
"""
SORTER = {"sorter": "1"}
OWNER = "('00000000-0000-0000-0000-' || lpad(({}), 12, '0'))::uuid"


@pytest.fixture
def parcels(connect: Callable[[], Connection]) -> Iterator[Connection]:
    """A table whose rows belong to somebody."""
    session = connect()
    session.execute(SETUP.encode())
    try:
        yield session
    finally:
        session.execute(TEARDOWN.encode())


@pytest.fixture
def sorter(parcels: Connection) -> Worker:
    return Worker(parcels, SORTER)


def send(conn: Connection, first: int, last: int, owner: str) -> None:
    """Parcels with these numbers; `owner` is an expression over their number `n`."""
    conn.execute(
        f"insert into public.parcels select n, {OWNER.format(f'({owner})::text')}, n"
        f" from generate_series({first}, {last}) as n".encode()
    )


def put_back(conn: Connection, first: int, last: int) -> None:
    """Owe these again, as a backfill does."""
    conn.execute(
        "select ml.enqueue(a.id, array(select n::text from generate_series(%s::int, %s::int) as n),"
        " true)"
        " from ml.attachments as a where a.name = 'parcels'",
        [first, last],
    )


def keys(worker: Worker, limit: int) -> list[int]:
    """What one claim gives."""
    return [int(job.row_key) for job in worker.claim(limit=limit)]


def owners(conn: Connection, taken: list[int]) -> list[int]:
    return column(
        conn,
        "select right(p.owner_id::text, 12)::bigint from unnest(%s::int[]) as u (id)"
        " join public.parcels as p using (id)",
        [taken],
    )


# Owners


@pytest.mark.parametrize(("many", "single"), [("1", "2"), ("2", "1")])
def test_a_large_import_delays_anothers_row_by_one_batch_at_most(
    parcels: Connection, sorter: Worker, connect: Callable[[], Connection], many: str, single: str
) -> None:
    send(parcels, 1, 100_000, many)
    for _ in range(5):  # the import is under way
        assert len(keys(sorter, 64)) == 64
    send(parcels, 200_000, 200_000, single)
    assert 200_000 in keys(sorter, 64) + keys(sorter, 64)
    send(parcels, 200_001, 200_001, single)
    stranger = Worker(connect(), SORTER)  # whose session has learnt nothing yet
    assert 200_001 in keys(stranger, 64) + keys(stranger, 64)


def test_a_row_of_nobody_has_its_turn_too(parcels: Connection, sorter: Worker) -> None:
    send(parcels, 1, 5000, "7")
    parcels.execute("insert into public.parcels values (9999, null, 1)")
    assert 9999 in keys(sorter, 10) + keys(sorter, 10)


def test_nobody_has_a_second_turn_before_all_had_their_first(
    parcels: Connection, sorter: Worker
) -> None:
    send(parcels, 1, 5000, "n % 1000")  # a thousand owners
    for _ in range(2):
        had: list[int] = []
        for _ in range(10):
            had += owners(parcels, keys(sorter, 100))
        assert sorted(had) == list(range(1000))


def test_turns_are_kept_when_a_batch_is_one_row(parcels: Connection, sorter: Worker) -> None:
    send(parcels, 1, 30, "n % 3")
    turns = [owners(parcels, keys(sorter, 1))[0] for _ in range(9)]
    assert {tuple(sorted(turns[n : n + 3])) for n in (0, 3, 6)} == {(0, 1, 2)}


def test_each_owner_gives_the_oldest_first(parcels: Connection, sorter: Worker) -> None:
    for first in (21, 1, 11):
        send(parcels, first, first + 9, "n % 2")
    assert [sorted(keys(sorter, 10)) for _ in range(3)] == [
        list(range(first, first + 10)) for first in (21, 1, 11)
    ]


def test_what_one_owner_leaves_others_may_have(parcels: Connection, sorter: Worker) -> None:
    send(parcels, 1, 1000, "1")
    send(parcels, 1001, 1003, "2")
    taken = owners(parcels, keys(sorter, 100))
    assert (taken.count(1), taken.count(2)) == (97, 3)


# Backfills


def test_a_backfill_has_an_eighth_of_each_batch(parcels: Connection, sorter: Worker) -> None:
    send(parcels, 1, 2000, "n % 5")
    parcels.execute("delete from ml.jobs")
    put_back(parcels, 1, 1000)
    send(parcels, 3001, 4000, "n % 5")
    for _ in range(5):
        taken = keys(sorter, 64)
        assert (len(taken), sum(key <= 1000 for key in taken)) == (64, 8)


@pytest.mark.parametrize("limit", [1, 2, 7, 8, 64])
def test_a_backfill_takes_all_when_it_is_alone(
    parcels: Connection, sorter: Worker, limit: int
) -> None:
    send(parcels, 1, 500, "n % 5")
    parcels.execute("update ml.jobs set is_background = true")
    for _ in range(5):
        assert len(keys(sorter, limit)) == limit


@pytest.mark.parametrize("limit", [1, 2, 7, 8, 64])
def test_live_rows_take_what_a_backfill_does_not_need(
    parcels: Connection, sorter: Worker, limit: int
) -> None:
    send(parcels, 1, 1, "1")
    parcels.execute("update ml.jobs set is_background = true")
    send(parcels, 2, 500, "n % 5")
    for _ in range(5):
        assert len(keys(sorter, limit)) == limit


def test_neither_starves_when_a_batch_is_one_row(parcels: Connection, sorter: Worker) -> None:
    send(parcels, 1, 400, "n % 5")
    parcels.execute("update ml.jobs set is_background = true")
    send(parcels, 401, 800, "n % 5")
    taken = [keys(sorter, 1)[0] for _ in range(400)]
    # An eighth by lot: 50 of 400, give or take six standard deviations.
    assert 10 <= sum(key <= 400 for key in taken) <= 90


# The session's hint


def hint(conn: Connection) -> str:
    return str(
        value(
            conn,
            "select split_part(current_setting(format('rowcast.turn_%s_0', id)), '|', 2)"
            " from ml.attachments where name = 'parcels'",
        )
    )


def test_a_job_that_a_long_transaction_commits_late_is_found(
    parcels: Connection, connect: Callable[[], Connection]
) -> None:
    slow = connect()
    claims = connect()
    worker = Worker(claims, SORTER)
    with slow.transaction():
        send(slow, 0, 0, "1")
        send(parcels, 1, 20_000, "1")
        keys(worker, 100)
        keys(worker, 100)  # this session has learnt a time before which nothing is left
    late = "select min(enqueued_at)::text < %s from ml.jobs where row_key = '0'"
    assert value(parcels, late, [hint(claims)]) is True
    deadline = time.monotonic() + 5
    while 0 not in keys(worker, 10):
        assert time.monotonic() < deadline
    assert len(owed(parcels, "pending")) > 5000  # and not only because nothing else was left


def test_a_job_behind_the_hint_is_found_at_once_when_little_is_left(
    parcels: Connection, connect: Callable[[], Connection]
) -> None:
    slow = connect()
    worker = Worker(connect(), SORTER)
    with slow.transaction():
        send(slow, 0, 0, "1")
        send(parcels, 1, 25, "1")
        assert [len(keys(worker, 10)) for _ in range(2)] == [10, 10]
    assert 0 in keys(worker, 10)


# What it costs


def buffers(conn: Connection, limit: int) -> int:
    """Pages that one claim touches."""
    claim = f"select * from ml.claim('worker', '{{\"sorter\": \"1\"}}', {limit})"
    plan: list[dict[str, Any]] = value(
        conn, f"explain (analyze, buffers, timing off, format json) {claim}"
    )
    top = plan[0]["Plan"]
    return int(top["Shared Hit Blocks"]) + int(top["Shared Read Blocks"])


@pytest.mark.parametrize("owner", ["1", "n % 1000"])
def test_a_claim_reads_what_it_takes_however_long_the_queue(
    parcels: Connection, connect: Callable[[], Connection], owner: str
) -> None:
    send(parcels, 1, 1000, owner)
    session = connect()
    keys(Worker(session, SORTER), 10)  # so that catalogues are read
    short = [buffers(session, 100) for _ in range(4)][-1]
    send(parcels, 2000, 100_000, owner)
    long = [buffers(session, 100) for _ in range(10)]
    assert max(long) < 1.5 * short


@pytest.mark.parametrize("owner", ["1", "n % 2"])
def test_a_claim_does_not_wade_through_what_an_old_snapshot_keeps(
    parcels: Connection, connect: Callable[[], Connection], owner: str
) -> None:
    send(parcels, 1, 20_000, owner)
    session, old = connect(), connect()
    first = [buffers(session, 100) for _ in range(4)][-1]
    old.execute("begin isolation level repeatable read")
    old.execute("select")
    for _ in range(150):
        session.execute("select ml.claim('worker', '{\"sorter\": \"1\"}', 100)")
    later = [buffers(session, 100) for _ in range(4)]
    assert sorted(later)[1] < 1.5 * first  # all but one look from the beginning
