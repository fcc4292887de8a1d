"""What /metrics shows, in Prometheus' own client."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


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
        self.queue_depth = Gauge(
            "rowcast_queue_depth", "Jobs waiting or leased", registry=self.registry
        )
        self.oldest_job_seconds = Gauge(
            "rowcast_oldest_job_seconds", "Age of the oldest job", registry=self.registry
        )
        self.running = Gauge(
            "rowcast_batches_running", "Claims being worked on", registry=self.registry
        )
        self.webhooks = Counter(
            "rowcast_webhooks",
            "Webhooks received, by kind and result",
            ["kind", "result"],
            registry=self.registry,
        )
