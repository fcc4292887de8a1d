"""Fit, calibrate and score the sign-in model.

Two people in five are set aside and judged on the last eight of twenty weeks; the card sees the
others' first twelve, and those of worlds made for teaching alone. Of all these, a quarter of the
people are kept from the fit and set its calibration and its threshold. Other worlds are judged by
the card as it is.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from importlib.metadata import version as installed
from typing import TYPE_CHECKING, Any

import numpy as np

from rowcast.models import signin_artefact
from rowcast.models.signin_features import matrix
from rowcast.models.signin_history import contexts
from rowcast.models.signin_score import (
    Scores,
    boosting,
    calibration_error,
    isolation_forest,
    rule,
    score,
    threshold,
)
from rowcast.models.signin_scorecard import Scorecard, fit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from rowcast.models.eta_closed_form import Floats
    from rowcast.models.signin_history import Flags, Numbers, SignIns

_WEEK = 7 * 86400.0
EARLY_WEEKS, HELD_OUT, CALIBRATION = 12, 0.4, 0.25


@dataclass(frozen=True, slots=True)
class Labelled:
    """Sign-ins with features, and the truth for training and judging alone."""

    features: Floats
    kind: Numbers  # 0 is nobody's attack
    person: Numbers
    week: Floats

    @classmethod
    def of(cls, table: SignIns, kind: Numbers) -> Labelled:
        """The successes of a table with what came before each."""
        before, rows = contexts(table)
        week = (before.at - table.at.min()) / _WEEK
        return cls(matrix(before), kind[rows], table.person[rows], week)

    @property
    def attack(self) -> Flags:
        """Which of them were attacks."""
        return np.asarray(self.kind > 0)

    def take(self, rows: Flags) -> Labelled:
        """Some of the sign-ins."""
        return Labelled(self.features[rows], self.kind[rows], self.person[rows], self.week[rows])

    def joined(self, other: Labelled) -> Labelled:
        """Both; the other's people are others."""
        pairs = zip(
            (self.features, self.kind, self.person, self.week),
            (other.features, other.kind, other.person + int(self.person.max()) + 1, other.week),
            strict=True,
        )
        return Labelled(*(np.concatenate(pair) for pair in pairs))


@dataclass(frozen=True, slots=True)
class Judged:
    """One world's held-out sign-ins, each method's values, and how good these are."""

    sign_ins: Labelled
    values: Mapping[str, Floats] = field(repr=False)
    scores: Mapping[str, Scores]
    calibration_error: float
    alarm_share: float  # ordinary sign-ins at or above the threshold as trained
    alarm_recall: float  # attacks there

    def to_json(self) -> dict[str, Any]:
        """For the artefact."""
        return {
            "sign_ins": len(self.sign_ins.kind), "attacks": int(self.sign_ins.attack.sum()),
            "methods": {name: asdict(one) for name, one in self.scores.items()},
            "calibration_error": round(self.calibration_error, 5),
            "at_threshold": {
                "false_alarms": round(self.alarm_share, 4), "recall": round(self.alarm_recall, 4),
            },
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Result:
    """What a training run produced."""

    version: str
    folder: Path
    alarm_from: float
    seconds: float
    judged: Mapping[str, Judged] = field(repr=False)


def train(
    simulate: Mapping[str, Callable[[], tuple[SignIns, Numbers]]],
    out_dir: Path = signin_artefact.ARTEFACTS,
    *,
    seed: int,
    source: Mapping[str, Any],
    teachers: Sequence[Callable[[], tuple[SignIns, Numbers]]] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> Result:
    """Train in the first world and the teachers', judge in all, write the artefact to `out_dir`."""
    started = time.perf_counter()
    judged: dict[str, Judged] = {}
    for world, make in simulate.items():
        progress(world)
        sign_ins = Labelled.of(*make())
        early = sign_ins.week < EARLY_WEEKS
        if not judged:
            held = _some(sign_ins.person, HELD_OUT, seed)
            known = sign_ins.take(~held & early)
            for teach in teachers:
                progress("more people to learn from")
                more = Labelled.of(*teach())
                known = known.joined(more.take(more.week < EARLY_WEEKS))
            test = sign_ins.take(held & ~early)
            card, alarm_from = _fit(known, seed)
            booster = boosting(known.features, known.attack, seed)
        else:  # other people, so that all of them are held out
            test = sign_ins.take(~early)
        forest = isolation_forest(known.features, test.features, seed)
        judged[world] = _judge(test, card, alarm_from, booster, forest)
    metrics = {
        "created_from": {**source, "seed": seed},
        "packages": {name: installed(name) for name in ("lightgbm", "numpy", "scipy")},
        "attack_share": round(float(known.attack.mean()), 5),
        "scores": {world: one.to_json() for world, one in judged.items()},
    }
    artefact = signin_artefact.save(card, alarm_from, metrics, out_dir)
    seconds = time.perf_counter() - started
    return Result(
        artefact.version, out_dir / artefact.version, artefact.alarm_from, seconds, judged
    )


def _fit(known: Labelled, seed: int) -> tuple[Scorecard, float]:
    aside = _some(known.person, CALIBRATION, seed + 1)
    others = known.take(aside)
    seen = known.take(~aside)
    card = fit(seen.features, seen.attack).calibrated(others.features, others.attack)
    return card, threshold(card.risk(others.features), others.attack)


def _some(person: Numbers, share: float, seed: int) -> Flags:
    """Whole people, drawn by their number."""
    return np.asarray(np.random.default_rng(seed).random(int(person.max()) + 1)[person] < share)


def _judge(
    test: Labelled, card: Scorecard, alarm_from: float, booster: Any, forest: Floats | None
) -> Judged:
    risk, attack = card.risk(test.features), test.attack
    values = {"rule": rule(test.features)}
    if forest is not None:
        values["isolation forest"] = forest
    values |= {"scorecard": card.log_odds(test.features)}
    values["boosting"] = np.asarray(booster.predict(test.features))
    alarm = risk >= alarm_from
    scores = {name: score(one, attack) for name, one in values.items()}
    error = calibration_error(risk, attack)
    return Judged(
        test, values, scores, error, float(alarm[~attack].mean()), float(alarm[attack].mean())
    )
