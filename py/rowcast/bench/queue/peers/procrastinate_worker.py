"""procrastinate: one worker, twenty asynchronous jobs at a time, woken by NOTIFY.

Why this is its best: the library fetches and finishes one job at a time, so what helps is
concurrency over a pool that never makes a job wait for a connection; more than twenty adds nothing
on two cores. Finished jobs are deleted, which saves it the history. It has no batches.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from typing import Any

import procrastinate  # type: ignore[import-not-found, unused-ignore]

CONCURRENCY = 20
WRITE = "update public.items set score = %s where id = %s"


def _app(url: str) -> Any:
    # Beside the jobs' connections: LISTEN, and one for fetching.
    pool = {"min_size": CONCURRENCY + 2, "max_size": CONCURRENCY + 2}
    connector = procrastinate.PsycopgConnector(conninfo=url, **pool)
    app = procrastinate.App(connector=connector)

    async def score(id: int, x: float) -> None:  # noqa: A002 - the names in the payload
        async with connector.pool.connection() as connection:
            await connection.execute(WRITE, [x, id])

    app.task(score, name="score", queue="scores")
    return app


async def install(url: str) -> None:
    """The schema from the package."""
    async with _app(url).open_async() as app:
        await app.schema_manager.apply_schema_async()


async def work(url: str) -> None:
    """Until a signal ends it."""
    logging.disable(logging.CRITICAL)
    async with _app(url).open_async() as app:
        await app.run_worker_async(
            queues=["scores"], concurrency=CONCURRENCY, listen_notify=True, delete_jobs="always"
        )


if __name__ == "__main__":
    asyncio.run({"install": install, "work": work}[sys.argv[1]](os.environ["DATABASE_URL"]))
