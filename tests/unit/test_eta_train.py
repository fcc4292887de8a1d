"""Training: honest splits, a conformal guarantee that holds, an artefact that can be made again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from rowcast.models.eta import EtaModel
from rowcast.models.eta_artefact import read_metrics
from rowcast.models.eta_features import FEATURES, closed_form
from rowcast.models.eta_regressor import Interval, conformal_offset
from rowcast.models.eta_score import LinearRival, Oracle, score
from rowcast.models.eta_split import split
from rowcast.models.eta_train import Settings, train
from rowcast.models.eta_trips import TooFewTripsError, Trips, from_database
from rowcast.sim.city import TIMEZONE, WEEK, City

if TYPE_CHECKING:
    from pathlib import Path

    from rowcast.models.eta_closed_form import Floats
    from rowcast.models.eta_train import Result

SMALL = Settings(rounds=60, leaves=15, interval_rounds=15)
SOURCE = {"name": "test"}


@pytest.fixture(scope="module")
def trips() -> Trips:
    return City().simulate(12_000, seed=11).trips


@pytest.fixture(scope="module")
def result(trips: Trips, tmp_path_factory: pytest.TempPathFactory) -> Result:
    oracle = Oracle(City().oracle_median(trips.requests), City().oracle_median(trips.requests))
    out = tmp_path_factory.mktemp("eta")
    return train(trips, out, timezone=TIMEZONE, source=SOURCE, settings=SMALL, oracle=oracle)


# -- splits ----------------------------------------------------------------------------------


def test_the_sets_are_disjoint_and_leave_out_only_early_trips_of_unseen_zones(trips: Trips) -> None:
    sets = split(trips, zone_share=0.12, seed=1)
    masks = np.stack([sets.train, sets.calibration, sets.weeks, sets.zones])
    assert masks.sum(axis=0).max() == 1
    at = trips.requests.requested_at
    week = (at - at.min()) // WEEK
    weeks = [set(week[mask].astype(int)) for mask in masks]
    assert weeks == [set(range(8)), {8}, {9, 10, 11}, {9, 10, 11}]
    assert set(week[~masks.any(axis=0)].astype(int)) <= set(range(9))


def test_no_trip_of_training_or_calibration_touches_an_unseen_zone(trips: Trips) -> None:
    sets = split(trips, zone_share=0.12, seed=1)
    r = trips.requests

    def cells(lat: Floats, lng: Floats) -> list[tuple[int, int]]:
        return list(zip((lat // 0.018).astype(int), (lng // 0.0228).astype(int), strict=True))

    origin, dest = cells(r.origin_lat, r.origin_lng), cells(r.dest_lat, r.dest_lng)
    seen = {
        cell
        for i in np.flatnonzero(sets.train | sets.calibration | sets.weeks)
        for cell in (origin[i], dest[i])
    }
    judged = np.flatnonzero(sets.zones)
    assert len(judged) > 100
    assert all(origin[i] not in seen or dest[i] not in seen for i in judged)
    assert sets.cells_held_out == round(0.12 * sets.cells) > 0


def test_few_trips_are_split_by_time(trips: Trips) -> None:
    first_days = trips.take(np.arange(len(trips)) < 300)
    sets = split(first_days, zone_share=0.0, seed=1)
    sizes = [int(mask.sum()) for mask in (sets.train, sets.calibration, sets.weeks, sets.zones)]
    assert sizes == [180, 60, 60, 0]
    at = first_days.requests.requested_at
    assert at[sets.train].max() <= at[sets.calibration].min()
    assert at[sets.calibration].max() <= at[sets.weeks].min()


# -- calibration -----------------------------------------------------------------------------


def test_the_conformal_offset_is_the_right_order_statistic() -> None:
    scores = np.arange(1.0, 10.0)  # nine scores: rank ceil(10 * 0.8) = 8
    assert conformal_offset(scores[::-1], 0.2) == 8.0
    assert conformal_offset(scores, 0.05) == 9.0
    with pytest.raises(ValueError, match="no calibration scores"):
        conformal_offset(np.array([]), 0.2)


@pytest.mark.parametrize("n", [19, 99, 500])
def test_exchangeable_scores_miss_as_often_as_promised(n: int) -> None:
    rng = np.random.default_rng(n)
    misses = []
    for _ in range(4000):
        scores = rng.exponential(size=n + 1) ** 2
        misses.append(scores[-1] > conformal_offset(scores[:-1], 0.1))
    assert np.mean(misses) == pytest.approx(0.1, abs=0.018)


# -- the run ---------------------------------------------------------------------------------


def test_a_small_run_already_beats_its_rivals(result: Result) -> None:
    scores = result.held_out["held_out_weeks"].scores
    assert scores.mae_irreducible is not None
    assert scores.mae_irreducible < scores.mae_model < scores.mae_linear < scores.mae_closed_form
    assert 74 <= scores.coverage_percent <= 86


def test_the_scores_are_those_of_the_trips(result: Result) -> None:
    part = result.held_out["held_out_weeks"]
    error = np.abs(part.interval.median - part.trips.seconds).mean()
    assert part.scores.mae_model == round(float(error), 2)
    base = np.abs(closed_form(part.trips.requests) - part.trips.seconds).mean()
    assert part.scores.mae_closed_form == round(float(base), 2)
    wide = (part.interval.high - part.interval.low).mean()
    assert part.scores.mean_width_seconds == round(float(wide), 1)


def test_a_score_is_made_of_errors_and_of_trips_inside() -> None:
    actual = np.array([100.0, 200.0, 300.0, 400.0])
    below, about, above = np.array([[10, 10, 10, -1], [5, -5, 15, 25], [20, -1, 0, 30]])
    interval = Interval(actual - below, actual + about, actual + above)
    found = score(actual, interval, actual + 40, actual - 30, Oracle(actual + 10, actual + 1))
    assert found.coverage_percent == 50.0
    assert found.mean_width_seconds == round((30 + 9 + 10 + 29) / 4, 1)
    errors = (found.mae_model, found.mae_closed_form, found.mae_linear, found.mae_irreducible)
    assert errors == (12.5, 40.0, 30.0, 10.0)
    assert found.mae_full_information == 1.0
    assert found.above_irreducible_percent(found.mae_model) == 25.0


def test_what_was_trained_is_what_serves(result: Result) -> None:
    model = EtaModel(result.folder.parent)
    assert model.version == result.version
    metrics = read_metrics(result.folder.parent)
    part = result.held_out["held_out_weeks"]
    assert metrics["scores"]["held_out_weeks"]["mae_model"] == part.scores.mae_model
    assert metrics["created_from"] == SOURCE
    assert metrics["counts"]["held_out_weeks"] == len(part.trips)


def test_equal_seeds_make_an_equal_artefact(trips: Trips, result: Result, tmp_path: Path) -> None:
    again = train(trips, tmp_path, timezone=TIMEZONE, source=SOURCE, settings=SMALL)
    assert again.version == result.version
    for path in result.folder.glob("*.txt"):
        assert path.read_bytes() == (again.folder / path.name).read_bytes()


def test_another_fit_gets_another_version(trips: Trips, result: Result, tmp_path: Path) -> None:
    other = Settings(rounds=10, leaves=15, interval_rounds=5)
    changed = train(trips, tmp_path, timezone=TIMEZONE, source=SOURCE, settings=other)
    assert changed.version != result.version
    named = train(
        trips, tmp_path, timezone=TIMEZONE, source=SOURCE, settings=other, version="1.0.0"
    )
    assert named.version == (tmp_path / "current").read_text().strip() == "1.0.0"


def test_without_a_law_nothing_is_called_irreducible(trips: Trips, tmp_path: Path) -> None:
    few = trips.take(np.arange(len(trips)) % 30 == 0)
    bare = train(few, tmp_path, timezone=TIMEZONE, source=SOURCE, settings=SMALL)
    written = json.loads((bare.folder / "metrics.json").read_text())
    scores = written["scores"]["held_out_weeks"]
    assert scores["mae_irreducible"] is scores["above_percent"] is None
    assert scores["mae_model"] > 0


def test_too_few_trips_are_refused(trips: Trips, tmp_path: Path) -> None:
    few = trips.take(np.arange(len(trips)) < 199)
    with pytest.raises(TooFewTripsError, match="199 trips are too few, 200 are needed"):
        train(few, tmp_path, timezone=TIMEZONE, source=SOURCE)
    assert not list(tmp_path.iterdir())


def test_progress_reaches_its_end(trips: Trips, tmp_path: Path) -> None:
    seen: dict[str, tuple[int, int]] = {}
    settings = Settings(rounds=5, leaves=4, interval_rounds=3, interval_leaves=4)
    train(
        trips,
        tmp_path,
        timezone=TIMEZONE,
        source=SOURCE,
        settings=settings,
        progress=lambda stage, done, total: seen.update({stage: (done, total)}),
    )
    assert seen == {"median": (5, 5), "low": (3, 3), "high": (3, 3)}


def test_the_linear_rival_finds_a_linear_law() -> None:
    rng = np.random.default_rng(3)
    features = rng.normal(size=(4000, len(FEATURES)))
    hours = FEATURES.index("hour_of_week")
    features[:, hours] = rng.integers(0, 168, 4000)
    target = 0.3 * features[:, 0] - 0.2 * features[:, 1] + 0.5 * (features[:, hours] == 7)
    rival = LinearRival.fit(features, target)
    assert rival.predict(features) == pytest.approx(target, abs=0.05)


class FakeConnection:
    """Stands in for a psycopg connection and its cursor; hands rows out in chunks."""

    itersize = 100

    def __init__(self, rows: list[tuple[object, ...]]) -> None:
        self.rows, self.named, self.sql = rows, "", ""

    def __enter__(self) -> FakeConnection:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def cursor(self, name: str) -> FakeConnection:
        self.named = name
        return self

    def execute(self, sql: str) -> None:
        self.sql = sql

    def fetchmany(self, size: int) -> list[tuple[object, ...]]:
        chunk, self.rows = self.rows[:size], self.rows[size:]
        return chunk


def _recorded(count: int) -> list[tuple[object, ...]]:
    kinds = ("ride", "parcel", "pool", "kite")
    return [(37.7, -122.4, 37.8, -122.5, 1e9 + i, kinds[i % 4], 600.0 + i) for i in range(count)]


def test_recorded_trips_are_streamed_and_unknown_kinds_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection = FakeConnection(_recorded(12_000))
    monkeypatch.setattr("psycopg.connect", lambda dsn: connection)
    trips = from_database("postgresql://somewhere/db")
    assert len(trips) == 9_000
    assert connection.named
    assert connection.itersize < 12_000
    assert trips.seconds[:4].tolist() == [600.0, 601.0, 602.0, 604.0]
    r = trips.requests
    assert r.kind[:4].tolist() == [0, 1, 2, 0]
    first = [c[0] for c in (r.origin_lat, r.origin_lng, r.dest_lat, r.dest_lng, r.requested_at)]
    assert first == [37.7, -122.4, 37.8, -122.5, 1e9]


@pytest.mark.parametrize("count", [0, 264])
def test_too_few_recorded_trips_are_refused(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr("psycopg.connect", lambda dsn: FakeConnection(_recorded(count)))
    with pytest.raises(TooFewTripsError, match=f"^{count * 3 // 4} completed pickups are too few"):
        from_database("postgresql://somewhere/db")


@pytest.mark.slow
def test_the_committed_artefact_can_be_made_again(tmp_path: Path) -> None:
    committed = read_metrics()
    source, city = committed["created_from"], City()
    sample = city.simulate(source["trips"], seed=source["seed"])
    requests = sample.trips.requests
    oracle = Oracle(
        city.oracle_median(requests), city.median_seconds(requests, sample.rain, sample.event)
    )
    settings = Settings(**committed["settings"])
    train(
        sample.trips, tmp_path, timezone=TIMEZONE, source=source, settings=settings, oracle=oracle
    )
    made = read_metrics(tmp_path)
    assert made["counts"] == committed["counts"]
    for name, scores in committed["scores"].items():
        # Another processor rounds sums otherwise, so a tree may differ in a split of equal gain.
        assert made["scores"][name] == pytest.approx(scores, rel=0.01, abs=0.5)
