"""Everything at once, and at the end every row that lives holds the answer to what it is."""

from __future__ import annotations

import json
import random
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.db.pipeline import Connection, Worker, due_now, expire_leases, owed, value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SETUP = """
create table public.sums (id integer primary key, owner_id uuid, n integer not null, answer jsonb);
create function private.apply_sums(p_row_keys text[], p_outputs jsonb[], p_model_version text)
returns void language sql set search_path = '' as $$
  update public.sums as s set answer = o.output
  from unnest(p_row_keys, p_outputs) as o (row_key, output) where s.id = o.row_key::integer
$$;
select ml.attach(
  'sums', 'public.sums', 'adder', 'to_jsonb(t.n)', array['n'], 'private.apply_sums', 'owner_id'
);
update ml.models set batch_size = 64, max_attempts = 100, backoff_seconds = 0.01
where name = 'adder';
insert into ml.budgets values ('adder', 'owner', 'calls', 100000000);
"""
TEARDOWN = """
select ml.detach('sums');
drop table public.sums;
drop function private.apply_sums;
delete from ml.models where name = 'adder';
"""
ADDER = {"adder": "1"}
ROWS = 300
SECONDS = 4
# Two that delete and insert the same keys would wait for each other with or without predictions.
ONE_AT_A_TIME = "select pg_advisory_xact_lock(1)"


@pytest.fixture
def sums(connect: Callable[[], Connection]) -> Iterator[Connection]:
    session = connect()
    session.execute(SETUP.encode())
    try:
        yield session
    finally:
        session.execute(TEARDOWN.encode())


def answer(worker: Worker, dice: random.Random) -> None:
    """Each batch of a claim ends in one of the ways that a batch can end."""
    for lease in worker.lease(limit=dice.choice([1, 7, 64])):
        outputs = [n + 1 for n in json.loads(lease.inputs)]
        end = dice.random()
        if end < 0.15:
            fault = dice.choice(["item", "batch", "release"])
            worker.conn.execute("select ml.fail(%s, %s)", [lease.token, fault])
        elif end < 0.25:
            expire_leases(worker.conn)  # of others too
        elif end < 0.5:  # in two parts
            half = lease.size // 2
            for part in (range(1, half + 1), range(half + 1, lease.size + 1)):
                if part:
                    commit(worker, lease.token, [outputs[n - 1] for n in part], list(part))
        else:
            commit(worker, lease.token, outputs, None)


def commit(worker: Worker, token: object, outputs: list[int], positions: list[int] | None) -> None:
    worker.conn.execute(
        "select * from ml.commit(%s, %s, '1', %s::int[], p_tokens => 10)",
        [token, json.dumps(outputs), positions],
    )


def write(session: Connection, dice: random.Random) -> None:
    """One statement of an application; those on several rows take them in key order."""
    first = dice.randrange(ROWS)
    last = first + dice.choice([0, 0, 40])
    between = f"id between {first} and {last}"
    key = str(first)
    act = dice.randrange(8)
    if act < 3:
        session.execute(
            f"with s as (select id from public.sums where {between} order by id for update)"
            f" update public.sums as t set n = {dice.randrange(1000)} from s where s.id = t.id"
        )
    elif act == 3:
        with session.transaction():
            session.execute(ONE_AT_A_TIME)
            session.execute(f"select from public.sums where {between} order by id for update")
            session.execute(f"delete from public.sums where {between}")
            if dice.random() < 0.5:
                insert(session, first, last)
    elif act == 4:
        with session.transaction():
            session.execute(ONE_AT_A_TIME)
            insert(session, first, last)
    elif act == 5:
        session.execute("select ml.backfill('sums', 100, p_restart => %s)", [dice.random() < 0.3])
    elif act == 6:
        change = {"schema": "public", "table": "sums", "record": {"id": first}}
        webhook = Worker(session, {}, "webhook")
        webhook.lease(p_webhook_id=str(dice.random()), p_change=change)
    else:
        session.execute("select ml.cancel('sums', %s)", [key])
        # What was called off is not owed; so that the end can be told, it is owed again.
        session.execute("update public.sums set n = n + 1 where id = %s", [first])


def insert(session: Connection, first: int, last: int) -> None:
    session.execute(
        "insert into public.sums select n, md5((n %% 7)::text)::uuid, n"
        " from generate_series(%s::int, %s::int) as n on conflict (id) do nothing",
        [first, last],
    )


class Storm:
    """Tasks that go on for a while, each in a session of its own; an error ends them all."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self.connect = connect
        self.end = time.monotonic() + SECONDS

    def run(self, *tasks: Callable[[Connection, random.Random], None]) -> None:
        with ThreadPoolExecutor(len(tasks)) as pool:
            running = [pool.submit(self.repeat, task, n) for n, task in enumerate(tasks)]
        for task in running:
            task.result()

    def repeat(self, task: Callable[[Connection, random.Random], None], seed: int) -> None:
        session, dice = self.connect(), random.Random(seed)
        try:
            while time.monotonic() < self.end:
                task(session, dice)
        except psycopg.Error:
            self.end = 0
            raise


def work(session: Connection, dice: random.Random) -> None:
    answer(Worker(session, ADDER), dice)


def beat(session: Connection, dice: random.Random) -> None:
    Worker(session, ADDER, f"beating {dice.randrange(3)}").heartbeat()


def finish(session: Connection) -> None:
    """Let one good worker do what is left."""
    worker = Worker(session, ADDER, "last")
    expire_leases(session)
    deadline = time.monotonic() + 20
    while owed(session):
        assert time.monotonic() < deadline
        worker.heartbeat()
        due_now(session)
        for lease in worker.lease():
            commit(worker, lease.token, [n + 1 for n in json.loads(lease.inputs)], None)


def test_every_row_ends_with_the_answer_to_what_it_holds(
    sums: Connection, connect: Callable[[], Connection]
) -> None:
    insert(sums, 0, ROWS)
    Storm(connect).run(work, work, work, write, write, write, write, beat)
    finish(sums)
    wrong = "select count(*) from public.sums where answer is distinct from to_jsonb(n + 1)"
    assert value(sums, wrong) == 0
    assert value(sums, "select count(*) > 0 from public.sums") is True
    assert value(sums, "select count(*) from ml.dead_letters") == 0
