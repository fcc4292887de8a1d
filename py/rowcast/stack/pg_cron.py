"""Stand-in for the background worker of pg_cron: runs the jobs of cron.job on time, in UTC.

A job runs in a connection of its own, logged in as the job's role: a session of the cluster's owner
that merely changed its role could change back. All login roles of the embedded stack share one
password. Each run leaves a row in cron.job_run_details. A run that is due while the last one is
still going is skipped. Runs that fell due while this process was down are not made up for.
"""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg
from cronsim import CronSim, CronSimError
from psycopg.conninfo import make_conninfo
from psycopg.rows import namedtuple_row

from rowcast.stack.lines import one_line

log = logging.getLogger("rowcast.pg_cron")

MAX_RUNNING: Final = 32
LONGEST_WAIT_SECONDS: Final = 60.0
INTERVAL = re.compile(r"\s*([1-9]|[1-5][0-9])\s+seconds?\s*\Z", re.IGNORECASE)
MACROS: Final = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0", "@daily": "0 0 * * *", "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}  # fmt: skip

JOBS: Final = "select jobid, schedule, command, database, username from cron.job where active"
BEGIN: Final = """
    insert into cron.job_run_details
        (jobid, job_pid, database, username, command, status, start_time)
    values (%s, %s, %s, %s, %s, 'running', clock_timestamp()) returning runid
"""
END: Final = """
    update cron.job_run_details
    set status = %s, return_message = %s, job_pid = %s, end_time = clock_timestamp()
    where runid = %s
"""
ABANDONED: Final = """
    update cron.job_run_details
    set status = 'failed', return_message = 'server restarted', end_time = clock_timestamp()
    where status in ('starting', 'running')
"""


def next_run(schedule: str, after: datetime) -> datetime:
    """Give the first time later than `after` (UTC) at which `schedule` is due.

    Takes five cron fields, where `$` is the month's last day, a macro as @daily, or `N seconds`.

    Raises:
        ValueError: if it is none of these, or never due.
    """
    interval = INTERVAL.match(schedule)
    if interval:
        return after + timedelta(seconds=int(interval.group(1)))
    fields = MACROS.get(schedule.strip().lower(), schedule).replace("$", "L")
    try:
        return next(CronSim(fields, after))
    except (CronSimError, StopIteration) as error:
        raise ValueError(f"invalid schedule: {schedule}") from error


@dataclass(slots=True)
class Planned:
    """A job as last read, and when it is due next; None when its schedule makes no sense."""

    row: Any
    due: datetime | None


class CronWorker:
    """Runs the jobs of one database."""

    def __init__(self, db_url: str) -> None:
        self._db_url = db_url
        self._plan: dict[int, Planned] = {}
        self._running: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Run jobs for ever; connect again when the database was away."""
        while True:
            try:
                async with await self._connect() as conn:
                    await conn.execute("listen rowcast_cron")
                    await conn.execute(ABANDONED)
                    await self._loop(conn)
            except psycopg.OperationalError as error:
                log.warning("database connection lost, trying again: %s", one_line(error))
            await asyncio.sleep(1)

    async def _connect(self, **overrides: Any) -> psycopg.AsyncConnection[Any]:
        return await psycopg.AsyncConnection.connect(
            make_conninfo(self._db_url, **{"application_name": "pg_cron", **overrides}),
            autocommit=True,
            row_factory=namedtuple_row,
        )

    async def _loop(self, conn: psycopg.AsyncConnection[Any]) -> None:
        while True:
            self._replan(await (await conn.execute(JOBS)).fetchall(), datetime.now(UTC))
            wait = self._start_due(datetime.now(UTC))
            async for _ in conn.notifies(timeout=wait, stop_after=1):
                pass

    def _replan(self, rows: list[Any], now: datetime) -> None:
        """Keep the due times of jobs that did not change; plan the others from now on."""
        kept = self._plan
        self._plan = {}
        for row in rows:
            known = kept.get(row.jobid)
            if known is not None and known.row == row:
                self._plan[row.jobid] = known
                continue
            self._plan[row.jobid] = Planned(row, _due(row, now))

    def _start_due(self, now: datetime) -> float:
        """Start what is due; give the seconds until the next one is."""
        wait = LONGEST_WAIT_SECONDS
        for job_id, planned in self._plan.items():
            if planned.due is None:
                continue
            if planned.due <= now:
                planned.due = _due(planned.row, now)
                self._start(job_id, planned.row)
            if planned.due is not None:
                wait = min(wait, (planned.due - now).total_seconds())
        return max(wait, 0.01)

    def _start(self, job_id: int, row: Any) -> None:
        if job_id in self._running or len(self._running) >= MAX_RUNNING:
            log.warning("job=%d skipped: it or %d others still run", job_id, len(self._running))
            return
        task = asyncio.create_task(self._run_job(row))
        self._running[job_id] = task
        task.add_done_callback(lambda _: self._running.pop(job_id, None))

    async def _run_job(self, row: Any) -> None:
        """Run one command as its role and record what became of it."""
        try:
            async with await self._connect() as book:
                details = (row.jobid, None, row.database, row.username, row.command)
                run = await (await book.execute(BEGIN, details)).fetchone()
                status, message, pid = await self._execute(row)
                await book.execute(END, (status, message, pid, run.runid if run else None))
        except psycopg.OperationalError as error:
            log.warning("job=%d could not be recorded: %s", row.jobid, one_line(error))

    async def _execute(self, row: Any) -> tuple[str, str, int | None]:
        pid = None
        try:
            async with await self._connect(user=row.username, dbname=row.database) as conn:
                pid = conn.info.backend_pid
                cursor = await conn.execute(row.command)
                return "succeeded", cursor.statusmessage or "", pid
        except psycopg.Error as error:
            return "failed", f"ERROR: {one_line(error)}", pid


def _due(row: Any, after: datetime) -> datetime | None:
    try:
        return next_run(row.schedule, after)
    except ValueError as error:
        log.warning("job=%d is never due: %s", row.jobid, error)
        return None
