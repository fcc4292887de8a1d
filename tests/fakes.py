"""Models that misbehave on request, for tests of whatever runs a model."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Any

from rowcast.models.base import InputError, Prediction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class FaultyModel:
    """Answers like `echo`, except that an item's `fault` makes it fail in that way.

    `input` raises `InputError` for the item; `crash` fails the whole batch; `nan` answers NaN;
    `short` leaves the last answer out; `hang` waits until `release` is set. `batches` keeps the
    sizes that were asked for.
    """

    name = "faulty"
    version = "1"

    def __init__(self) -> None:
        self.release = threading.Event()
        self.batches: list[int] = []

    def predict(self, inputs: Sequence[Mapping[str, Any]]) -> list[Prediction]:
        """One prediction per input, unless told otherwise."""
        self.batches.append(len(inputs))
        faults = {item.get("fault") for item in inputs}
        if "crash" in faults:
            raise RuntimeError("the model crashed, as it was told to")
        if "hang" in faults:
            self.release.wait()
        answers = [self._answer(index, item) for index, item in enumerate(inputs)]
        return answers[:-1] if "short" in faults else answers

    def _answer(self, index: int, item: Mapping[str, Any]) -> Prediction:
        if item.get("fault") == "input":
            raise InputError(index, "bad, as it was told to be")
        score = math.nan if item.get("fault") == "nan" else float(item.get("x", 0))
        return Prediction({"score": score}, low=score, high=score)
