"""pgmq as bare as it goes: read, write every score in one statement, delete, in one transaction.

Why this is its best: one connection and one commit for each batch, set-based write-back, and
binary arrays, so that Python touches each message once. Polling every 100 ms is the default of
`pgmq.read_with_poll`. The variant `notify` uses `enable_notify_insert` without a throttle instead:
prompt, at the price of a NOTIFY in every insert.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import psycopg

QTY = int(os.environ["BENCH_BATCH"])
NOTIFY = os.environ["BENCH_VARIANT"] == "notify"
POLL_SECONDS = 0.1

READ = "select msg_id, (message ->> 'id')::bigint, (message ->> 'x')::float8"
READ += " from pgmq.read('scores', 30, %b)"
WRITE = """
with scored as (
  update public.items as i set score = s.score
  from unnest(%b::bigint[], %b::float8[]) as s (id, score)
  where i.id = s.id
)
select pgmq.delete('scores', %b::bigint[])
"""


def install(url: str) -> None:
    """The schema from the package, and the queue."""
    import pgmq.install  # type: ignore[import-not-found, unused-ignore]

    script: str = pgmq.install.get_embedded_install_sql()
    with psycopg.connect(url) as connection:
        connection.execute(script.encode())
        connection.execute("select pgmq.create('scores')")
        if NOTIFY:
            connection.execute("select pgmq.enable_notify_insert('scores', 0)")


def work(url: str) -> None:
    """Until a signal ends it."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.prepare_threshold = 0
        if NOTIFY:
            connection.execute('listen "pgmq.q_scores.INSERT"')
        while True:
            if not _one_batch(connection):
                _rest(connection)


def _one_batch(connection: psycopg.Connection[Any]) -> bool:
    with connection.transaction():
        rows = connection.execute(READ, [QTY], binary=True).fetchall()
        if rows:
            messages, ids, scores = (list(column) for column in zip(*rows, strict=True))
            connection.execute(WRITE, [ids, scores, messages], binary=True)
    return bool(rows)


def _rest(connection: psycopg.Connection[Any]) -> None:
    if not NOTIFY:
        time.sleep(POLL_SECONDS)
        return
    for _ in connection.notifies(timeout=1.0, stop_after=1):
        pass


if __name__ == "__main__":
    {"install": install, "work": work}[sys.argv[1]](os.environ["DATABASE_URL"])
