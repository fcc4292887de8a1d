"""Fit, calibrate and score the ETA model.

The order of things keeps the score honest: whole weeks and whole zones are set aside first; the
boosters see the early weeks, the calibration sees the one after, the score uses the last ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version as installed
from typing import TYPE_CHECKING, Any

import numpy as np

from rowcast.models import eta_artefact
from rowcast.models.eta_artefact import Artefact, Domain
from rowcast.models.eta_features import FEATURES, MONOTONE, closed_form, matrix
from rowcast.models.eta_regressor import Interval, Regressor, calibrate, raw_scores
from rowcast.models.eta_score import LinearRival, Oracle, Scores, score
from rowcast.models.eta_split import Split, split
from rowcast.models.eta_trips import MINIMUM, TooFewTripsError, Trips, from_database

if TYPE_CHECKING:
    from pathlib import Path

    from lightgbm import Booster

    from rowcast.models.eta_closed_form import Floats

__all__ = ["Oracle", "Result", "Settings", "from_database", "train"]

Progress = Callable[[str, int, int], None]

LEVEL = 0.8


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that shapes the fit; the artefact records it."""

    seed: int = 1
    zone_share: float = 0.12
    rounds: int = 200
    leaves: int = 31
    interval_rounds: int = 40
    interval_leaves: int = 8
    learning_rate: float = 0.1


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Trips that no part of the model has seen, with its answers and how good they are."""

    trips: Trips
    interval: Interval
    scores: Scores


@dataclass(frozen=True, slots=True)
class Result:
    """What a training run produced."""

    version: str
    folder: Path
    seconds: float
    counts: Mapping[str, int]
    held_out: Mapping[str, HeldOut] = field(repr=False)


def train(
    trips: Trips,
    out_dir: Path = eta_artefact.ARTEFACTS,
    *,
    timezone: str,
    source: Mapping[str, Any],
    settings: Settings | None = None,
    oracle: Oracle | None = None,
    version: str | None = None,
    progress: Progress = lambda *_: None,
) -> Result:
    """Train on `trips`, write the artefact under `out_dir` and tell how well it does.

    `source` says where the trips came from and is recorded; its "name" begins the version id.
    Raises `TooFewTripsError` when there is too little to learn from.
    """
    settings = settings or Settings()
    domain = Domain.of(trips.requests)
    inside = domain.holds(trips.requests)
    trips, oracle = trips.take(inside), oracle and oracle.take(inside)
    if len(trips) < MINIMUM:
        raise TooFewTripsError(f"{len(trips)} trips are too few, {MINIMUM} are needed")
    sets = split(trips, zone_share=settings.zone_share, seed=settings.seed)
    started = time.perf_counter()
    features = matrix(trips.requests, timezone)
    target = np.log(trips.seconds / closed_form(trips.requests))
    boosters = _fit(features[sets.train], target[sets.train], settings, progress)
    offsets = calibrate(boosters, features[sets.calibration], target[sets.calibration], LEVEL)
    regressor = Regressor(boosters, offsets)
    seconds = time.perf_counter() - started
    rival = LinearRival.fit(features[sets.train], target[sets.train])
    held_out = _score(trips, features, sets, regressor, rival, oracle)
    metrics = {
        "created_from": dict(source),
        "settings": asdict(settings),
        "packages": {name: installed(name) for name in ("lightgbm", "numpy")},
        "counts": sets.counts(),
        "training_seconds": round(seconds, 2),
        "scores": {name: one.scores.to_json() for name, one in held_out.items()},
    }
    artefact = Artefact(str(source["name"]), timezone, domain, regressor)
    version = eta_artefact.save(artefact, metrics, out_dir, version)
    return Result(version, out_dir / version, seconds, sets.counts(), held_out)


def _fit(
    features: Floats, target: Floats, settings: Settings, progress: Progress
) -> dict[str, Booster]:
    """The median first, then the two quantiles of what it leaves over.

    LightGBM refuses monotone constraints for L1 and quantile losses, so the median is fitted by
    Huber's loss with a threshold well below the noise, and re-centred by the calibration.
    """
    shape = {"num_leaves": settings.leaves, "min_data_in_leaf": _rows_per_leaf(len(target))}
    huber = {**shape, "objective": "huber", "alpha": 0.1, "monotone_constraints": list(MONOTONE)}
    boosters = {"median": _boost(features, target, huber, settings, "median", progress)}
    left = target - raw_scores(boosters["median"], features)
    leaves = {
        "num_leaves": settings.interval_leaves,
        "min_data_in_leaf": 5 * _rows_per_leaf(len(target)),
    }
    for part, quantile in (("low", (1 - LEVEL) / 2), ("high", (1 + LEVEL) / 2)):
        loss = {**leaves, "objective": "quantile", "alpha": quantile}
        boosters[part] = _boost(features, left, loss, settings, part, progress)
    return boosters


def _rows_per_leaf(rows: int) -> int:
    """A hundred trips settle a leaf; a project's first few hundred trips get fewer and coarser."""
    return int(np.clip(rows // 50, 5, 100))


def _boost(
    features: Floats,
    target: Floats,
    loss: Mapping[str, Any],
    settings: Settings,
    part: str,
    progress: Progress,
) -> Booster:
    import lightgbm

    rounds = settings.rounds if part == "median" else settings.interval_rounds
    params = {
        "learning_rate": settings.learning_rate,
        "seed": settings.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
        **loss,
    }
    data = lightgbm.Dataset(features, target, feature_name=list(FEATURES))

    def report(env: Any) -> None:
        progress(part, env.iteration + 1, rounds)

    return lightgbm.train(params, data, rounds, callbacks=[report])


def _score(
    trips: Trips,
    features: Floats,
    sets: Split,
    regressor: Regressor,
    rival: LinearRival,
    oracle: Oracle | None,
) -> dict[str, HeldOut]:
    held_out = {}
    for name, rows in (("held_out_weeks", sets.weeks), ("held_out_zones", sets.zones)):
        if not rows.any():
            continue
        chosen = trips.take(rows)
        base = closed_form(chosen.requests)
        interval = regressor.seconds(features[rows], base)
        linear = base * np.exp(rival.predict(features[rows]))
        scores = score(chosen.seconds, interval, base, linear, oracle and oracle.take(rows))
        held_out[name] = HeldOut(chosen, interval, scores)
    return held_out
