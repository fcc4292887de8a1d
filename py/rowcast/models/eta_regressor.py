"""The three boosters and the calibration that together answer with a median and an interval.

`median` predicts log(actual / closed form). `low` and `high` predict the 10 % and 90 % quantiles
of what the median leaves over, so the three cannot drift apart; conformal offsets, found on trips
that no booster saw, then make the interval's coverage hold (conformalised quantile regression:
Romano, Patterson, Candès 2019, here with one offset per side).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lightgbm import Booster

    from rowcast.models.eta_closed_form import Floats

PARTS = ("median", "low", "high")

# Beyond the training domain nothing was measured: the closed form's own band, twice as wide.
_FAR_WIDENING = 2.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """Offsets on log(actual / closed form), each from trips that the boosters never saw.

    `median` re-centres the median; `low` and `high` push the interval's ends outwards (they may
    be negative) and do not use `median`, so the conformal guarantee is exact; the `closed_form_`
    pair is the band of the closed form alone.
    """

    level: float
    median: float
    low: float
    high: float
    closed_form_low: float
    closed_form_high: float

    def to_json(self) -> dict[str, float]:
        """The fields, for the artefact."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Interval:
    """Seconds, each an array of one shape, with low <= median <= high."""

    low: Floats
    median: Floats
    high: Floats


@dataclass(frozen=True, slots=True)
class Regressor:
    """A calibrated model over the columns of `eta_features.FEATURES`."""

    boosters: Mapping[str, Booster]
    calibration: Calibration

    def seconds(self, features: Floats, closed_form: Floats) -> Interval:
        """Travel times for rows inside the training domain."""
        raw = {part: raw_scores(self.boosters[part], features) for part in PARTS}
        c = self.calibration
        median = raw["median"] + c.median
        low = np.minimum(raw["median"] + raw["low"] - c.low, median)
        high = np.maximum(raw["median"] + raw["high"] + c.high, median)
        return Interval(*(closed_form * np.exp(part) for part in (low, median, high)))

    def far_seconds(self, closed_form: Floats) -> Interval:
        """The closed form with a wide band, for rows outside the training domain."""
        c = self.calibration
        low = math.exp(_FAR_WIDENING * min(c.closed_form_low, 0.0))
        high = math.exp(_FAR_WIDENING * max(c.closed_form_high, 0.0))
        return Interval(closed_form * low, closed_form, closed_form * high)


def raw_scores(booster: Booster, features: Floats) -> Floats:
    """What a booster says, on one thread: starting more costs more than a small batch takes."""
    return np.asarray(booster.predict(features, num_threads=1), dtype=np.float64)


def conformal_offset(scores: Floats, miss: float) -> float:
    """The offset that a fresh exchangeable score exceeds with probability of at most `miss`.

    Split-conformal: the ceil((n + 1)(1 - miss))-th smallest score; the largest where n is too
    small for the guarantee. Source: Vovk, Gammerman, Shafer 2005.
    """
    if len(scores) == 0:
        raise ValueError("no calibration scores")
    rank = math.ceil((len(scores) + 1) * (1 - miss))
    return float(np.sort(scores)[min(rank, len(scores)) - 1])


def calibrate(
    boosters: Mapping[str, Booster], features: Floats, target: Floats, level: float
) -> Calibration:
    """Offsets from calibration rows; `target` is log(actual / closed form)."""
    raw = {part: raw_scores(boosters[part], features) for part in PARTS}
    left = target - raw["median"]
    miss = (1 - level) / 2
    return Calibration(
        level=level,
        median=float(np.median(left)),
        low=conformal_offset(raw["low"] - left, miss),
        high=conformal_offset(left - raw["high"], miss),
        closed_form_low=-conformal_offset(-target, miss),
        closed_form_high=conformal_offset(target, miss),
    )
