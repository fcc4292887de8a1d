"""The service's way to Postgres: the four pipeline functions, and the sleep of an idle worker."""

from __future__ import annotations

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
class Job:
    """One row of `ml.claim`."""

    job_id: int
    token: UUID
    prediction: str
    model: str
    row_key: str
    input: dict[str, Any]
    attempts: int
    batch_size: int
    timeout_ms: int
    lease_seconds: float


@dataclass(frozen=True, slots=True)
class Pulse:
    """Answer to a heartbeat: the tokens still held, and the queue's state."""

    tokens: frozenset[UUID]
    queue_depth: int
    oldest_job_seconds: float


class Database:
    """A pool of connections as role rowcast_service. Every call is one short transaction."""

    def __init__(self, url: str, worker: str, models: dict[str, str], size: int) -> None:
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
        request_id: str | None = None,
        webhook_id: str | None = None,
        change: dict[str, Any] | None = None,
    ) -> list[Job]:
        """Lease due jobs; a webhook's id and row are committed with the claim they cause."""
        parameters = {
            "worker": self._worker,
            "models": self._models,
            "limit": limit,
            "request_id": request_id,
            "webhook_id": webhook_id,
            "change": None if change is None else Jsonb(change),
        }
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Job))
            await cursor.execute(QUERIES["claim"], parameters)
            return await cursor.fetchall()

    async def heartbeat(self, tokens: Sequence[UUID]) -> Pulse:
        """Extend the leases of `tokens`; those that are missing from the answer are lost."""
        parameters = {"worker": self._worker, "models": self._models, "tokens": list(tokens)}
        rows = await self._all("heartbeat", parameters)
        return Pulse(
            tokens=frozenset(row["token"] for row in rows if row["token"] is not None),
            queue_depth=rows[0]["queue_depth"],
            oldest_job_seconds=rows[0]["oldest_job_seconds"],
        )

    async def commit(
        self, token: UUID, results: list[dict[str, Any]], model_version: str, request_id: str
    ) -> dict[str, int]:
        """Write results; counts by outcome: done, superseded, stale."""
        parameters = {
            "token": token,
            "results": Jsonb(results),
            "model_version": model_version,
            "request_id": request_id,
        }
        counts: dict[str, int] = {}
        for row in await self._all("commit", parameters):
            counts[row["outcome"]] = counts.get(row["outcome"], 0) + 1
        return counts

    async def fail(
        self,
        token: UUID,
        job_ids: Sequence[int],
        fault: str,
        error: str | None = None,
        retry_after: float | None = None,
        request_id: str | None = None,
    ) -> None:
        """Give jobs up; `fault` is item, batch, provider or release."""
        parameters = {
            "token": token,
            "job_ids": list(job_ids),
            "fault": fault,
            "error": error,
            "retry_after": retry_after,
            "request_id": request_id,
        }
        await self._all("fail", parameters)

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

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection

    @classmethod
    async def connect(cls, url: str, worker: str, lock_wait_seconds: float) -> Self:
        """Open the connection; its lock waits at most `lock_wait_seconds`."""
        connection = await AsyncConnection.connect(
            url, **CONNECTION, autocommit=True, application_name=f"{worker} sleeper"
        )
        wait = {"milliseconds": str(max(1, round(lock_wait_seconds * 1000)))}
        await connection.execute(QUERIES["limit_lock_wait"], wait)
        await connection.execute(QUERIES["listen"])
        return cls(connection)

    async def begin(self) -> bool:
        """Take the lock; False when another worker sleeps already, which is then woken for us."""
        try:
            await self._connection.execute(QUERIES["begin_sleep"])
        except LockNotAvailable:
            return False
        return True

    async def wait(self, seconds: float) -> None:
        """Return at the first notification, or after `seconds`."""
        async for _ in self._connection.notifies(timeout=seconds, stop_after=1):
            pass

    async def end(self) -> None:
        """Give the lock back."""
        await self._connection.execute(QUERIES["end_sleep"])

    async def close(self) -> None:
        """Close the connection, and with it the lock."""
        await self._connection.close()
