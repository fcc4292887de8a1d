"""What the audit log costs a write that it notes: time of its own, and commits of many writers."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import psycopg

Connection = psycopg.Connection[tuple[Any, ...]]

TABLES = {"plain": "public.bench_plain", "audited": "public.bench_audited"}
_SET_UP = """
create table {0} (id integer primary key, user_id uuid not null, name text not null);
insert into {0} select n, gen_random_uuid(), 'x' from generate_series(1, 100) as n;
"""
# One row at a time, as requests write, but without their round trips.
_LOOP = """
do $$
begin
  for n in 1 .. {1} loop
    update {0} set name = n where id = 1 + n % 100;
  end loop;
end
$$
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds a write in one long transaction: as it writes, and at its commit."""

    write: float
    link: float


def set_up(url: str) -> None:
    """Two tables alike, one of them audited."""
    with psycopg.connect(url) as connection:
        for table in TABLES.values():
            connection.execute(_SET_UP.format(table).encode())
        connection.execute(f"select private.audit('{TABLES['audited']}', p_subject => 'user_id')")


def cost(url: str, table: str, writes: int) -> Cost:
    """Of single writes, one after the other."""
    with psycopg.connect(url) as connection:
        connection.execute("set constraints all deferred")
        started = time.perf_counter()
        connection.execute(_LOOP.format(table, writes).encode())
        written = time.perf_counter()
        connection.execute("set constraints all immediate")
        linked = time.perf_counter()
    return Cost(1e6 * (written - started) / writes, 1e6 * (linked - written) / writes)


def throughput(url: str, table: str, writers: int, seconds: float) -> float:
    """Commits a second of so many sessions, each writing a row of its own."""
    connections: list[Connection] = [psycopg.connect(url, autocommit=True) for _ in range(writers)]
    end = time.perf_counter() + seconds

    def write(number: int) -> int:
        done = 0
        query = f"update {table} set name = %s where id = {number + 1}"  # noqa: S608 - ours
        while time.perf_counter() < end:
            connections[number].execute(query.encode(), [str(done)])
            done += 1
        return done

    with ThreadPoolExecutor(writers) as pool:
        total = sum(pool.map(write, range(writers)))
    for connection in connections:
        connection.close()
    return total / seconds
