"""How good an ETA is, beside what others and the best possible reach on the same trips."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from rowcast.models.eta_features import FEATURES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rowcast.models.eta_closed_form import Floats
    from rowcast.models.eta_regressor import Interval


@dataclass(frozen=True, slots=True)
class Oracle:
    """Medians by a known law, one per trip: knowing the row, and knowing all that is hidden."""

    row: Floats
    full_information: Floats

    def take(self, rows: NDArray[np.bool_]) -> Oracle:
        """The chosen trips only."""
        return Oracle(self.row[rows], self.full_information[rows])


@dataclass(frozen=True, slots=True)
class Scores:
    """Mean absolute errors and the interval's width in seconds; coverage in percent.

    `mae_irreducible` is the error of an oracle that knows the law and the row, None where no law
    is known.
    """

    n: int
    mae_model: float
    mae_closed_form: float
    mae_linear: float
    mae_irreducible: float | None
    mae_full_information: float | None
    coverage_percent: float
    mean_width_seconds: float

    def above_irreducible_percent(self, mae: float) -> float | None:
        """How far an error lies above the irreducible one."""
        if self.mae_irreducible is None:
            return None
        return round(100 * (mae / self.mae_irreducible - 1), 2)

    def to_json(self) -> dict[str, float | None]:
        """The fields with the model's distance from the irreducible error."""
        return asdict(self) | {"above_percent": self.above_irreducible_percent(self.mae_model)}


def score(
    actual: Floats, interval: Interval, base: Floats, linear: Floats, oracle: Oracle | None
) -> Scores:
    """Score answers in seconds on trips that took `actual` seconds."""

    def mae(predicted: Floats) -> float:
        return round(float(np.abs(predicted - actual).mean()), 2)

    covered = (actual >= interval.low) & (actual <= interval.high)
    return Scores(
        n=len(actual),
        mae_model=mae(interval.median),
        mae_closed_form=mae(base),
        mae_linear=mae(linear),
        mae_irreducible=None if oracle is None else mae(oracle.row),
        mae_full_information=None if oracle is None else mae(oracle.full_information),
        coverage_percent=round(100 * float(covered.mean()), 2),
        mean_width_seconds=round(float((interval.high - interval.low).mean()), 1),
    )


@dataclass(frozen=True, slots=True)
class LinearRival:
    """Ridge regression on the same columns and one term per hour of the week: the bar to clear."""

    centre: Floats
    scale: Floats
    weights: Floats

    @classmethod
    def fit(cls, features: Floats, target: Floats, ridge: float = 1.0) -> LinearRival:
        """Least squares on the model's own target."""
        centre, scale = features.mean(axis=0), features.std(axis=0) + 1e-9
        design = _design(features, centre, scale)
        gram = design.T @ design + ridge * np.eye(design.shape[1])
        weights: Floats = np.linalg.solve(gram, design.T @ target).astype(np.float64)
        return cls(centre, scale, weights)

    def predict(self, features: Floats) -> Floats:
        """The predicted log(actual / closed form)."""
        return np.asarray(_design(features, self.centre, self.scale) @ self.weights)


def _design(features: Floats, centre: Floats, scale: Floats) -> Floats:
    hour = features[:, FEATURES.index("hour_of_week")].astype(np.int64)
    one_hot = np.zeros((len(features), 168))
    one_hot[np.arange(len(features)), hour] = 1
    return np.hstack([np.ones((len(features), 1)), (features - centre) / scale, one_hot])
