"""The simulator keeps the truth to itself, the past knows no future, training can be repeated."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from typer.testing import CliRunner

from rowcast.cli.train import TEACHERS, app
from rowcast.models.signin import SignInModel
from rowcast.models.signin_artefact import read_metrics
from rowcast.models.signin_features import FEATURES, matrix
from rowcast.models.signin_history import SignIns, contexts
from rowcast.models.signin_score import curve, recall_at, rule, score, threshold
from rowcast.models.signin_scorecard import fit
from rowcast.models.signin_train import Labelled, train
from rowcast.sim.signins import INFORMED, KINDS, REMOTE, STANDARD, Simulated, World

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="module")
def simulated() -> Simulated:
    return World(people=150, weeks=12, seed=4).simulate()


def test_a_model_sees_no_truth(simulated: Simulated) -> None:
    assert {f.name for f in fields(SignIns)} == {
        "person", "at", "ok", "lat", "lng", "device", "address", "scripted",
    }  # fmt: skip
    assert set(np.unique(simulated.kind)) <= set(range(len(KINDS)))
    good = simulated.kind[simulated.sign_ins.ok]
    assert 0.002 < (good > 0).mean() < 0.03
    assert (np.diff(simulated.sign_ins.at) >= 0).all()


def test_equal_worlds_are_equal_and_others_are_not(simulated: Simulated) -> None:
    again = World(people=150, weeks=12, seed=4).simulate()
    assert (again.sign_ins.at == simulated.sign_ins.at).all()
    assert (again.kind == simulated.kind).all()
    other = World(people=150, weeks=12, seed=5).simulate()
    assert len(other.sign_ins) != len(simulated.sign_ins)


def test_later_sign_ins_change_nothing(simulated: Simulated) -> None:
    table = simulated.sign_ins
    cut = float(np.quantile(table.at, 0.6))
    late = np.flatnonzero(table.at >= cut)
    mixed = np.random.default_rng(1).permutation(late)
    columns = {f.name: getattr(table, f.name).copy() for f in fields(SignIns)}
    for name, column in columns.items():
        if name != "at":
            column[late] = column[mixed]
    before, rows = contexts(table)
    after, others = contexts(SignIns(**columns))
    early, same = table.at[rows] < cut, table.at[others] < cut
    assert early.sum() > 500
    assert (rows[early] == others[same]).all()
    assert (matrix(before)[early] == matrix(after)[same]).all()


def test_the_past_is_the_persons_own_and_newest_first(simulated: Simulated) -> None:
    before, rows = contexts(simulated.sign_ins)
    there = ~np.isnan(before.past_at)
    assert (np.where(there, before.past_at, -np.inf) < before.at[:, None]).all()
    newest = np.where(there, before.past_at, -np.inf)
    assert (newest[:, :-1] >= newest[:, 1:]).all()
    person = simulated.sign_ins.person[rows]
    for i in (10, 400, len(rows) - 1):
        mine = simulated.sign_ins.take(
            (simulated.sign_ins.person == person[i]) & simulated.sign_ins.ok
        )
        assert there[i].sum() == min(50, (mine.at < before.at[i]).sum())


def test_informed_attackers_stay_at_home() -> None:
    world = World(people=150, weeks=12, seed=4, rates=replace(INFORMED, attacks=0.05))
    made = world.simulate()
    before, rows = contexts(made.sign_ins)
    far = matrix(before)[made.kind[rows] > 0, FEATURES.index("far_from_home")]
    assert np.median(far) < 60
    assert STANDARD.informed is False


def test_remote_attackers_mostly_bring_a_device_of_their_own() -> None:
    made = World(people=150, weeks=12, seed=4, rates=REMOTE).simulate()
    before, rows = contexts(made.sign_ins)
    new = matrix(before)[:, FEATURES.index("new_device")] > 0
    attack, old = made.kind[rows] > 0, (~np.isnan(before.past_at)).sum(axis=1) > 10
    assert new[attack & old].mean() > 0.8
    assert new[~attack & old].mean() < 0.02


def test_people_of_two_worlds_are_not_one(simulated: Simulated) -> None:
    one = Labelled.of(simulated.sign_ins, simulated.kind)
    both = one.joined(one)
    assert len(np.unique(both.person)) == 2 * len(np.unique(one.person))
    assert (both.features[len(one.kind) :] == one.features).all()


# Scores


def test_recall_is_that_at_one_false_alarm_in_a_hundred() -> None:
    attack = np.array([True] * 4 + [False] * 200)
    values = np.concatenate([[10.0, 9.0, 0.5, 0.1], np.linspace(0, 1, 200)])
    assert recall_at(values, attack, 0.01) == 0.5
    alarms, found = curve(values, attack)
    assert (alarms[0], found[0], alarms[-1], found[-1]) == (0, 0, 1, 1)
    edge = threshold(values, attack)
    assert ((values >= edge) & ~attack).sum() <= 2
    assert score(np.zeros(204), attack).recall == pytest.approx(0.01)  # a coin, not a find
    assert score(attack * 1.0, attack).average_precision == 1.0


def test_the_rule_counts_speed_and_device() -> None:
    features = np.zeros((4, len(FEATURES)))
    features[[1, 3], FEATURES.index("fast_travel")] = 901
    features[[2, 3], FEATURES.index("new_device")] = 2
    assert rule(features).tolist() == [0, 1, 1, 2]


def test_the_card_finds_a_law_of_its_own_kind() -> None:
    rng = np.random.default_rng(3)
    features = np.zeros((60_000, len(FEATURES)))
    here = FEATURES.index("failures_here")
    features[:, here] = rng.integers(0, 8, 60_000)
    odds = -4 + 1.0 * (features[:, here] >= 2) + 1.5 * (features[:, here] >= 6)
    attack = rng.random(60_000) < 1 / (1 + np.exp(-odds))
    card = fit(features, attack)
    assert card.intercept == pytest.approx(-4, abs=0.2)
    assert card.points["failures_here"] == pytest.approx((0, 1.0, 0, 1.5), abs=0.25)
    assert card.calibrated(features, attack).intercept == pytest.approx(-4, abs=0.2)
    assert set(card.points) == set(FEATURES)


# What is published


def test_the_documents_table_is_the_artefacts() -> None:
    text = (Path(__file__).parents[2] / "docs/explanation/sign-in-risk.md").read_text()
    judged = read_metrics()["scores"]
    for method in judged["standard"]["methods"]:
        scores = [world["methods"][method] for world in judged.values()]
        cells = (f"{s['recall']:.3f} ({s['average_precision']:.3f})" for s in scores)
        name = "**scorecard**" if method == "scorecard" else method
        assert f"| {name} | {' | '.join(cells)} |" in text
    at = [world["at_threshold"] for world in judged.values()]
    assert " | ".join(f"{100 * one['false_alarms']:.2f} %" for one in at) in text
    assert " | ".join(f"{one['recall']:.3f}" for one in at) in text
    assert judged["standard"]["methods"]["scorecard"]["recall"] > 0.8
    for name in FEATURES:
        assert f"`{name}`" in text


# The command


def test_it_prints_the_table_and_writes_an_artefact_that_serves(tmp_path: Path) -> None:
    arguments = ["signin", "--people", "100", "--seed", "3", "--out", str(tmp_path / "one")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    version = SignInModel(tmp_path / "one").version
    assert version in done.output
    for line in ("rule", "scorecard", "boosting", "calibration error", "alarm_from"):
        assert line in done.output
    # The same people and seed again; other worlds than the teachers' are judged and teach nothing.
    again = train(
        {"standard": worlds(3)}, tmp_path / "two", seed=3, source={},
        teachers=[worlds(2003 + n) for n in range(TEACHERS)],
    )  # fmt: skip
    assert again.version == version


def worlds(seed: int) -> Callable[[], tuple[SignIns, np.ndarray]]:
    made = World(100, seed=seed).simulate()
    return lambda: (made.sign_ins, made.kind)
