"""GET /metrics: the queue at scrape time, and process metrics whatever happens to the database."""

from __future__ import annotations

import asyncio
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest

from rowcast.service import metrics
from tests.waiting import execute, wait_for_row

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.service.conftest import Start

pytestmark = pytest.mark.anyio

OF_PREDICTIONS = {
    "rowcast_jobs_pending", "rowcast_jobs_background", "rowcast_jobs_waiting",
    "rowcast_jobs_running", "rowcast_oldest_job_seconds", "rowcast_dead_letters",
    "rowcast_breaker_open", "rowcast_paused", "rowcast_full_batches",
}  # fmt: skip
OF_THE_QUEUE = {"rowcast_queue_dead_tuples", "rowcast_oldest_snapshot_seconds"}


async def scrape(client: httpx.AsyncClient) -> dict[str, float]:
    """Sample → value; of the labels only the prediction note_score, which is left out."""
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    pairs = (line.replace('{prediction="note_score"}', "").rsplit(" ", 1) for line in lines)
    return {name: float(value) for name, value in pairs}


@pytest.fixture
def never_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "QUEUE_SECONDS", 0.0)


@contextmanager
def away(url: str) -> Iterator[None]:
    """The database lets nobody in."""
    name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    with psycopg.connect(url, dbname="template1", autocommit=True) as connection:
        connection.execute(f'alter database "{name}" allow_connections false'.encode())
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name]
        )
        yield
        connection.execute(f'alter database "{name}" allow_connections true'.encode())


def forget_the_count(url: str) -> None:
    """A heartbeat may have counted a moment ago."""
    execute(url, "delete from ml.queue_state")


@pytest.mark.usefixtures("never_cached")
async def test_each_prediction_shows_its_queue(start: Start, notes: str) -> None:
    # After its first beat the worker is silent, so that the count is taken when it is asked for.
    async with start(heartbeat_seconds=300) as (client, _):
        await asyncio.to_thread(wait_for_row, notes, "select from ml.workers")
        execute(notes, "select ml.pause('note_score')")
        execute(notes, "insert into public.notes (x) select generate_series(1, 5)")
        execute(
            notes,
            """
            update ml.jobs set is_background = true where row_key in ('1', '2');
            insert into ml.dead_letters (attachment_id, row_key, attempts, reason)
            select id, '9', 5, 'item_fault' from ml.attachments where name = 'note_score';
            insert into ml.retries
            select id, '8', ml.nobody(), now() - interval '1 h', now() + interval '1 h', true,
              false, 1, 0, 0, 'item_fault' from ml.attachments where name = 'note_score';
            """,
        )
        forget_the_count(notes)
        seen = await scrape(client)
        assert OF_PREDICTIONS | OF_THE_QUEUE | {"rowcast_database_up"} <= seen.keys()
        assert {name: seen[name] for name in OF_PREDICTIONS - {"rowcast_oldest_job_seconds"}} == {
            "rowcast_jobs_pending": 3,
            "rowcast_jobs_background": 2,
            "rowcast_jobs_waiting": 1,
            "rowcast_jobs_running": 0,
            "rowcast_dead_letters": 1,
            "rowcast_breaker_open": 0,
            "rowcast_paused": 1,
            "rowcast_full_batches": 0,
        }
        assert 3600 <= seen["rowcast_oldest_job_seconds"] < 3700
        assert seen["rowcast_database_up"] == 1

        execute(notes, "select ml.resume('note_score')")
        execute(notes, "update ml.models set breaker_until = now() + interval '1 h'")
        seen = await scrape(client)
        assert (seen["rowcast_paused"], seen["rowcast_breaker_open"]) == (0, 1)


@pytest.mark.usefixtures("never_cached")
async def test_a_detached_prediction_is_not_shown_any_more(start: Start, notes: str) -> None:
    async with start() as (client, _):
        assert "rowcast_jobs_pending" in await scrape(client)
        execute(notes, "select ml.detach('note_score')")
        seen = await scrape(client)
        assert "rowcast_jobs_pending" not in seen
        assert 'rowcast_jobs_pending{prediction="pickup_eta"}' in seen


async def test_scrapes_in_a_row_ask_the_database_once(start: Start, notes: str) -> None:
    async with start() as (client, _):
        assert (await scrape(client))["rowcast_paused"] == 0
        execute(notes, "select ml.pause('note_score')")
        assert (await scrape(client))["rowcast_paused"] == 0


@pytest.mark.usefixtures("never_cached")
async def test_a_database_that_is_away_leaves_the_process_metrics(start: Start, notes: str) -> None:
    async with start() as (client, _):
        with away(notes):
            seen = await scrape(client)
        assert seen["rowcast_database_up"] == 0
        assert "rowcast_batches_running" in seen
        assert not {name for name in seen if re.match("rowcast_(jobs_pending|queue_)", name)}

        while seen["rowcast_database_up"] != 1:  # the pool mends itself
            seen = await scrape(client)
        assert "rowcast_jobs_pending" in seen
