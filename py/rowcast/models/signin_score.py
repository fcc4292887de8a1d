"""How good a score is, and the rivals that it stands beside."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from rowcast.models.signin_features import FEATURES

if TYPE_CHECKING:
    from rowcast.models.eta_closed_form import Floats
    from rowcast.models.signin_history import Flags

FALSE_ALARMS = 0.01
_FAST = 900.0


@dataclass(frozen=True, slots=True)
class Scores:
    """At one false alarm in a hundred ordinary sign-ins, and over all thresholds."""

    recall: float
    average_precision: float


def score(values: Floats, attack: Flags) -> Scores:
    """Scores of `values`, where higher means more suspicious."""
    return Scores(
        round(recall_at(values, attack, FALSE_ALARMS), 4), round(_precision(values, attack), 4)
    )


def recall_at(values: Floats, attack: Flags, false_alarms: float) -> float:
    """The share of attacks that is found; between two thresholds, on the straight line."""
    alarms, found = curve(values, attack)
    return float(np.interp(false_alarms, alarms, found))


def curve(values: Floats, attack: Flags) -> tuple[Floats, Floats]:
    """False alarms and recall at each threshold, from the highest down; equal values together."""
    order = np.argsort(-values, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(values[order])), len(order) - 1)
    hits = np.cumsum(attack[order])[ends] / max(1, int(attack.sum()))
    alarms = np.cumsum(~attack[order])[ends] / max(1, int((~attack).sum()))
    return np.append(0.0, alarms), np.append(0.0, hits)


def threshold(values: Floats, attack: Flags, false_alarms: float = FALSE_ALARMS) -> float:
    """The least value that no more than that share of ordinary sign-ins reaches."""
    ordinary = np.sort(values[~attack])
    place = int(np.ceil(len(ordinary) * (1 - false_alarms)))
    return float(np.nextafter(ordinary[min(place, len(ordinary) - 1)], np.inf))


def _precision(values: Floats, attack: Flags) -> float:
    order = np.argsort(-values, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(values[order])), len(order) - 1)
    hits = np.cumsum(attack[order])[ends]
    return float((np.diff(hits, prepend=0) * hits / (ends + 1)).sum() / max(1, int(attack.sum())))


def calibration_error(risk: Floats, attack: Flags, bins: int = 10) -> float:
    """Mean distance of the said and the seen share of attacks, in bins of equal count."""
    order = np.argsort(risk, kind="stable")
    parts = np.array_split(order, bins)
    return float(np.mean([abs(risk[part].mean() - attack[part].mean()) for part in parts]))


def rule(features: Floats) -> Floats:
    """One point for a journey faster than an airliner, one for a device never seen."""
    speed = features[:, FEATURES.index("fast_travel")]
    device = features[:, FEATURES.index("new_device")]
    return np.asarray((speed > _FAST) * 1.0 + (device > 0))


def isolation_forest(train: Floats, test: Floats, seed: int) -> Floats | None:
    """Anomaly scores without labels; None where scikit-learn (group dev) is not installed."""
    if find_spec("sklearn") is None:
        return None
    ensemble: Any = import_module("sklearn.ensemble")
    forest = ensemble.IsolationForest(n_estimators=200, max_samples=512, random_state=seed)
    return np.asarray(-forest.fit(train).score_samples(test))


def boosting(train: Floats, attack: Flags, seed: int) -> Any:
    """Gradient boosting with labels: what the additive form costs."""
    import lightgbm

    params = {
        "objective": "binary", "learning_rate": 0.05, "num_leaves": 15, "seed": seed,
        "deterministic": True, "force_row_wise": True, "num_threads": 1, "verbosity": -1,
    }  # fmt: skip
    return lightgbm.train(params, lightgbm.Dataset(train, attack.astype(float)), 200)
