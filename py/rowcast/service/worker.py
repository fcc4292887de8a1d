"""The claim loop: claim, predict, commit; sleep when there is nothing to do."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from time import monotonic, perf_counter
from typing import Any
from uuid import UUID

import psycopg
from psycopg import errors
from psycopg_pool import PoolTimeout
from structlog.contextvars import bound_contextvars

from rowcast.models import ProviderFault
from rowcast.service.batch import Outcome, Runner
from rowcast.service.database import Database, Lease, Results, Sleeper
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

# A claim that finds a few jobs, but no full batch, is a sign of many writers: the next one waits so
# long, so that it finds more. A lone job never waits.
PACE_SECONDS = 0.005
PACE_FROM = 8
# Of a model that is quick, a claim takes as many batches as fit into this time, so that small ones
# do not pay for a claim each; and of one that is slow, or not yet known, a single one.
AHEAD_SECONDS = 0.1
MOST_BATCHES = 16
# How long a provider is left alone that names no time.
PROVIDER_SECONDS = 30.0
# So many full batches in a row, and the operator is told.
FULL_BATCHES = 20


class Hands:
    """How much of one model this worker can take on."""

    def __init__(self, free: int) -> None:
        self.free = free
        self._seconds: float | None = None

    def note(self, seconds: float) -> None:
        """A batch took this long, from its inputs to its commit."""
        before = seconds if self._seconds is None else self._seconds
        self._seconds = 0.8 * before + 0.2 * seconds

    @property
    def batches(self) -> int:
        """How many leases the next claim should bring; they go through one hand."""
        if self.free <= 0:
            return 0
        if self._seconds is None:
            return 1
        return max(1, min(MOST_BATCHES, int(AHEAD_SECONDS / max(self._seconds, 1e-6))))


class Worker:
    """Claims for every model that has a hand free, and works each lease off.

    Nothing is kept here that the database does not know: killed at any moment, it loses only time.
    """

    def __init__(
        self,
        database: Database,
        runners: dict[str, Runner],
        metrics: Metrics,
        *,
        remote: Callable[[Lease], Runner],
        claim_limit: int,
        poll_seconds: float,
        heartbeat_seconds: float,
    ) -> None:
        self._database = database
        self._runners = runners
        self._remote = remote
        self._metrics = metrics
        self._claim_limit = claim_limit
        self._poll_seconds = poll_seconds
        self._heartbeat_seconds = heartbeat_seconds
        self._hands = {name: Hands(runner.calls) for name, runner in runners.items()}
        self._held: set[UUID] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._freed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._finished = asyncio.Event()
        self._done: Counter[str] = Counter()
        self._full: Counter[str] = Counter()

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
                    await self._first_of([self._stopping], self._poll_seconds)
        finally:
            await self._close(sleeper)

    async def _wait_for_database(self, failures: int, fault: BaseException) -> None:
        if failures == 1:
            log.warning("database is away", error=str(fault).strip())
        jitter = random.uniform(0.5, 1.0)  # noqa: S311 - spreads reconnects
        await self._first_of([self._stopping], min(5.0, 0.1 * 2 ** min(failures, 6)) * jitter)

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
        leases = await self._database.claim(
            self._claim_limit, self._batches(), request_id, webhook_id, change
        )
        self._start(leases)
        return sum(lease.size for lease in leases)

    def _batches(self) -> dict[str, int]:
        return {name: hands.batches for name, hands in self._hands.items()}

    async def _turn(self, sleeper: Sleeper | None) -> None:
        """Claim once; with nothing to claim, wait for a free hand or sleep."""
        # Before the hands are counted: one that comes free from here on is noticed below.
        self._freed.clear()
        wanted = self._batches().values()
        if any(wanted) and await self._claim_and_start():
            return
        # Hands come free within a batch's time, most often sooner than it takes to fall asleep.
        if not all(wanted) and await self._first_of([self._freed, self._stopping], 0.05):
            return
        if sleeper is None:
            await self._first_of([self._freed, self._stopping], self._poll_seconds)
        elif await sleeper.begin():
            # Whoever wrote before we had the lock did not notify: look once more.
            try:
                if not await self._claim_and_start() and not self.stopping:
                    await self._sleep(sleeper)
            finally:
                sleeper.end()

    async def _claim_and_start(self) -> bool:
        leases = await self._database.claim(self._claim_limit, self._batches())
        self._start(leases)
        sizes = [lease.size for lease in leases]
        if sizes and sum(sizes) > PACE_FROM and not any(map(self._is_full, leases)):
            await self._first_of([self._stopping], PACE_SECONDS)
        return bool(sizes)

    async def _sleep(self, sleeper: Sleeper) -> None:
        waiting = asyncio.ensure_future(sleeper.wait(self._poll_seconds))
        waiting.add_done_callback(lambda _: self._freed.set())
        try:
            await self._first_of([self._freed, self._stopping], self._poll_seconds + 1)
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        if not waiting.cancelled():
            waiting.result()

    @staticmethod
    async def _first_of(events: Iterable[asyncio.Event], seconds: float) -> bool:
        """True as soon as one of the events is set, False after `seconds`."""
        waits = [asyncio.ensure_future(event.wait()) for event in events]
        try:
            done, _ = await asyncio.wait(
                waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
            return bool(done)
        finally:
            for wait in waits:
                wait.cancel()

    @staticmethod
    async def _close(sleeper: Sleeper | None) -> None:
        if sleeper is not None:
            try:
                await sleeper.close()
            except DATABASE_AWAY:
                return

    # -- one lease -----------------------------------------------------------------------------

    def _start(self, leases: Sequence[Lease]) -> None:
        """Work the leases off: each model's go through one of its hands, one after another."""
        by_model: dict[str, list[Lease]] = {}
        for lease in leases:
            self._held.add(lease.token)
            self._note_size(lease)
            by_model.setdefault(lease.model, []).append(lease)
        for model, own in by_model.items():
            runner = self._runners[model] if own[0].url is None else self._remote(own[0])
            hands = self._hands.setdefault(model, Hands(runner.calls))
            hands.free -= 1
            task = asyncio.create_task(self._work(own, runner, hands))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _is_full(self, lease: Lease) -> bool:
        return lease.size >= min(lease.batch_size, self._claim_limit)

    def _note_size(self, lease: Lease) -> None:
        self._metrics.batch_size.labels(lease.model).observe(lease.size)
        row = self._full[lease.prediction] + 1 if self._is_full(lease) else 0
        self._full[lease.prediction] = row
        if row and row % FULL_BATCHES == 0:
            log.warning(
                "full batches one after another: add a replica, or raise the model's batch_size",
                prediction=lease.prediction,
                full_batches=row,
            )

    async def _work(self, leases: list[Lease], runner: Runner, hands: Hands) -> None:
        with self._metrics.running.track_inprogress():
            try:
                while leases:
                    started = perf_counter()
                    fault = await self._work_lease(leases[0], runner)
                    hands.note(perf_counter() - started)
                    self._held.discard(leases.pop(0).token)
                    if fault is not None:
                        # It would refuse the others as well.
                        await self._put_off(leases, fault)
            finally:
                hands.free += 1
                self._freed.set()
                # Left over only when we are stopping: what is still leased is free at once.
                for lease in leases:
                    self._held.discard(lease.token)
                    await self._fail(lease, "release", "the worker stopped")

    async def _work_lease(self, lease: Lease, runner: Runner) -> ProviderFault | None:
        with bound_contextvars(request_id=str(lease.token), model=lease.model):
            try:
                return await self._predict(lease, runner)
            except DATABASE_AWAY as fault:
                log.warning("the lease runs out", error=str(fault).strip())
            except Exception:
                log.exception("defect; the lease runs out")
        return None

    async def _put_off(self, leases: list[Lease], fault: ProviderFault) -> None:
        while leases:
            lease = leases.pop(0)
            self._held.discard(lease.token)
            await self._fail(
                lease, "provider", str(fault), retry_after=fault.pause(PROVIDER_SECONDS)
            )

    async def _predict(self, lease: Lease, runner: Runner) -> ProviderFault | None:
        """Call, commit, fail; the provider's fault, if that is what happened."""
        started = perf_counter()
        outcome = await runner.run(json.loads(lease.inputs), lease.timeout_ms / 1000)
        self._metrics.predict_seconds.labels(lease.model).observe(perf_counter() - started)
        version = outcome.version or lease.version or runner.version
        if outcome.done:
            await self._commit(lease, outcome, sorted(outcome.done), version)
        for position, error in outcome.item_faults.items():
            await self._fail(lease, "item", error, [position])
        if outcome.batch_faults:
            error = next(iter(outcome.batch_faults.values()))
            await self._fail(lease, "batch", error, outcome.batch_faults)
        if outcome.provider_faults:
            fault = next(iter(outcome.provider_faults.values()))
            await self._fail(
                lease,
                "provider",
                str(fault),
                outcome.provider_faults,
                fault.pause(PROVIDER_SECONDS),
            )
            # When its pause is over, there is work at once.
            pause = fault.pause(PROVIDER_SECONDS) + 0.001
            asyncio.get_running_loop().call_later(pause, self._freed.set)
            return fault
        return None

    async def _commit(
        self,
        lease: Lease,
        outcome: Outcome,
        positions: list[int],
        version: str,
        tries: int = COMMIT_TRIES,
    ) -> None:
        try:
            counts = await self._database.commit(
                lease.token, _results(lease, outcome, positions), version, str(lease.token)
            )
        except UNLUCKY as fault:
            if tries > 1:
                await self._commit(lease, outcome, positions, version, tries - 1)
            else:
                await self._fail(lease, "batch", f"UNLUCKY: {fault}", positions)
            return
        except psycopg.OperationalError:
            raise
        except psycopg.DatabaseError as fault:
            # The table refuses a result: find out which one. The detail would show the row.
            if len(positions) == 1:
                refusal = f"REFUSED: {fault.diag.message_primary}"
                await self._fail(lease, "item", refusal, positions)
            else:
                middle = len(positions) // 2
                await self._commit(lease, outcome, positions[:middle], version)
                await self._commit(lease, outcome, positions[middle:], version)
            return
        outcome.tokens = None  # booked
        self._done[lease.prediction] += counts.get("done", 0)
        for result, count in counts.items():
            self._metrics.outcomes.labels(lease.prediction, result).inc(count)
        log.info("committed", prediction=lease.prediction, **counts)

    async def _fail(
        self,
        lease: Lease,
        fault: str,
        error: str,
        positions: Iterable[int] | None = None,
        retry_after: float | None = None,
    ) -> None:
        places = None if positions is None else [position + 1 for position in positions]
        count = lease.size if places is None else len(places)
        log.warning("failed", prediction=lease.prediction, fault=fault, jobs=count, error=error)
        self._metrics.outcomes.labels(lease.prediction, f"{fault}_fault").inc(count)
        # What Postgres cannot store as text must not keep the fault from being stored.
        text = error.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
        try:
            await self._database.fail(
                lease.token, fault, text[:2000], places, retry_after, str(lease.token)
            )
        except DATABASE_AWAY as away:
            log.warning("the lease runs out", error=str(away).strip())

    # -- heartbeat -----------------------------------------------------------------------------

    async def beat(self) -> None:
        """Extend leases, also while draining; ends with `drain`.

        Not by cancellation: that may surface as an error of the query it interrupts.
        """
        since = monotonic()
        while not self._finished.is_set():
            tokens = set(self._held)
            now = monotonic()
            activity = self._activity(max(now - since, 0.001))
            try:
                found = await self._database.heartbeat(list(tokens), activity)
            except DATABASE_AWAY:
                pass
            except Exception:
                log.exception("heartbeat failed")
            else:
                since = now
                lost = (tokens - found) & self._held
                if lost:
                    log.warning("leases lost", tokens=sorted(str(token) for token in lost))
            await self._first_of([self._finished], self._heartbeat_seconds)

    def _activity(self, seconds: float) -> dict[str, dict[str, float]]:
        done, self._done = self._done, Counter()
        names = done.keys() | self._full.keys()
        return {
            name: {"per_second": done[name] / seconds, "full_batches": self._full[name]}
            for name in names
        }


def _results(lease: Lease, outcome: Outcome, positions: list[int]) -> Results:
    """What the commit of these positions takes; the usual case is the whole lease in one piece."""
    answers = [outcome.done[position] for position in positions]
    whole = len(positions) == lease.size
    lows = [answer.low for answer in answers]
    highs = [answer.high for answer in answers]
    return Results(
        outputs=outcome.outputs
        if whole and outcome.outputs
        else json.dumps([answer.output for answer in answers], allow_nan=False),
        lows=lows if any(low is not None for low in lows) else None,
        highs=highs if any(high is not None for high in highs) else None,
        positions=None if whole else [position + 1 for position in positions],
        tokens=outcome.tokens,
    )
