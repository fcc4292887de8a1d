"""The service's way to Postgres: the four pipeline functions, and the sleep of an idle worker."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, LiteralString, Self, cast
from uuid import UUID

import psycopg
from psycopg import AsyncConnection
from psycopg.errors import LockNotAvailable
from psycopg.rows import DictRow, class_row, dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool, PoolTimeout


def _read_queries() -> dict[str, LiteralString]:
    text = files(__package__).joinpath("queries.sql").read_text()
    blocks = re.split(r"^-- name: (\w+)$", text, flags=re.MULTILINE)
    return {
        name: cast(LiteralString, body.strip())
        for name, body in zip(blocks[1::2], blocks[2::2], strict=True)
    }


QUERIES = _read_queries()

# A peer that is gone without a word is noticed within half a minute.
CONNECTION: dict[str, Any] = {
    "connect_timeout": 3,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25000,
}


# A statement that takes longer was sent into a connection that is open and dead: nothing on the way
# need notice that. The commit of a large batch on a slow disk is no reason to hang up.
STATEMENT_SECONDS = 10.0
COMMIT_SECONDS = 60.0


@asynccontextmanager
async def in_time(connection: AsyncConnection[Any], seconds: float) -> AsyncIterator[None]:
    """Hang up when the block takes longer; what waits in it then raises `OperationalError`.

    Not by cancelling, which would first ask the server, over a new connection, to cancel.
    """
    timer = asyncio.get_running_loop().call_later(seconds, _hang_up, connection)
    try:
        yield
    finally:
        timer.cancel()


def _hang_up(connection: AsyncConnection[Any]) -> None:
    # A second handle on the same socket: the first belongs to libpq.
    with (
        contextlib.suppress(OSError, psycopg.Error),
        socket.socket(fileno=os.dup(connection.fileno())) as handle,
    ):
        handle.shutdown(socket.SHUT_RDWR)


@dataclass(frozen=True, slots=True)
class Lease:
    """One row of `ml.claim`: a batch of one model, held under a token."""

    token: UUID
    prediction: str
    model: str
    size: int
    inputs: str
    batch_size: int
    timeout_ms: int
    protocol: str | None
    url: str | None
    options: dict[str, Any]
    version: str | None


@dataclass(frozen=True, slots=True)
class Results:
    """What a commit writes: `outputs` is a JSON array, one element for each position.

    Positions count from 1; None stands for all of the lease.
    """

    outputs: str
    lows: list[float | None] | None = None
    highs: list[float | None] | None = None
    positions: list[int] | None = None
    tokens: int | None = None


class Database:
    """A pool of connections as role rowcast_service. Every call is one short transaction."""

    def __init__(
        self, url: str, worker: str, models: dict[str, str], size: int, *, pooled: bool = False
    ) -> None:
        self._worker = worker
        self._models = Jsonb(models)
        self._pool = AsyncConnectionPool[AsyncConnection[DictRow]](
            url,
            min_size=1,
            max_size=size,
            open=False,
            timeout=5,
            # After that, and not ever later, a lost database is asked for anew.
            reconnect_timeout=4,
            kwargs={
                **CONNECTION,
                "autocommit": True,
                "row_factory": dict_row,
                "application_name": worker,
                # Behind a pooler in transaction mode, a prepared statement may not be there.
                "prepare_threshold": None if pooled else 0,
            },
        )

    async def __aenter__(self) -> Self:
        await self._pool.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.close()

    async def claim(
        self,
        limit: int,
        batches: Mapping[str, int],
        request_id: str | None = None,
        webhook_id: str | None = None,
        change: dict[str, Any] | None = None,
    ) -> list[Lease]:
        """Lease due jobs, at most `limit` to a lease; `batches` is how many leases for each model.

        A webhook's id and row are committed with the claim they cause.
        """
        parameters = {
            "worker": self._worker,
            "models": self._models,
            "limit": limit,
            "batches": Jsonb(batches),
            "request_id": request_id,
            "webhook_id": webhook_id,
            "change": None if change is None else Jsonb(change),
        }
        async with self._connection(STATEMENT_SECONDS) as connection:
            cursor = connection.cursor(row_factory=class_row(Lease))
            await cursor.execute(QUERIES["claim"], parameters)
            return await cursor.fetchall()

    async def heartbeat(
        self, tokens: Sequence[UUID], activity: dict[str, dict[str, float]]
    ) -> set[UUID]:
        """Extend the leases of `tokens`; those that are missing from the answer are lost."""
        parameters = {
            "worker": self._worker,
            "models": self._models,
            "tokens": list(tokens),
            "activity": Jsonb(activity),
        }
        return {row["token"] for row in await self._all("heartbeat", parameters)}

    async def commit(
        self, token: UUID, results: Results, version: str, request_id: str
    ) -> dict[str, int]:
        """Write results; counts by outcome: done, superseded, busy, stale."""
        parameters = {
            "token": token,
            "outputs": results.outputs,
            "version": version,
            "positions": results.positions,
            "lows": results.lows,
            "highs": results.highs,
            "tokens": results.tokens,
            "request_id": request_id,
        }
        rows = await self._all("commit", parameters, COMMIT_SECONDS)
        return {row["outcome"]: row["jobs"] for row in rows}

    async def fail(
        self,
        token: UUID,
        fault: str,
        error: str | None = None,
        positions: Sequence[int] | None = None,
        retry_after: float | None = None,
        request_id: str | None = None,
    ) -> None:
        """Give jobs up; `fault` is item, batch, provider or release. All by default."""
        parameters = {
            "token": token,
            "fault": fault,
            "error": error,
            "positions": None if positions is None else list(positions),
            "retry_after": retry_after,
            "request_id": request_id,
        }
        await self._all("fail", parameters, COMMIT_SECONDS)

    async def queue_stats(self) -> list[DictRow]:
        """One row for each prediction, as `ml.queue_stats` gives them."""
        return await self._all("queue_stats", {})

    async def ping(self) -> None:
        """Raise unless the database answers."""
        await self._all("ping", {}, 2)

    async def _all(
        self, name: str, parameters: dict[str, Any], seconds: float = STATEMENT_SECONDS
    ) -> list[DictRow]:
        async with self._connection(seconds) as connection:
            cursor = await connection.execute(QUERIES[name], parameters)
            return await cursor.fetchall()

    @asynccontextmanager
    async def _connection(self, seconds: float) -> AsyncIterator[AsyncConnection[DictRow]]:
        """A connection for one statement. When it was dead, its fellows are suspects too."""
        try:
            async with self._pool.connection() as connection, in_time(connection, seconds):
                yield connection
        except psycopg.OperationalError as fault:
            # With a state, the server said so itself, and is there.
            if fault.sqlstate is None and not isinstance(fault, PoolTimeout):
                await self._pool.drain()
            raise


class Sleeper:
    """The connection that sleeps under LISTEN, holding the lock that tells writers to notify.

    See `sql/functions/ml/hint.sql` for why no wake-up is lost.
    """

    def __init__(self, connection: AsyncConnection[Any], lock_wait_seconds: float) -> None:
        self._connection = connection
        self._limit = lock_wait_seconds + 2
        self._ending: asyncio.Task[None] | None = None

    @classmethod
    async def connect(cls, url: str, worker: str, lock_wait_seconds: float) -> Self:
        """Open the connection; its lock waits at most `lock_wait_seconds`."""
        connection = await AsyncConnection.connect(
            url, **CONNECTION, autocommit=True, application_name=f"{worker} sleeper"
        )
        sleeper = cls(connection, lock_wait_seconds)
        await sleeper._execute("listen")
        # The server ends the session of a sleeper that is gone without a word, and its lock.
        waits = {
            "lock": str(max(1, round(lock_wait_seconds * 1000))),
            "idle": str(round((lock_wait_seconds + 600) * 1000)),
        }
        await sleeper._execute("limit_waits", waits)
        return sleeper

    async def begin(self) -> bool:
        """Take the lock; False when another worker sleeps already, which is then woken for us."""
        if self._ending is not None:
            ending, self._ending = self._ending, None
            await ending
        try:
            await self._execute("begin_sleep")
        except LockNotAvailable:
            return False
        return True

    async def wait(self, seconds: float) -> None:
        """Return at the first notification, or after `seconds`."""
        async for _ in self._connection.notifies(timeout=seconds, stop_after=1):
            pass

    def end(self) -> None:
        """Give the lock back, while the worker claims already."""
        self._ending = asyncio.create_task(self._execute("end_sleep"))

    async def close(self) -> None:
        """Close the connection, and with it the lock."""
        if self._ending is not None:
            # First whoever waits on the socket: an event loop does not outlive one closed under it.
            _hang_up(self._connection)
            await asyncio.gather(self._ending, return_exceptions=True)
        await self._connection.close()

    async def _execute(self, query: str, parameters: dict[str, Any] | None = None) -> None:
        async with in_time(self._connection, self._limit):
            await self._connection.execute(QUERIES[query], parameters)
