"""The claim loop: claim, predict, commit; sleep when there is nothing to do."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine, Sequence
from itertools import groupby
from time import perf_counter
from typing import Any
from uuid import UUID

import psycopg
from psycopg import errors
from psycopg_pool import PoolTimeout
from structlog.contextvars import bound_contextvars

from rowcast.service.batch import Outcome, Runner
from rowcast.service.database import Database, Job, Pulse, Sleeper
from rowcast.service.logs import get_logger
from rowcast.service.metrics import Metrics

log = get_logger("rowcast.worker")

DATABASE_AWAY = (psycopg.OperationalError, PoolTimeout, OSError)
# The database is there, and this statement had bad luck.
UNLUCKY = (
    errors.QueryCanceled,
    errors.DeadlockDetected,
    errors.LockNotAvailable,
    errors.SerializationFailure,
)
COMMIT_TRIES = 3


class Worker:
    """Claims up to `concurrency` times at once and works each claim off.

    Nothing is kept here that the database does not know: killed at any moment, it loses only time.
    """

    def __init__(
        self,
        database: Database,
        runners: dict[str, Runner],
        metrics: Metrics,
        *,
        claim_limit: int,
        concurrency: int,
        poll_seconds: float,
        heartbeat_seconds: float,
    ) -> None:
        self._database = database
        self._runners = runners
        self._metrics = metrics
        self._claim_limit = claim_limit
        self._poll_seconds = poll_seconds
        self._heartbeat_seconds = heartbeat_seconds
        self._slots = asyncio.Semaphore(concurrency)
        self._held: set[UUID] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._finished = asyncio.Event()

    @property
    def stopping(self) -> bool:
        """True after `stop` was called."""
        return self._stopping.is_set()

    # -- the loop ------------------------------------------------------------------------------

    async def run(self, listen_url: str | None, name: str) -> None:
        """Claim and work until `stop`; a database that is away is waited for.

        Without `listen_url` it polls.
        """
        sleeper: Sleeper | None = None
        failures = 0
        try:
            while not self.stopping:
                try:
                    if sleeper is None and listen_url is not None:
                        sleeper = await Sleeper.connect(listen_url, name, self._poll_seconds)
                    await self._turn(sleeper)
                    failures = 0
                except DATABASE_AWAY as fault:
                    await self._close(sleeper)
                    sleeper = None
                    failures += 1
                    await self._wait_for_database(failures, fault)
                except Exception:
                    # A fault of the claim itself. Say so, and do not spin.
                    log.exception("claim failed")
                    await _until(self._stopping, self._poll_seconds)
        finally:
            await self._close(sleeper)

    async def _wait_for_database(self, failures: int, fault: BaseException) -> None:
        if failures == 1:
            log.warning("database is away", error=str(fault).strip())
        jitter = random.uniform(0.5, 1.0)  # noqa: S311 - spreads reconnects
        await _until(self._stopping, min(5.0, 0.1 * 2 ** min(failures, 6)) * jitter)

    def stop(self) -> None:
        """Let `run` end at its next step; what runs goes on."""
        self._stopping.set()

    async def drain(self, seconds: float) -> None:
        """After `run` has ended: let batches finish for a while, then release the rest."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._finished.set()

    async def claim(
        self, request_id: str | None, webhook_id: str | None, change: dict[str, Any] | None
    ) -> int:
        """Claim on behalf of a webhook; how many jobs it brought. Refusals are raised."""
        # With all hands busy, take one job: the webhook's id must be stored with a claim.
        limit = 1 if self._slots.locked() else self._claim_limit
        jobs = await self._database.claim(limit, request_id, webhook_id, change)
        if jobs:
            self._start(jobs)
        return len(jobs)

    async def _turn(self, sleeper: Sleeper | None) -> None:
        if await self._claim_and_start():
            return
        if sleeper is None:
            await _until(self._stopping, self._poll_seconds)
            return
        if not await sleeper.begin():
            return
        try:
            # Whoever wrote before we had the lock did not notify: look once more.
            if not await self._claim_and_start() and not self.stopping:
                await self._unless_stopping(sleeper.wait(self._poll_seconds))
        finally:
            await sleeper.end()

    async def _claim_and_start(self) -> bool:
        await self._slots.acquire()
        jobs: list[Job] = []
        try:
            if not self.stopping:
                jobs = await self._database.claim(self._claim_limit)
        finally:
            if not jobs:
                self._slots.release()
        if jobs:
            self._start(jobs).add_done_callback(lambda _: self._slots.release())
        return bool(jobs)

    async def _unless_stopping(self, work: Coroutine[Any, Any, None]) -> None:
        waiting = asyncio.ensure_future(work)
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        if not waiting.cancelled():
            waiting.result()

    @staticmethod
    async def _close(sleeper: Sleeper | None) -> None:
        if sleeper is not None:
            try:
                await sleeper.close()
            except DATABASE_AWAY:
                return

    # -- one claim -----------------------------------------------------------------------------

    def _start(self, jobs: Sequence[Job]) -> asyncio.Task[None]:
        self._held.update(job.token for job in jobs)
        task = asyncio.create_task(self._work(jobs))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _work(self, jobs: Sequence[Job]) -> None:
        batches = [list(group) for _, group in groupby(jobs, key=lambda job: job.token)]
        with self._metrics.running.track_inprogress():
            try:
                while batches:
                    await self._work_batch(batches[0])
                    self._held.discard(batches.pop(0)[0].token)
            finally:
                # Left over only when we are cancelled: what is still leased is free at once.
                for batch in batches:
                    await self._release(batch)

    async def _work_batch(self, jobs: list[Job]) -> None:
        first = jobs[0]
        with bound_contextvars(request_id=str(first.token), model=first.model):
            try:
                for start in range(0, len(jobs), first.batch_size):
                    await self._work_chunk(jobs[start : start + first.batch_size])
            except DATABASE_AWAY as fault:
                log.warning("the lease runs out", error=str(fault).strip())
            except Exception:
                log.exception("defect; the lease runs out")

    async def _work_chunk(self, jobs: list[Job]) -> None:
        first = jobs[0]
        runner = self._runners[first.model]
        started = perf_counter()
        outcome = await runner.run([job.input for job in jobs], first.timeout_ms / 1000)
        self._metrics.predict_seconds.labels(first.model).observe(perf_counter() - started)
        self._metrics.batch_size.labels(first.model).observe(len(jobs))
        await self._settle(jobs, outcome, runner.model.version)

    async def _settle(self, jobs: list[Job], outcome: Outcome, version: str) -> None:
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
            await self._commit(jobs[0], results, version)
        for position, error in outcome.item_faults.items():
            await self._fail(jobs[0], [jobs[position].job_id], "item", error)
        if outcome.batch_faults:
            ids = [jobs[position].job_id for position in outcome.batch_faults]
            await self._fail(jobs[0], ids, "batch", next(iter(outcome.batch_faults.values())))
        if outcome.provider_faults:
            ids = [jobs[position].job_id for position in outcome.provider_faults]
            fault = next(iter(outcome.provider_faults.values()))
            await self._fail(jobs[0], ids, "provider", str(fault), fault.retry_after)

    async def _commit(
        self, first: Job, results: list[dict[str, Any]], version: str, tries: int = COMMIT_TRIES
    ) -> None:
        try:
            counts = await self._database.commit(first.token, results, version, str(first.token))
        except UNLUCKY as fault:
            if tries > 1:
                await self._commit(first, results, version, tries - 1)
                return
            ids = [result["job_id"] for result in results]
            await self._fail(first, ids, "batch", f"UNLUCKY: {fault}")
            return
        except psycopg.OperationalError:
            raise
        except psycopg.DatabaseError as fault:
            # The table refuses a result: find out which one. The detail would show the row.
            refusal = f"REFUSED: {fault.diag.message_primary}"
            if len(results) == 1:
                await self._fail(first, [results[0]["job_id"]], "item", refusal)
                return
            middle = len(results) // 2
            await self._commit(first, results[:middle], version)
            await self._commit(first, results[middle:], version)
            return
        for outcome, count in counts.items():
            self._metrics.outcomes.labels(first.prediction, outcome).inc(count)
        log.info("committed", prediction=first.prediction, **counts)

    async def _fail(
        self,
        first: Job,
        job_ids: list[int],
        fault: str,
        error: str,
        retry_after: float | None = None,
    ) -> None:
        prediction, token = first.prediction, first.token
        log.warning("failed", prediction=prediction, fault=fault, jobs=len(job_ids), error=error)
        self._metrics.outcomes.labels(prediction, f"{fault}_fault").inc(len(job_ids))
        # What Postgres cannot store as text must not keep the fault from being stored.
        text = error.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
        await self._database.fail(token, job_ids, fault, text[:2000], retry_after, str(token))

    async def _release(self, jobs: list[Job]) -> None:
        token = jobs[0].token
        self._held.discard(token)
        try:
            await self._database.fail(token, [job.job_id for job in jobs], "release")
            log.info("released", jobs=len(jobs), token=str(token))
        except DATABASE_AWAY as fault:
            log.warning("the lease runs out", error=str(fault).strip())

    # -- heartbeat -----------------------------------------------------------------------------

    async def beat(self) -> None:
        """Extend leases, also while draining; ends with `drain`.

        Not by cancellation: that may surface as an error of the query it interrupts.
        """
        while not self._finished.is_set():
            tokens = set(self._held)
            try:
                pulse = await self._database.heartbeat(list(tokens))
            except DATABASE_AWAY:
                pass
            except Exception:
                log.exception("heartbeat failed")
            else:
                self._note(pulse, tokens)
            await _until(self._finished, self._heartbeat_seconds)

    def _note(self, pulse: Pulse, tokens: set[UUID]) -> None:
        self._metrics.queue_depth.set(pulse.queue_depth)
        self._metrics.oldest_job_seconds.set(pulse.oldest_job_seconds)
        lost = (tokens - pulse.tokens) & self._held
        if lost:
            log.warning("leases lost", tokens=sorted(str(token) for token in lost))


async def _until(event: asyncio.Event, seconds: float) -> None:
    """Return when the event is set, or after `seconds`."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
