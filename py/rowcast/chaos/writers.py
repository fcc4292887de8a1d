"""Writers that do as they like to rows of their own, and remember what the server acknowledged."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from psycopg.rows import scalar_row

if TYPE_CHECKING:
    from collections.abc import Iterator

    Connection = psycopg.Connection[int]

KEYS = 40  # of each writer

# Always another x: an edit that changes nothing owes nothing.
_EDIT = """
update public.items set x = x + 1 + %(x)s, fault = null, hold = null where id = any(%(keys)s)
returning version
"""
_INSERT = """
insert into public.items (id, x) select key, %(x)s from unnest(%(keys)s::bigint[]) as key
on conflict (id) do nothing returning version
"""
_DELETE = "delete from public.items where id = any(%(keys)s) returning version"
_NUDGE = "update public.items set nudge = nudge + 1 where id = any(%(keys)s) returning version"
_SPOIL = """
update public.items set x = x + 1, fault = %(fault)s where id = any(%(keys)s) returning version
"""
_CANCEL = """
with called_off as materialized (
  select k.id, k.version
  from (select i.id, i.version from public.items as i where i.id = any(%(keys)s) order by i.id for update) as k
  where ml.cancel('item_score', k.id::text, 'as it likes')
)
insert into ledger.entries (kind, row_key, version) select 'cancel', id, version from called_off
returning version
"""  # noqa: E501
# Statements of one step, and how often it is taken.
_STEPS = (
    ((_EDIT,), 6),
    ((_INSERT,), 4),
    ((_DELETE,), 2),
    ((_DELETE, _INSERT), 2),
    ((_NUDGE,), 2),
    ((_CANCEL,), 1),
    ((_SPOIL,), 1),
)


class Writer:
    """Works over two connections, because one may keep what it did open for a while."""

    def __init__(self, url: str, number: int, seed: int, pause: float) -> None:
        self._url = url
        self._dice = random.Random(f"{seed} writer {number}")  # noqa: S311
        self._keys = range(number * 1000 + 1, number * 1000 + KEYS + 1)
        self._pause = pause
        self.acknowledged: set[int] = set()
        self.transactions = 0
        self.refused = 0

    def run(self, stop: threading.Event) -> None:
        """Write until told to stop; a server that is away is asked again."""
        while not stop.is_set():
            try:
                with self._connect() as free, self._connect() as held:
                    while not stop.is_set():
                        self._round(free, held, stop)
            except psycopg.OperationalError:
                self.refused += 1
                stop.wait(0.02)

    def _connect(self) -> Connection:
        return psycopg.connect(
            self._url, autocommit=True, row_factory=scalar_row, connect_timeout=5
        )

    def _round(self, free: Connection, held: Connection, stop: threading.Event) -> None:
        some = sorted(self._dice.sample(self._keys, self._dice.choice((1, 3, 10))))
        # What is open stays so across the others, and across the commits of the services.
        others = [key for key in self._keys if key not in some]
        regrets = self._dice.random() < 0.2
        with held.transaction(force_rollback=regrets):
            versions = self._write(held, some)
            for _ in range(self._dice.choice((0, 2, 8))):
                keys = sorted(self._dice.sample(others, self._dice.choice((1, 1, 1, 10))))
                with free.transaction():
                    at_once = self._write(free, keys)
                self._note(at_once)
                stop.wait(self._pause)
        if not regrets:
            self._note(versions)

    def _note(self, versions: list[int]) -> None:
        self.acknowledged.update(versions)
        self.transactions += 1

    def _write(self, connection: Connection, keys: list[int]) -> list[int]:
        (statements,) = self._dice.choices(
            [step for step, _ in _STEPS], [weight for _, weight in _STEPS]
        )
        if statements == (_SPOIL,):
            keys = keys[:1]
        values = {
            "keys": keys,
            "x": self._dice.randrange(1000),
            "fault": self._dice.choice(("input", "input", "crash")),
        }
        return [
            version
            for statement in statements
            for version in connection.execute(statement.encode(), values)
        ]


@contextmanager
def writing(url: str, count: int, seed: int, pause: float = 0.01) -> Iterator[list[Writer]]:
    """So many writers at work while the block runs; a fault of one is raised at its end."""
    writers = [Writer(url, number, seed, pause) for number in range(count)]
    stop = threading.Event()
    with ThreadPoolExecutor(count) as pool:
        running = [pool.submit(writer.run, stop) for writer in writers]
        try:
            yield writers
        finally:
            stop.set()
        for each in running:
            each.result()


def acknowledged(writers: list[Writer]) -> set[int]:
    """Versions whose commit was confirmed to a writer."""
    return set[int]().union(*(writer.acknowledged for writer in writers))
