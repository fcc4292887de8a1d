"""A model moves out of the service, and back, by one row."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.service.conftest import ECHOES
from tests.waiting import execute, wait_for_row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.service.conftest import Start

pytestmark = pytest.mark.anyio
SERVER = Path(__file__).parents[1] / "remote" / "server.py"
NOTHING_OWED = "select 1 where not exists (select from ml.queue)"


@pytest.fixture
def server_url() -> Iterator[str]:
    """The model server that tests/remote uses."""
    command = [sys.executable, str(SERVER)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


async def settled(url: str, query: str = NOTHING_OWED) -> None:
    await asyncio.to_thread(wait_for_row, url, query)


def place(url: str, protocol: str, address: str) -> None:
    execute(
        url,
        f"update ml.models set protocol = '{protocol}', url = '{address}', version = 'row'"
        " where name = 'faulty'",
    )


async def test_a_changed_row_moves_the_model_out_and_back(
    notes: str, start: Start, server_url: str
) -> None:
    async with start():
        execute(notes, "insert into public.notes (x) values (1)")
        await settled(notes)
        place(notes, "plain", f"{server_url}/plain")
        execute(notes, "insert into public.notes (x) values (2)")
        await settled(notes)
        execute(
            notes, "update ml.models set protocol = null, url = null, version = null"
            " where name = 'faulty'",
        )  # fmt: skip
        execute(notes, "insert into public.notes (x) values (3)")
        await settled(notes)
    versions = "select x, scored_by from public.notes order by x"
    (inside, outside, back) = execute(notes, versions)
    assert inside == (1, "1")
    assert back == (3, "1")
    assert outside[1] != "1"


async def test_a_row_that_cannot_be_asked_costs_nobody_an_attempt(notes: str, start: Start) -> None:
    execute(
        notes,
        "update ml.models set protocol = 'plain', url = 'http://127.0.0.1:9/',"
        " options = '{\"key\": \"no such key\"}' where name = 'faulty'",
    )
    execute(notes, "insert into public.notes (x) values (1)")
    async with start():
        await settled(
            notes,
            "select 1 from ml.retries as r, ml.models as m where r.reason = 'provider_fault'"
            " and r.attempts = 0 and m.breaker_reason like '%no key named%'",
        )


async def test_a_server_that_asks_for_a_pause_is_left_alone_and_others_go_on(
    notes: str, start: Start, server_url: str
) -> None:
    place(notes, "plain", f"{server_url}/fault/429-seconds")
    execute(notes, ECHOES)
    execute(notes, "insert into public.notes (x) select generate_series(1, 10)")
    execute(notes, "insert into public.echoes (id, x) select g, g from generate_series(1, 10) as g")
    async with start():
        await settled(notes, "select 1 from public.echoes having count(score) = 10")
        await settled(notes, "select 1 from ml.retries having count(*) = 10 and max(attempts) = 0")
        resting = "select breaker_until > now() + '5 s' from ml.models where name = 'faulty'"
        assert execute(notes, resting) == [(True,)]
    assert execute(notes, "select count(*) from ml.dead_letters") == [(0,)]
