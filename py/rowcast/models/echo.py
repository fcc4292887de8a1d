"""A model that costs nothing: it lets tests and benchmarks measure the pipeline alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rowcast.models.base import InputError, Prediction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class EchoModel:
    """Answers `{"score": x}` for the input's numeric `x`, or 0 when there is none."""

    name = "echo"
    version = "1"

    def predict(self, inputs: Sequence[Mapping[str, Any]]) -> list[Prediction]:
        """One prediction per input; an `x` that is not a finite number raises `InputError`."""
        return [Prediction({"score": _number(i, item.get("x"))}) for i, item in enumerate(inputs)]


def _number(index: int, value: Any) -> float:
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise InputError(index, "x is not a finite number")
    return float(value)
