"""When a row counts as answered: every row that lives gets the answer to what it holds, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.db.pipeline import Worker, due_now, eta, owed, reclaim, value

if TYPE_CHECKING:
    from collections.abc import Iterator

Connection = psycopg.Connection[tuple[Any, ...]]

SETUP = """
create table public.ratios (id integer primary key, n integer, u integer default 0, score integer);
create function private.apply_ratios(p_row_keys text[], p_outputs jsonb[], p_model_version text)
returns void language sql set search_path = '' as $$
  update public.ratios as r set score = (o.output ->> 'eta_seconds')::integer
  from unnest(p_row_keys, p_outputs) as o (row_key, output) where r.id::text = o.row_key
$$;
select ml.attach(
  'ratio', 'public.ratios', 'echo', $$jsonb_build_object('x', t.n + t.u)$$, array['n'],
  'private.apply_ratios'
);
"""
ECHO = {"echo": "1"}


@pytest.fixture
def ratios(fresh_db: str) -> Iterator[Connection]:
    """A session that commits by itself; `u` is part of the input and not watched."""
    with psycopg.connect(fresh_db, autocommit=True) as connection:
        connection.execute(SETUP.encode())
        yield connection


def answered_once(ratios: Connection) -> Worker:
    """Row 7 holds 5, and was answered."""
    worker = Worker(ratios, ECHO)
    ratios.execute("insert into public.ratios values (7, 5)")
    assert worker.commit(worker.claim_one(), output=eta(5)) == ["done"]
    return worker


def come_again(ratios: Connection) -> None:
    ratios.execute("delete from public.ratios")
    ratios.execute("insert into public.ratios values (7, 5)")


def few_attempts(ratios: Connection) -> None:
    ratios.execute("update ml.models set max_attempts = 1 where name = 'echo'")


def test_a_cancelled_job_does_not_revive_an_answer_to_an_earlier_row(ratios: Connection) -> None:
    worker = answered_once(ratios)
    come_again(ratios)
    ratios.execute("select ml.cancel('ratio', '7')")
    ratios.execute("update public.ratios set n = 6")
    ratios.execute("update public.ratios set n = 5")
    assert worker.commit(worker.claim_one(), output=eta(5)) == ["done"]
    assert value(ratios, "select score from public.ratios") == 5


@pytest.mark.parametrize("repair", ["select ml.backfill('ratio')", "select ml.redrive()"])
def test_nor_does_a_dead_letter(ratios: Connection, repair: str) -> None:
    worker = answered_once(ratios)
    few_attempts(ratios)
    come_again(ratios)
    worker.fail(worker.claim_one())
    ratios.execute(repair.encode())
    assert worker.commit(worker.claim_one(), output=eta(5)) == ["done"]


def test_a_redrive_beside_a_backfill_is_asked_once(ratios: Connection) -> None:
    worker = answered_once(ratios)
    few_attempts(ratios)
    come_again(ratios)
    worker.fail(worker.claim_one())
    ratios.execute("select ml.backfill('ratio')")
    ratios.execute("select ml.redrive()")
    assert worker.commit(worker.claim_one(), output=eta(5)) == ["done"]
    assert worker.claim() == []


def test_an_edit_and_back_costs_no_attempt(ratios: Connection) -> None:
    worker = answered_once(ratios)
    few_attempts(ratios)
    ratios.execute("update public.ratios set n = 6")
    late = worker.claim_one()
    ratios.execute("update public.ratios set n = 5")
    assert worker.claim() == []
    assert worker.commit(late, output=eta(6)) == ["superseded"]
    assert value(ratios, "select count(*) from ml.dead_letters") == 0
    assert owed(ratios) == []


def test_an_answer_to_another_input_does_not_settle_a_superseded_job(ratios: Connection) -> None:
    worker = Worker(ratios, ECHO)
    ratios.execute("insert into public.ratios values (7, 5)")
    first = worker.claim_one()
    ratios.execute("update public.ratios set n = 6")
    ratios.execute("update public.ratios set n = 5")
    assert worker.commit(first, output=eta(5)) == ["done"]
    ratios.execute("update public.ratios set u = 1")
    second = worker.claim_one()
    ratios.execute("update public.ratios set u = 2")
    assert worker.commit(second, output=eta(6)) == ["superseded"]
    due_now(ratios)
    assert worker.claim_one().input == {"x": 7}


def test_a_retry_is_not_asked_while_its_younger_job_runs(fresh_db: str, ratios: Connection) -> None:
    worker = Worker(ratios, ECHO)
    ratios.execute("insert into public.ratios values (7, 5)")
    older = worker.claim_one()
    with psycopg.connect(fresh_db) as writer:
        writer.execute("update public.ratios set n = 6")
        assert worker.commit(older) == ["busy"]
    due_now(ratios)
    younger = worker.claim_one()
    due_now(ratios)
    assert worker.claim() == []
    assert worker.commit(younger, output=eta(6)) == ["done"]
    due_now(ratios)
    assert worker.claim() == []
    assert owed(ratios) == []


def test_a_row_that_stays_locked_is_asked_less_and_less_often(
    fresh_db: str, ratios: Connection
) -> None:
    worker = Worker(ratios, ECHO)
    ratios.execute("insert into public.ratios values (7, 5)")
    ratios.execute("update ml.jobs set enqueued_at = now() - interval '2 minutes'")
    with psycopg.connect(fresh_db) as holder:
        holder.execute("select from public.ratios for update")
        assert worker.commit(worker.claim_one()) == ["busy"]
    wait = "select extract(epoch from run_at - now()) between 25 and 35 from ml.retries"
    assert value(ratios, wait) is True
    assert value(ratios, "select attempts from ml.retries") == 0


def test_an_answer_to_an_earlier_row_does_not_settle_a_superseded_job(ratios: Connection) -> None:
    worker = answered_once(ratios)
    ratios.execute("delete from public.ratios")
    ratios.execute("insert into public.ratios values (7, 5, 1)")
    job = worker.claim_one()
    ratios.execute("update public.ratios set u = 0")  # as the earlier row was
    assert worker.commit(job, output=eta(6)) == ["superseded"]
    due_now(ratios)
    assert worker.commit(worker.claim_one(), output=eta(5)) == ["done"]
    assert value(ratios, "select score from public.ratios") == 5


@pytest.mark.parametrize("ended", ["item", "batch", "provider", "release", "lease_expired"])
def test_nor_when_the_new_rows_first_job_yields_to_an_edits(ratios: Connection, ended: str) -> None:
    worker = answered_once(ratios)
    come_again(ratios)
    ratios.execute("update public.ratios set n = 6")
    first = worker.claim_one()
    ratios.execute("update public.ratios set n = 5")
    if ended == "lease_expired":
        reclaim(ratios)
    else:
        worker.fail(first, fault=ended)
    ratios.execute("update ml.models set breaker_until = null")
    assert worker.commit(worker.claim_one(), output=eta(5)) == ["done"]
    assert value(ratios, "select score from public.ratios") == 5
