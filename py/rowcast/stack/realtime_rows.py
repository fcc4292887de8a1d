"""The database side of the Realtime stand-in: rows of realtime.messages, and rights on topics."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg.rows import namedtuple_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from rowcast.stack.lines import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from rowcast.stack.tokens import Identity

log = logging.getLogger("rowcast.realtime")

CATCH_UP_SECONDS: Final = 300
OVERLAP_SECONDS: Final = 30
REMEMBERED_IDS: Final = 10_000
PARTITION_SECONDS: Final = 3600.0
UUID_TEXT: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")

ROWS_BY_ID: Final = """
    select id, topic, event, payload, private, inserted_at from realtime.messages
    where id = any(%s::uuid[]) and inserted_at > localtimestamp - interval '1 day'
    order by inserted_at
"""
ROWS_SINCE: Final = """
    select id, topic, event, payload, private, inserted_at from realtime.messages
    where extension = 'broadcast' and inserted_at > greatest(
        %s - %s * interval '1 second', localtimestamp - %s * interval '1 second'
    )
    order by inserted_at limit 10000
"""

MAY_TAKE_ROLE: Final = """
    select pg_has_role('authenticator', oid, 'member') from pg_roles where rolname = %s
"""
PROBE: Final = """
    insert into realtime.messages (topic, extension, event, private)
    values (%s, 'broadcast', 'probe', true)
"""
BECOME: Final = """
    select set_config('role', %s, true), set_config('realtime.topic', %s, true),
           set_config('request.jwt.claims', %s, true), set_config('statement_timeout', '3s', true)
"""
SEE_PROBE: Final = "select from realtime.messages where id = %s"


@dataclass(frozen=True, slots=True)
class Rights:
    """What a token may do on one topic."""

    read: bool
    write: bool


NOTHING: Final = Rights(read=False, write=False)
EVERYTHING: Final = Rights(read=True, write=True)


class RightsUnknownError(Exception):
    """The database did not answer when it was asked for rights."""


class RightsDesk:
    """Asks row-level security, in transactions that leave nothing behind."""

    def __init__(self, db_url: str) -> None:
        self._pool = AsyncConnectionPool(
            db_url,
            min_size=1,
            max_size=4,
            open=False,
            timeout=5,
            check=AsyncConnectionPool.check_connection,
            kwargs={"application_name": "rowcast realtime"},
        )

    async def open(self) -> None:
        """Begin connecting."""
        await self._pool.open()

    async def close(self) -> None:
        """Give the connections back."""
        await self._pool.close()

    async def rights(self, identity: Identity, topic: str) -> Rights:
        """Say what a token may do on a private topic.

        Raises:
            RightsUnknownError: if the database is away.
        """
        try:
            async with self._pool.connection() as conn, conn.transaction(force_rollback=True):
                return await _ask(conn, identity, topic)
        except (psycopg.OperationalError, PoolTimeout) as error:
            log.warning("rights could not be asked: %s", one_line(error))
            raise RightsUnknownError from error


async def _ask(conn: psycopg.AsyncConnection[Any], identity: Identity, topic: str) -> Rights:
    may = await (await conn.execute(MAY_TAKE_ROLE, (identity.role,))).fetchone()
    if may is None or not may[0]:
        return NOTHING
    # The probe row is written by the owner and gone with the rollback, before anyone hears of it.
    probe = await (await conn.execute(PROBE + " returning id", (topic,))).fetchone()
    await conn.execute(BECOME, (identity.role, topic, json.dumps(identity.claims)))
    read = await _touches_a_row(conn, SEE_PROBE, probe)
    write = await _touches_a_row(conn, PROBE, (topic,))
    return Rights(read, write)


async def _touches_a_row(conn: psycopg.AsyncConnection[Any], query: str, params: Any) -> bool:
    """Try a statement in a savepoint; a policy that fails is a no."""
    try:
        async with conn.transaction(force_rollback=True):
            return (await conn.execute(query, params)).rowcount == 1
    except psycopg.errors.InsufficientPrivilege:
        return False
    except psycopg.OperationalError:
        raise
    except psycopg.DatabaseError as error:
        log.warning("a policy on realtime.messages failed: %s", one_line(error))
        return False


class Feed:
    """Hands every new row of realtime.messages to `deliver`, once."""

    def __init__(self, db_url: str, deliver: Callable[[Any], None]) -> None:
        self._db_url, self._deliver = db_url, deliver
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._last_seen: Any = None

    async def run(self) -> None:
        """Listen for ever; connect again for as long as it takes."""
        delay = 0.1
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._db_url,
                    autocommit=True,
                    row_factory=namedtuple_row,
                    application_name="rowcast realtime listen",
                ) as conn:
                    delay = 0.1
                    await self._listen(conn)
            except psycopg.OperationalError as error:
                log.warning("database connection lost, trying again: %s", one_line(error))
            await asyncio.sleep(delay)
            delay = min(delay * 2, 5.0)

    async def _listen(self, conn: psycopg.AsyncConnection[Any]) -> None:
        await conn.execute("listen rowcast_realtime")
        await self._catch_up(conn)
        next_partitions = 0.0
        while True:
            if time.monotonic() >= next_partitions:
                await conn.execute("call realtime._standin_partitions()")
                next_partitions = time.monotonic() + PARTITION_SECONDS
            # The connection is busy while it waits, so hints are collected first.
            hints = [notify.payload async for notify in conn.notifies(timeout=60, stop_after=1)]
            await self._fetch(conn, hints)

    async def _fetch(self, conn: psycopg.AsyncConnection[Any], hints: list[str]) -> None:
        # Anyone may NOTIFY, so what it says is a hint only: content comes from the table.
        ids = [text for hint in hints for text in hint.split(",") if UUID_TEXT.match(text)]
        if ids:
            for row in await (await conn.execute(ROWS_BY_ID, (ids,))).fetchall():
                self._hand_out(row)

    async def _catch_up(self, conn: psycopg.AsyncConnection[Any]) -> None:
        """After the first connection, fetch what was missed while there was none."""
        if self._last_seen is None:
            row = await (await conn.execute("select localtimestamp as at")).fetchone()
            self._last_seen = row.at if row else None
            return
        bounds = (self._last_seen, OVERLAP_SECONDS, CATCH_UP_SECONDS)
        rows = await (await conn.execute(ROWS_SINCE, bounds)).fetchall()
        missed = sum(self._hand_out(row) for row in rows)
        log.info("connected again; %d rows had been missed", missed)

    def _hand_out(self, row: Any) -> bool:
        """Deliver a row unless it was before; say whether it was new."""
        key = str(row.id)
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > REMEMBERED_IDS:
            self._seen.popitem(last=False)
        self._last_seen = max(self._last_seen, row.inserted_at)
        self._deliver(row)
        return True
