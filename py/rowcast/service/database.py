"""The service's way to Postgres: the four pipeline functions, and the sleep of an idle worker."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, LiteralString, Self, cast
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.errors import LockNotAvailable
from psycopg.rows import DictRow, class_row, dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool


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
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25000,
}


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
        busy: Sequence[str] = (),
        request_id: str | None = None,
        webhook_id: str | None = None,
        change: dict[str, Any] | None = None,
    ) -> list[Lease]:
        """Lease due jobs, but for models in `busy`; at most `limit` to a lease.

        A webhook's id and row are committed with the claim they cause.
        """
        parameters = {
            "worker": self._worker,
            "models": self._models,
            "limit": limit,
            "busy": list(busy),
            "request_id": request_id,
            "webhook_id": webhook_id,
            "change": None if change is None else Jsonb(change),
        }
        async with self._pool.connection() as connection:
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
        return {row["outcome"]: row["jobs"] for row in await self._all("commit", parameters)}

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
        await self._all("fail", parameters)

    async def queue_stats(self) -> list[DictRow]:
        """One row for each prediction, as `ml.queue_stats` gives them."""
        return await self._all("queue_stats", {})

    async def ping(self) -> None:
        """Raise unless the database answers."""
        await self._all("ping", {})

    async def _all(self, name: str, parameters: dict[str, Any]) -> list[DictRow]:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(QUERIES[name], parameters)
            return await cursor.fetchall()


class Sleeper:
    """The connection that sleeps under LISTEN, holding the lock that tells writers to notify.

    See `sql/functions/ml/hint.sql` for why no wake-up is lost.
    """

    def __init__(self, connection: AsyncConnection[Any], patience: float) -> None:
        self._connection = connection
        self._patience = patience
        self._asked: asyncio.Task[Any] | None = None

    @classmethod
    async def connect(cls, url: str, worker: str, lock_wait_seconds: float) -> Self:
        """Open the connection; its lock waits at most `lock_wait_seconds`."""
        connection = await AsyncConnection.connect(
            url, **CONNECTION, autocommit=True, application_name=f"{worker} sleeper"
        )
        wait = {"milliseconds": str(max(1, round(lock_wait_seconds * 1000)))}
        await connection.execute(QUERIES["limit_lock_wait"], wait)
        await connection.execute(QUERIES["listen"])
        return cls(connection, lock_wait_seconds + 2)

    async def begin(self) -> bool:
        """Take the lock; False when another worker sleeps already, which is then woken for us."""
        try:
            await self._answer()
            self._ask("begin_sleep")
            await self._answer()
        except LockNotAvailable:
            return False
        return True

    async def wait(self, seconds: float) -> None:
        """Return at the first notification, or after `seconds`."""
        async for _ in self._connection.notifies(timeout=seconds, stop_after=1):
            pass

    def end(self) -> None:
        """Give the lock back, while the worker claims already."""
        self._ask("end_sleep")

    async def close(self) -> None:
        """Close the connection, and with it the lock."""
        await self._connection.close()
        if self._asked is not None:
            self._asked.cancel()
            await asyncio.wait({self._asked}, timeout=1)

    def _ask(self, query: str) -> None:
        self._asked = asyncio.create_task(self._connection.execute(QUERIES[query]))

    async def _answer(self) -> None:
        """Wait for what was asked; `TimeoutError` when the connection is dead without a word."""
        if self._asked is not None:
            done, _ = await asyncio.wait({self._asked}, timeout=self._patience)
            if not done:
                raise TimeoutError("the sleeper's connection does not answer")
            asked, self._asked = self._asked, None
            asked.result()
