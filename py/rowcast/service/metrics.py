"""What /metrics shows, in Prometheus' own client."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeAlias

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    Row: TypeAlias = dict[str, Any]

QUEUE_SECONDS = 5.0

# Column of ml.queue_stats → name and meaning of its gauge, for each prediction.
_OF_PREDICTIONS = {
    "pending": ("rowcast_jobs_pending", "Live jobs that no worker has"),
    "background": ("rowcast_jobs_background", "Jobs of backfills that no worker has"),
    "waiting": ("rowcast_jobs_waiting", "Jobs put off until their next try"),
    "running": ("rowcast_jobs_running", "Jobs that workers hold"),
    "oldest_seconds": ("rowcast_oldest_job_seconds", "Age of the oldest job"),
    "dead_letters": ("rowcast_dead_letters", "Jobs that used up their attempts"),
    "breaker_until": ("rowcast_breaker_open", "1 while the model's provider is away"),
    "paused_at": ("rowcast_paused", "1 while nothing of it is claimed"),
    "full_batches": ("rowcast_full_batches", "Full batches in a row, by the busiest worker"),
}
_OF_THE_QUEUE = {
    "dead_tuples": ("rowcast_queue_dead_tuples", "Dead rows of the queue's tables"),
    "oldest_snapshot_seconds": ("rowcast_oldest_snapshot_seconds", "Age of the oldest snapshot"),
}


class QueueCollector(Collector):
    """The queue as the database last told it; what is not known is not shown."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._up = False
        self._asked_at = -QUEUE_SECONDS
        self._turn = asyncio.Lock()

    async def refresh(self, ask: Callable[[], Awaitable[list[Row] | None]]) -> None:
        """Ask for the rows of ml.queue_stats, None when it is away, at most every five seconds."""
        async with self._turn:
            if monotonic() - self._asked_at < QUEUE_SECONDS:
                return
            rows = await ask()
            self._asked_at = monotonic()
            self._up, self._rows = rows is not None, rows or []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """For the registry."""
        yield GaugeMetricFamily("rowcast_database_up", "1 while it answers", float(self._up))
        if not self._rows:
            return
        for column, (name, meaning) in _OF_PREDICTIONS.items():
            gauge = GaugeMetricFamily(name, meaning, labels=["prediction"])
            for row in self._rows:
                gauge.add_metric([row["prediction"]], _number(row[column]))
            yield gauge
        for column, (name, meaning) in _OF_THE_QUEUE.items():
            yield GaugeMetricFamily(name, meaning, _number(self._rows[0][column]))


def _number(value: Any) -> float:
    """Numbers as they are; of a moment, whether there is one."""
    return float(value) if isinstance(value, (int, float)) else float(value is not None)


class Metrics:
    """One registry for each application, so that tests may make several."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.outcomes = Counter(
            "rowcast_jobs",
            "Jobs finished, by prediction and outcome",
            ["prediction", "outcome"],
            registry=self.registry,
        )
        self.predict_seconds = Histogram(
            "rowcast_predict_seconds",
            "Time in the model, by model",
            ["model"],
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=self.registry,
        )
        self.batch_size = Histogram(
            "rowcast_batch_size",
            "Jobs in one call of a model",
            ["model"],
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024),
            registry=self.registry,
        )
        self.queue = QueueCollector()
        self.registry.register(self.queue)
        self.running = Gauge(
            "rowcast_batches_running", "Claims being worked on", registry=self.registry
        )
        self.webhooks = Counter(
            "rowcast_webhooks",
            "Webhooks received, by kind and result",
            ["kind", "result"],
            registry=self.registry,
        )
