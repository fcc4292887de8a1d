"""A scorecard: the log-odds of an attack as a sum of points, one part for each feature.

A feature gains points at each edge that it passes, and none is negative: more failures or a
faster journey can never lower the score, whatever a sparse corner of the data says. Fitted as a
logistic regression on the passed edges with bounds and a small ridge penalty; convex, so the
answer is the same on each run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from rowcast.models.signin_features import EDGES, FEATURES

if TYPE_CHECKING:
    from rowcast.models.eta_closed_form import Floats
    from rowcast.models.signin_history import Flags, Numbers

_RIDGE = 1.0


@dataclass(frozen=True, slots=True)
class Scorecard:
    """Points by feature and edge, and the log-odds when none is passed."""

    intercept: float
    points: dict[str, tuple[float, ...]]

    def parts(self, features: Floats) -> Floats:
        """Points of each feature, shape of `features`."""
        columns = [
            (column[:, None] >= np.array(EDGES[name])) @ np.array(self.points[name])
            for name, column in zip(FEATURES, features.T, strict=True)
        ]
        return np.stack(columns, axis=1)

    def log_odds(self, features: Floats) -> Floats:
        """Intercept and points together."""
        return np.asarray(self.intercept + self.parts(features).sum(axis=1))

    def risk(self, features: Floats) -> Floats:
        """The probability of an attack, given the share of attacks in training."""
        return np.asarray(expit(self.log_odds(features)))

    def calibrated(self, features: Floats, attack: Flags) -> Scorecard:
        """Slope and intercept fitted anew on others; a part stays a part, times the slope."""
        raw = self.log_odds(features)
        slope, shift = _logistic(raw[:, None], attack, ridge=0.0)
        points = {
            name: tuple(float(slope[0] * p) for p in points) for name, points in self.points.items()
        }
        return Scorecard(float(slope[0] * self.intercept + shift), points)


def fit(features: Floats, attack: Flags) -> Scorecard:
    """The scorecard that explains best which of these were attacks."""
    passed = np.concatenate(
        [
            column[:, None] >= np.array(EDGES[name])
            for name, column in zip(FEATURES, features.T, strict=True)
        ],
        axis=1,
    )
    # Rows with the same edges passed are one row with a weight.
    distinct, which = np.unique(np.packbits(passed, axis=1), axis=0, return_inverse=True)
    rows = np.unpackbits(distinct, axis=1, count=passed.shape[1]).astype(np.float64)
    many = np.bincount(which.ravel())
    attacks = np.bincount(which.ravel(), weights=attack).astype(np.float64)
    weights, intercept = _logistic(rows, attacks, ridge=_RIDGE, many=many)
    points, start = {}, 0
    for name in FEATURES:
        stop = start + len(EDGES[name])
        points[name] = tuple(float(w) for w in weights[start:stop])
        start = stop
    return Scorecard(intercept, points)


def _logistic(
    x: Floats, attacks: Floats | Flags, ridge: float, many: Floats | Numbers | None = None
) -> tuple[Floats, float]:
    """Weights >= 0 and an intercept; `many` sign-ins are behind a row, and `attacks` of them."""
    y = attacks.astype(np.float64)
    m = np.ones(len(y)) if many is None else many.astype(np.float64)
    n = x.shape[1]

    def loss(w: Floats) -> tuple[float, Floats]:
        z = x @ w[:n] + w[n]
        value = float(m @ np.logaddexp(0, z) - y @ z) + ridge / 2 * float(w[:n] @ w[:n])
        left = m * expit(z) - y
        return value, np.append(x.T @ left + ridge * w[:n], left.sum())

    share = float(np.clip(y.sum() / m.sum(), 1e-6, 1 - 1e-6))
    start = np.append(np.zeros(n), np.log(share / (1 - share)))
    bounds = [(0.0, None)] * n + [(None, None)]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds,
                     options={"maxiter": 500})  # fmt: skip
    return found.x[:n], float(found.x[n])
