"""The claim loop: claim, predict, commit; sleep when there is nothing to do."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from itertools import groupby
from time import perf_counter
from typing import Any
from uuid import UUID

import psycopg
from psycopg_pool import PoolTimeout
from structlog.contextvars import bound_contextvars

from rowcast.models import Model
from rowcast.service.batch import Outcome, Runner
from rowcast.service.database import Database, Job, Pulse, Sleeper
from rowcast.service.logs import get_logger
from rowcast.service.metrics import Metrics

log = get_logger("rowcast.worker")

DATABASE_AWAY = (psycopg.OperationalError, PoolTimeout, OSError)


class Worker:
    """Claims up to `concurrency` times at once and works each claim off.

    Nothing is kept here that the database does not know: killed at any moment, it loses only time.
    """

    def __init__(
        self,
        database: Database,
        models: dict[str, Model],
        runner: Runner,
        metrics: Metrics,
        *,
        claim_limit: int,
        concurrency: int,
        poll_seconds: float,
        heartbeat_seconds: float,
    ) -> None:
        self._database = database
        self._models = models
        self._runner = runner
        self._metrics = metrics
        self._claim_limit = claim_limit
        self._poll_seconds = poll_seconds
        self._heartbeat_seconds = heartbeat_seconds
        self._slots = asyncio.Semaphore(concurrency)
        self._held: dict[UUID, list[int]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    # -- the loop ----------------------------------------------------------------------------------

    async def run(self, sleeper_url: str, name: str) -> None:
        """Claim and work until `stop`; a database that is away is waited for."""
        heartbeat = asyncio.create_task(self._beat())
        sleeper: Sleeper | None = None
        failures = 0
        try:
            while not self._stopping.is_set():
                try:
                    if sleeper is None:
                        sleeper = await Sleeper.connect(sleeper_url, name, self._poll_seconds)
                    await self._turn(sleeper)
                    failures = 0
                except DATABASE_AWAY as fault:
                    failures += 1
                    if failures == 1:
                        log.warning("database is away", error=str(fault).strip())
                    await self._close(sleeper)
                    sleeper = None
                    jitter = random.uniform(0.5, 1.0)  # noqa: S311 - spreads reconnects
                    await self._pause(min(5.0, 0.1 * 2**failures) * jitter)
                except Exception:
                    # A fault of the claim itself. Say so, and do not spin.
                    log.exception("claim failed")
                    await self._pause(self._poll_seconds)
        finally:
            heartbeat.cancel()
            await self._close(sleeper)

    async def stop(self, drain_seconds: float) -> None:
        """Stop claiming, let what runs finish for a while, release the rest."""
        self._stopping.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=drain_seconds)
        for task in self._tasks:
            task.cancel()
        for token, job_ids in list(self._held.items()):
            try:
                await self._database.fail(token, job_ids, "release")
                log.info("released", jobs=len(job_ids), token=str(token))
            except DATABASE_AWAY as fault:
                log.warning("leases are left to run out", error=str(fault).strip())

    async def claim(
        self, request_id: str | None, webhook_id: str | None, change: dict[str, Any] | None
    ) -> int:
        """Claim on behalf of a webhook; how many jobs it brought. Refusals are raised."""
        jobs = await self._database.claim(self._claim_limit, request_id, webhook_id, change)
        self._start(jobs, None)
        return len(jobs)

    @property
    def stopping(self) -> bool:
        """True after `stop` was called."""
        return self._stopping.is_set()

    async def _turn(self, sleeper: Sleeper) -> None:
        await self._slots.acquire()
        jobs: list[Job] = []
        try:
            jobs = await self._database.claim(self._claim_limit)
            if not jobs:
                jobs = await self._sleep(sleeper)
        finally:
            if not jobs:
                self._slots.release()
        if jobs:
            self._start(jobs, self._slots)

    async def _sleep(self, sleeper: Sleeper) -> list[Job]:
        if not await sleeper.begin():
            return []
        try:
            # Whoever wrote before we had the lock did not notify: look once more.
            jobs = await self._database.claim(self._claim_limit)
            if not jobs and not self._stopping.is_set():
                await self._first_of(sleeper.wait(self._poll_seconds))
            return jobs
        finally:
            await sleeper.end()

    async def _first_of(self, wait: Any) -> None:
        waiting = asyncio.ensure_future(wait)
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            if not waiting.done():
                waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        if not waiting.cancelled():
            waiting.result()

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    @staticmethod
    async def _close(sleeper: Sleeper | None) -> None:
        if sleeper is not None:
            try:
                await sleeper.close()
            except DATABASE_AWAY:
                return

    # -- one claim ---------------------------------------------------------------------------------

    def _start(self, jobs: Sequence[Job], slot: asyncio.Semaphore | None) -> None:
        for token, group in groupby(jobs, key=lambda job: job.token):
            self._held[token] = [job.job_id for job in group]
        task = asyncio.create_task(self._work(jobs))
        self._tasks.add(task)

        def ended(_: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            if slot is not None:
                slot.release()

        task.add_done_callback(ended)

    async def _work(self, jobs: Sequence[Job]) -> None:
        with self._metrics.running.track_inprogress():
            for token, group in groupby(jobs, key=lambda job: job.token):
                batch = list(group)
                with bound_contextvars(request_id=str(token), model=batch[0].model):
                    try:
                        for start in range(0, len(batch), batch[0].batch_size):
                            await self._work_chunk(batch[start : start + batch[0].batch_size])
                    except DATABASE_AWAY as fault:
                        log.warning("commit failed; lease runs out", error=str(fault).strip())
                    except Exception:
                        log.exception("batch failed; lease runs out")
                    finally:
                        # Cancelled by `stop`, the jobs stay held, to be released.
                        if not self.stopping:
                            self._held.pop(token, None)

    async def _work_chunk(self, jobs: list[Job]) -> None:
        first = jobs[0]
        model = self._models[first.model]
        started = perf_counter()
        outcome = await self._runner.run(
            model, [job.input for job in jobs], first.timeout_ms / 1000
        )
        self._metrics.predict_seconds.labels(first.model).observe(perf_counter() - started)
        self._metrics.batch_size.labels(first.model).observe(len(jobs))
        await self._settle(jobs, outcome, model.version)

    async def _settle(self, jobs: list[Job], outcome: Outcome, version: str) -> None:
        token, prediction = jobs[0].token, jobs[0].prediction
        results = [
            {
                "job_id": jobs[position].job_id,
                "output": answer.output,
                "low": answer.low,
                "high": answer.high,
            }
            for position, answer in sorted(outcome.done.items())
        ]
        if results:
            await self._commit(token, prediction, results, version)
        for position, error in outcome.item_faults.items():
            await self._fail(jobs[position], "item", error)
        if outcome.batch_faults:
            ids = [jobs[position].job_id for position in outcome.batch_faults]
            error = next(iter(outcome.batch_faults.values()))
            await self._fail_all(token, prediction, ids, "batch", error, None)
        if outcome.provider_faults:
            ids = [jobs[position].job_id for position in outcome.provider_faults]
            fault = next(iter(outcome.provider_faults.values()))
            await self._fail_all(token, prediction, ids, "provider", str(fault), fault.retry_after)

    async def _commit(
        self, token: UUID, prediction: str, results: list[dict[str, Any]], version: str
    ) -> None:
        try:
            counts = await self._database.commit(token, results, version, str(token))
        except (psycopg.DataError, psycopg.IntegrityError) as fault:
            # The database refuses a result: find out which one.
            if len(results) == 1:
                await self._fail_all(
                    token, prediction, [results[0]["job_id"]], "item", f"REFUSED: {fault}", None
                )
                return
            middle = len(results) // 2
            await self._commit(token, prediction, results[:middle], version)
            await self._commit(token, prediction, results[middle:], version)
            return
        for name, count in counts.items():
            self._metrics.outcomes.labels(prediction, name).inc(count)
        log.info("committed", prediction=prediction, **counts)

    async def _fail(self, job: Job, fault: str, error: str) -> None:
        await self._fail_all(job.token, job.prediction, [job.job_id], fault, error, None)

    async def _fail_all(
        self,
        token: UUID,
        prediction: str,
        job_ids: list[int],
        fault: str,
        error: str,
        retry_after: float | None,
    ) -> None:
        log.warning("failed", prediction=prediction, fault=fault, jobs=len(job_ids), error=error)
        self._metrics.outcomes.labels(prediction, f"{fault}_fault").inc(len(job_ids))
        await self._database.fail(token, job_ids, fault, error, retry_after, str(token))

    # -- heartbeat ---------------------------------------------------------------------------------

    async def _beat(self) -> None:
        while True:
            tokens = list(self._held)
            try:
                pulse = await self._database.heartbeat(tokens)
            except DATABASE_AWAY:
                pass
            except Exception:
                log.exception("heartbeat failed")
            else:
                self._note(pulse, tokens)
            await asyncio.sleep(self._heartbeat_seconds)

    def _note(self, pulse: Pulse, tokens: list[UUID]) -> None:
        self._metrics.queue_depth.set(pulse.queue_depth)
        self._metrics.oldest_job_seconds.set(pulse.oldest_job_seconds)
        lost = [token for token in tokens if token not in pulse.tokens and token in self._held]
        if lost:
            log.warning("leases lost", tokens=[str(token) for token in lost])
