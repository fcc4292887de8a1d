"""kill -9 in the middle of a batch: nothing is lost, nothing is done twice."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

from tests.waiting import execute, wait_for_row

if TYPE_CHECKING:
    from tests.service.conftest import Launch


def test_kill_9_in_the_middle_of_a_batch_loses_nothing(notes: str, launch: Launch) -> None:
    execute(notes, "update ml.models set lease_seconds = 1 where name = 'faulty'")
    execute(
        notes,
        "insert into public.notes (x, fault) select i, case i when 1 then 'hang' end"
        " from generate_series(1, 20) as i",
    )
    victim = launch()
    wait_for_row(notes, "select 1 from ml.queue where state = 'running' having count(*) = 20", 20)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    killed = time.monotonic()
    # What hung is mended meanwhile; the killed worker's leases cover the rest.
    execute(notes, "update public.notes set fault = null where fault = 'hang'")
    launch()
    wait_for_row(notes, "select 1 where not exists (select from ml.queue)", 20)
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
    wait_for_row(notes, "select 1 from ml.leases", 20)
    process.send_signal(signal.SIGTERM)
    # uvicorn shuts down in order and then lets the signal have its way.
    assert process.wait(timeout=10) == -signal.SIGTERM
    assert execute(notes, "select state, attempts from ml.queue") == [("waiting", 0)]
