"""The ETA model: how long a pickup's travel takes, with an 80 % interval.

Input, per item: `origin_lat, origin_lng, dest_lat, dest_lng` in degrees; `kind` one of ride,
parcel, pool; `requested_at` an ISO-8601 time with its offset; `estimate_seconds`, the closed
form's answer that the row already shows (may be left out).

Output, per item: `eta_seconds, eta_low_seconds, eta_high_seconds` as whole seconds with
0 <= low <= eta <= high <= a week, and `in_domain`: false where the model has no trips to stand
on and passes the estimate on with a wide interval.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from rowcast.models.base import InputError, Prediction
from rowcast.models.eta_artefact import ARTEFACTS, load
from rowcast.models.eta_features import KINDS, Requests, closed_form, matrix
from rowcast.models.eta_regressor import Interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from rowcast.models.eta_closed_form import Floats

_COORDINATES = (("origin_lat", 90.0), ("origin_lng", 180.0), ("dest_lat", 90.0),
                ("dest_lng", 180.0))  # fmt: skip
_LONGEST_ESTIMATE = 1e8
_YEARS = (1971, 2199)
# No row holds more than a week; from one pole to the other the closed form says three.
_LONGEST_ANSWER = 604800.0
_WARM_UP = {
    "origin_lat": 0.0,
    "origin_lng": 0.0,
    "dest_lat": 0.0,
    "dest_lng": 0.0,
    "kind": "ride",
    "requested_at": "2025-01-01T00:00:00Z",
}


class EtaModel:
    """Answers from the artefact under `root`; loading checks it and warms it up."""

    name = "eta"

    def __init__(self, root: Path = ARTEFACTS) -> None:
        """Raises `eta_artefact.ArtefactError` when there is no sound artefact."""
        self._artefact = load(root)
        self.version = self._artefact.version
        # The first call of each booster builds its predictor, which no rider should wait for.
        request, estimates = parse([_WARM_UP])
        features = matrix(request, self._artefact.timezone)
        self._artefact.regressor.seconds(features, estimates)

    def predict(self, inputs: Sequence[Mapping[str, Any]]) -> list[Prediction]:
        """One prediction per input, same order; raises `InputError` with the bad item's index."""
        if not inputs:
            return []
        requests, estimates = parse(inputs)
        inside = self._artefact.domain.holds(requests)
        answer = self._artefact.regressor.far_seconds(estimates)
        if inside.any():
            answer = self._refine(requests, inside, answer)
        low, median, high = (
            np.rint(np.minimum(part, _LONGEST_ANSWER)).tolist()
            for part in (answer.low, answer.median, answer.high)
        )
        return [_prediction(*row) for row in zip(low, median, high, inside.tolist(), strict=True)]

    def _refine(self, requests: Requests, inside: Any, far: Interval) -> Interval:
        known = requests.take(inside)
        features = matrix(known, self._artefact.timezone)
        near = self._artefact.regressor.seconds(features, closed_form(known))
        low, median, high = far.low.copy(), far.median.copy(), far.high.copy()
        low[inside], median[inside], high[inside] = near.low, near.median, near.high
        return Interval(low, median, high)


def _prediction(low: float, median: float, high: float, inside: bool) -> Prediction:
    output = {
        "eta_seconds": int(median),
        "eta_low_seconds": int(low),
        "eta_high_seconds": int(high),
        "in_domain": inside,
    }
    return Prediction(output, low=low, high=high)


def parse(inputs: Sequence[Mapping[str, Any]]) -> tuple[Requests, Floats]:
    """Columns and estimates of a batch; raises `InputError` for the first bad item."""
    n = len(inputs)
    coordinates = np.empty((len(_COORDINATES), n))
    times, kinds, estimates = np.empty(n), np.empty(n, dtype=np.int8), np.empty(n)
    for i, item in enumerate(inputs):
        for row, (name, limit) in enumerate(_COORDINATES):
            coordinates[row, i] = _number(i, item, name, -limit, limit)
        times[i] = _epoch(i, item.get("requested_at"))
        kinds[i] = _kind(i, item.get("kind"))
        given = item.get("estimate_seconds") is not None
        estimates[i] = (
            _number(i, item, "estimate_seconds", 0.0, _LONGEST_ESTIMATE) if given else math.nan
        )
    origin_lat, origin_lng, dest_lat, dest_lng = coordinates
    requests = Requests(origin_lat, origin_lng, dest_lat, dest_lng, times, kinds)
    return requests, np.where(np.isnan(estimates), closed_form(requests), estimates)


def _number(index: int, item: Mapping[str, Any], name: str, least: float, most: float) -> float:
    value = item.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InputError(index, f"{name} is missing or not a number")
    if not least <= value <= most:
        raise InputError(index, f"{name} is not between {least:g} and {most:g}")
    return float(value)


def _kind(index: int, value: Any) -> int:
    if not isinstance(value, str) or value not in KINDS:
        raise InputError(index, f"kind is not one of {', '.join(KINDS)}")
    return KINDS[value]


def _epoch(index: int, value: Any) -> float:
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise InputError(index, "requested_at is not an ISO-8601 time") from None
    if time.tzinfo is None:
        raise InputError(index, "requested_at has no offset from UTC, such as Z")
    if not _YEARS[0] <= time.year <= _YEARS[1]:
        raise InputError(index, f"requested_at is not in the years {_YEARS[0]} to {_YEARS[1]}")
    return time.timestamp()
