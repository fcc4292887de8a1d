"""Stand-in for the background worker of pg_net: delivers net.http_request_queue, at most once.

A request leaves the queue in a committed transaction before it is sent, so a crash may lose it but
never sends it twice. Answers stay in net._http_response for six hours. NOTIFY wakes the worker.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import Any, Final

import aiohttp
import psycopg
from psycopg.rows import namedtuple_row

from rowcast.stack.lines import one_line

log = logging.getLogger("rowcast.pg_net")

BATCH: Final = 100
MAX_ANSWER_BYTES: Final = 1024 * 1024
POLL_SECONDS: Final = 10.0
SWEEP_SECONDS: Final = 300.0

TAKE: Final = """
    delete from net.http_request_queue
    where id in (select id from net.http_request_queue order by id limit %s for update skip locked)
    returning id, method, url, headers, body, timeout_milliseconds
"""
STORE: Final = """
    insert into net._http_response
        (id, status_code, content_type, headers, content, timed_out, error_msg)
    values (%(id)s, %(status)s, %(type)s, %(headers)s, %(content)s, %(timed_out)s, %(error)s)
"""
SWEEP: Final = "delete from net._http_response where created < now() - interval '6 hours'"


class NetWorker:
    """Delivers the queue of one database."""

    def __init__(self, db_url: str) -> None:
        self._db_url = db_url

    async def run(self) -> None:
        """Deliver for ever; connect again when the database was away."""
        jar = aiohttp.DummyCookieJar()
        async with aiohttp.ClientSession(cookie_jar=jar, auto_decompress=True) as session:
            while True:
                try:
                    async with await psycopg.AsyncConnection.connect(
                        self._db_url,
                        autocommit=True,
                        row_factory=namedtuple_row,
                        application_name="rowcast pg_net",
                    ) as conn:
                        await self._deliver(conn, session)
                except psycopg.OperationalError as error:
                    log.warning("database connection lost, trying again: %s", one_line(error))
                await asyncio.sleep(1)

    async def _deliver(
        self, conn: psycopg.AsyncConnection[Any], session: aiohttp.ClientSession
    ) -> None:
        await conn.execute("listen rowcast_net")
        next_sweep = 0.0
        while True:
            if time.monotonic() >= next_sweep:
                await conn.execute(SWEEP)
                next_sweep = time.monotonic() + SWEEP_SECONDS
            rows = await (await conn.execute(TAKE, (BATCH,))).fetchall()
            if rows:
                answers = await asyncio.gather(*(_send(session, row) for row in rows))
                await conn.cursor().executemany(STORE, answers)
                continue
            async for _ in conn.notifies(timeout=POLL_SECONDS, stop_after=1):
                pass


async def _send(session: aiohttp.ClientSession, row: Any) -> dict[str, Any]:
    """Send one request; give the row of its answer, also when it failed."""
    answer: dict[str, Any] = dict.fromkeys(
        ("status", "type", "headers", "content", "timed_out", "error")
    )
    answer["id"] = row.id
    seconds = max(row.timeout_milliseconds, 1) / 1000
    try:
        async with session.request(
            row.method,
            row.url,
            headers={str(k): str(v) for k, v in (row.headers or {}).items()},
            data=bytes(row.body) if row.body is not None else None,
            timeout=aiohttp.ClientTimeout(total=seconds),
            allow_redirects=False,
        ) as response:
            content = await _read(response)
            answer |= {
                "status": response.status,
                "type": response.headers.get("Content-Type"),
                "headers": json.dumps(dict(response.headers)),
                "content": content.decode(errors="replace").replace("\0", ""),
                "timed_out": False,
            }
    except TimeoutError:
        answer |= {"timed_out": True, "error": f"Timeout of {row.timeout_milliseconds} ms reached"}
    except (aiohttp.ClientError, ValueError, OSError) as error:
        answer |= {"timed_out": False, "error": f"{type(error).__name__}: {error}"}
    return answer


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Read an answer up to its bound; what is beyond it is cut off."""
    content = bytearray()
    async for piece in response.content.iter_chunked(65536):
        content += piece
        if len(content) >= MAX_ANSWER_BYTES:
            break
    return bytes(content[:MAX_ANSWER_BYTES])
