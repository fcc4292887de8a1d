"""A model whose answers can be checked and whose calls can be watched, held up and spoilt.

It runs in services of their own, so everything is said through one folder: a file `call-*` lies
there during each call, `gate-<name>` lets calls through that hold for it.
"""

from __future__ import annotations

import itertools
import math
import os
import random
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rowcast.models.base import InputError, Prediction, ProviderFault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FOLDER = "ROWCAST_CHAOS_FOLDER"
CALL_MS = "ROWCAST_CHAOS_CALL_MS"
RATE = "ROWCAST_CHAOS_RATE"
BURST = "ROWCAST_CHAOS_BURST"
RETRY_AFTER = "ROWCAST_CHAOS_RETRY_AFTER"


class ChaosModel:
    """Answers `x * x + 1` and the version it was asked about.

    An item's `hold` makes the call wait for that gate; its `fault` spoils it: `input` raises
    `InputError` for the item, `crash` fails the whole call.
    """

    name = "chaos"
    version = "1"

    def __init__(self) -> None:
        self._folder = Path(os.environ[FOLDER])
        self._call_seconds = float(os.environ.get(CALL_MS, "0")) / 1000
        self._numbers = itertools.count()

    def predict(self, inputs: Sequence[Mapping[str, Any]]) -> list[Prediction]:
        """One prediction per input, unless told otherwise."""
        call = self._folder / f"call-{os.getpid()}-{next(self._numbers)}"
        call.write_text("".join(f"{item['id']} {item['version']}\n" for item in inputs))
        try:
            time.sleep(self._call_seconds * random.uniform(0.5, 1.5))  # noqa: S311
            self._wait_for_gates({item["hold"] for item in inputs if item["hold"]})
            if any(item["fault"] == "crash" for item in inputs):
                raise RuntimeError("the model crashed, as it was told to")
            return [_answer(index, item) for index, item in enumerate(inputs)]
        finally:
            call.unlink()

    def _wait_for_gates(self, names: set[str]) -> None:
        while not all((self._folder / f"gate-{name}").exists() for name in names):
            time.sleep(0.005)


class LimitedModel(ChaosModel):
    """The same behind a provider with a token bucket; it refuses with 429 and a Retry-After."""

    name = "limited"

    def __init__(self) -> None:
        super().__init__()
        self._bucket = Bucket(float(os.environ[RATE]), float(os.environ[BURST]))
        self._whole_seconds = os.environ.get(RETRY_AFTER) != "exact"

    def predict(self, inputs: Sequence[Mapping[str, Any]]) -> list[Prediction]:
        """As `ChaosModel`; raises `ProviderFault` when the bucket is empty."""
        wait = self._bucket.take()
        (self._folder / ("refused" if wait else "accepted")).open("a").write(f"{len(inputs)}\n")
        if wait:
            raise ProviderFault("429 Too Many Requests", self._retry_after(wait))
        return super().predict(inputs)

    def _retry_after(self, wait: float) -> float:
        """Whole seconds, as in the header; exact where a provider says it in another way."""
        return math.ceil(wait) if self._whole_seconds else wait


class Bucket:
    """So many calls a second; up to `burst` that were not used are kept."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._lock = threading.Lock()
        self._left = burst
        self._at = time.monotonic()

    def take(self) -> float:
        """Take a call: 0, or the seconds until there is one."""
        with self._lock:
            now = time.monotonic()
            self._left = min(self._burst, self._left + (now - self._at) * self._rate)
            self._at = now
            if self._left < 1:
                return (1 - self._left) / self._rate
            self._left -= 1
            return 0.0


def _answer(index: int, item: Mapping[str, Any]) -> Prediction:
    if item["fault"] == "input":
        raise InputError(index, "bad, as it was told to be")
    return Prediction({"score": item["x"] ** 2 + 1, "version": item["version"]})
