"""kill -9 in the middle of a batch: nothing is lost, nothing is done twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from rowcast.stack.temporary import free_port_block
from tests.service.conftest import DATABASE_SECRET, SECRET_KEY, WEBHOOK_SECRET
from tests.waiting import wait_for_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    Launch: TypeAlias = Callable[[], subprocess.Popen[bytes]]

ROOT = Path(__file__).parents[2]


@pytest.fixture
def launch(service_url: str) -> Iterator[Launch]:
    started: list[subprocess.Popen[bytes]] = []

    def run() -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            "PYTHONPATH": f"{ROOT / 'py'}:{ROOT}",
            "ROWCAST_DB_URL": service_url,
            "ROWCAST_SECRET_KEY": SECRET_KEY,
            "ROWCAST_WEBHOOK_SECRETS": WEBHOOK_SECRET,
            "ROWCAST_DATABASE_WEBHOOK_SECRET": DATABASE_SECRET,
            "ROWCAST_MODELS": "faulty",
            "ROWCAST_PORT": str(free_port_block()),
            "ROWCAST_HEARTBEAT_SECONDS": "0.2",
            "ROWCAST_POLL_SECONDS": "0.2",
            "ROWCAST_DRAIN_SECONDS": "1",
        }
        command = [sys.executable, "-m", "tests.service.faulty_service"]
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()


def execute(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        cursor = connection.execute(query.encode())
        return cursor.fetchall() if cursor.description else []


def test_kill_9_in_the_middle_of_a_batch_loses_nothing(notes: str, launch: Launch) -> None:
    execute(notes, "update ml.models set lease_seconds = 1 where name = 'faulty'")
    execute(
        notes,
        "insert into public.notes (x, fault) select i, case i when 1 then 'hang' end"
        " from generate_series(1, 20) as i",
    )
    victim = launch()
    wait_for_row(notes, "select 1 from ml.jobs where token is not null having count(*) = 20", 20)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    killed = time.monotonic()
    # What hung is mended meanwhile; the killed worker's leases cover the rest.
    execute(notes, "update public.notes set fault = null where fault = 'hang'")
    launch()
    wait_for_row(notes, "select 1 where not exists (select from ml.jobs)", 20)
    recovered = time.monotonic() - killed

    assert execute(notes, "select count(*) from public.notes where score = x") == [(20,)]
    assert execute(
        notes,
        "select count(*), count(distinct row_key) from public.predictions where status = 'done'",
    ) == [(20, 20)]
    # Two leases of a second, and the second service's own start.
    assert recovered < 2 + 8


def test_sigterm_releases_and_exits_cleanly_even_with_a_hung_model(
    notes: str, launch: Launch
) -> None:
    execute(notes, "insert into public.notes (x, fault) values (1, 'hang')")
    process = launch()
    wait_for_row(notes, "select 1 from ml.jobs where token is not null", 20)
    process.send_signal(signal.SIGTERM)
    # uvicorn shuts down in order and then lets the signal have its way.
    assert process.wait(timeout=10) == -signal.SIGTERM
    assert execute(notes, "select token, attempts from ml.jobs") == [(None, 0)]
