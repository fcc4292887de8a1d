"""The ETA model as the service meets it: the committed artefact behind `predict`."""

from __future__ import annotations

import json
import math
import shutil
import statistics
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rowcast.models.base import InputError
from rowcast.models.eta import EtaModel
from rowcast.models.eta_artefact import ARTEFACTS, ArtefactError, Domain, read_metrics
from rowcast.models.eta_closed_form import closed_form_seconds, haversine_m
from rowcast.models.eta_features import FEATURES, KINDS, Requests, local_hour_of_week, matrix
from rowcast.sim.city import City

if TYPE_CHECKING:
    from collections.abc import Callable

IN_TOWN = {
    "origin_lat": 37.78,
    "origin_lng": -122.42,
    "dest_lat": 37.76,
    "dest_lng": -122.46,
    "kind": "ride",
    "requested_at": "2026-03-04T17:30:00+00:00",
    "estimate_seconds": 700,
}
PARIS = {"origin_lat": 48.85, "origin_lng": 2.35, "dest_lat": 48.86, "dest_lng": 2.29}

times = st.datetimes(datetime(1980, 1, 1), datetime(2190, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def _pickups(
    latitudes: st.SearchStrategy[float], longitudes: st.SearchStrategy[float]
) -> st.SearchStrategy[dict[str, Any]]:
    places = {
        f"{end}_{axis}": values
        for end in ("origin", "dest")
        for axis, values in (("lat", latitudes), ("lng", longitudes))
    }
    others = {
        "kind": st.sampled_from(sorted(KINDS)),
        "requested_at": times.map(datetime.isoformat),
    }
    estimate = {"estimate_seconds": st.integers(0, 10_000_000)}
    return st.fixed_dictionaries({**places, **others}, optional=estimate)


in_town = _pickups(st.floats(37.7, 37.85), st.floats(-122.5, -122.26))
pickups = in_town | _pickups(st.floats(-90, 90), st.floats(-180, 180))


@pytest.fixture(scope="module")
def model() -> EtaModel:
    return EtaModel()


def answer(model: EtaModel, **changes: Any) -> dict[str, Any]:
    return model.predict([{**IN_TOWN, **changes}])[0].output


# -- the closed form -------------------------------------------------------------------------


def test_the_closed_form_is_the_one_written_down() -> None:
    metres = 6371008.8 * math.radians(0.05)
    assert haversine_m(10.0, 20.0, 10.05, 20.0) == pytest.approx(metres)
    road = 1.3 * metres
    expected = 90 + road / (6 + 9 * road / (road + 8000))
    assert closed_form_seconds(10.0, 20.0, 10.05, 20.0) == pytest.approx(expected)
    assert closed_form_seconds(10.0, 20.0, 10.0, 20.0) == 90


def test_the_closed_form_stands_antipodes() -> None:
    # Rounding carries some of these haversines above 1; a NaN would be a warning, hence an error.
    rng = np.random.default_rng(0)
    lat, lng = rng.integers(-900, 901, 10**5) / 10, rng.integers(-1800, 1, 10**5) / 10
    found = haversine_m(lat, lng, -lat, np.round(lng + 180, 1))
    assert found == pytest.approx(math.pi * 6371008.8, rel=1e-7)


# -- features --------------------------------------------------------------------------------


def test_the_hour_of_the_week_is_the_local_one_on_both_sides_of_summer_time() -> None:
    moments = [
        "2025-11-02T08:30:00+00:00",
        "2025-11-02T09:30:00+00:00",
        "2025-11-03T08:00:00+00:00",
    ]
    epochs = np.array([datetime.fromisoformat(m).timestamp() for m in moments])
    assert local_hour_of_week(epochs, "America/Los_Angeles").tolist() == [145.5, 145.5, 0.0]


def test_the_bearing_points_where_the_trip_goes() -> None:
    zeros, lat, lng = np.zeros(2), np.array([0.0, -1.0]), np.array([1.0, 0.0])
    east_then_south = Requests(zeros, zeros, lat, lng, zeros, np.zeros(2, dtype=np.int8))
    columns = [FEATURES.index(name) for name in ("bearing_sin", "bearing_cos")]
    found = matrix(east_then_south, "UTC")[:, columns]
    assert found == pytest.approx(np.array([[1.0, 0.0], [0.0, -1.0]]), abs=1e-9)


# -- answers ---------------------------------------------------------------------------------


@given(st.lists(pickups, min_size=1, max_size=8))
@settings(deadline=None, derandomize=True)
def test_every_answer_is_an_interval_around_the_eta(
    model: EtaModel, batch: list[dict[str, Any]]
) -> None:
    answers = model.predict(batch)
    assert len(answers) == len(batch)
    for one in answers:
        low, eta, high = (one.output[f"eta_{part}seconds"] for part in ("low_", "", "high_"))
        assert 0 <= low <= eta <= high <= 604800
        assert all(type(value) is int for value in (low, eta, high))
        assert (one.low, one.high) == (low, high)
        json.dumps(one.output, allow_nan=False)


@given(st.lists(pickups, min_size=2, max_size=8))
@settings(deadline=None, derandomize=True)
def test_a_batch_is_its_items_in_order(model: EtaModel, batch: list[dict[str, Any]]) -> None:
    together = model.predict(batch)
    assert together == [model.predict([item])[0] for item in batch]
    assert model.predict(batch[::-1]) == together[::-1]


def test_traffic_and_handling_show(model: EtaModel) -> None:
    night, evening = "2026-03-04T11:00:00Z", "2026-03-05T01:30:00Z"
    assert (
        answer(model, requested_at=night)["eta_seconds"] * 1.1
        < (answer(model, requested_at=evening)["eta_seconds"])
    )
    assert answer(model, kind="parcel")["eta_seconds"] > answer(model)["eta_seconds"] + 60


def test_a_parcel_never_takes_less_than_a_ride(model: EtaModel) -> None:
    rng = np.random.default_rng(0)
    rides = [
        {**IN_TOWN, "origin_lat": lat, "dest_lng": lng}
        for lat, lng in zip(
            rng.uniform(37.7, 37.85, 300), rng.uniform(-122.5, -122.3, 300), strict=True
        )
    ]
    parcels = [{**ride, "kind": "parcel"} for ride in rides]
    for ride, parcel in zip(model.predict(rides), model.predict(parcels), strict=True):
        assert parcel.output["eta_seconds"] >= ride.output["eta_seconds"]


def test_the_same_moment_in_another_offset_is_the_same_answer(model: EtaModel) -> None:
    there = answer(model, requested_at="2026-03-04T09:30:00-08:00")
    assert there == answer(model) == answer(model, requested_at="2026-03-04T17:30:00Z")


@pytest.mark.parametrize("changes", [PARIS, {"dest_lng": -100.0}, {"kind": "pool"}])
def test_out_of_the_domain_the_estimate_passes_through(
    model: EtaModel, changes: dict[str, Any]
) -> None:
    inside, outside = answer(model), answer(model, **changes)
    assert (inside["in_domain"], outside["in_domain"]) == (True, False)
    assert outside["eta_seconds"] == 700
    assert outside["eta_high_seconds"] / outside["eta_low_seconds"] > 2 * (
        inside["eta_high_seconds"] / inside["eta_low_seconds"]
    )


def test_without_an_estimate_the_closed_form_stands_in(model: EtaModel) -> None:
    bare = {k: v for k, v in {**IN_TOWN, **PARIS}.items() if k != "estimate_seconds"}
    expected = closed_form_seconds(*PARIS.values())
    assert model.predict([bare])[0].output["eta_seconds"] == round(float(expected))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"origin_lat": 90.1}, "origin_lat is not between -90 and 90"),
        ({"dest_lng": -180.5}, "dest_lng is not between -180 and 180"),
        ({"dest_lat": math.nan}, "dest_lat is not between"),
        ({"origin_lng": math.inf}, "origin_lng is not between"),
        ({"origin_lng": "1"}, "origin_lng is missing or not a number"),
        ({"origin_lng": None}, "origin_lng is missing or not a number"),
        ({"origin_lat": True}, "origin_lat is missing or not a number"),
        ({"estimate_seconds": -1}, "estimate_seconds is not between"),
        ({"estimate_seconds": math.nan}, "estimate_seconds is not between"),
        ({"estimate_seconds": "600"}, "estimate_seconds is missing or not a number"),
        ({"kind": "boat"}, "kind is not one of ride, parcel, pool"),
        ({"kind": ["ride"]}, "kind is not one of"),
        ({"requested_at": "yesterday"}, "requested_at is not an ISO-8601 time"),
        ({"requested_at": 1700000000}, "requested_at is not an ISO-8601 time"),
        ({"requested_at": "2026-03-04T17:30:00"}, "requested_at has no offset"),
        ({"requested_at": "0001-01-01T00:00:00Z"}, "requested_at is not in the years"),
        ({"requested_at": "9999-12-31T23:59:59Z"}, "requested_at is not in the years"),
    ],
)
def test_a_bad_item_is_refused_by_its_index(
    model: EtaModel, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        model.predict([IN_TOWN, IN_TOWN, {**IN_TOWN, **changes}])
    assert caught.value.index == 2
    assert message in caught.value.message


def test_it_answers_in_time(model: EtaModel) -> None:
    # Ten times what one core needs, so that only a change of kind can break it.
    for size, limit in ((1, 0.003), (100, 0.015)):
        batch = [IN_TOWN] * size
        taken = []
        for _ in range(30):
            started = time.perf_counter()
            model.predict(batch)
            taken.append(time.perf_counter() - started)
        assert statistics.median(taken) < limit


# -- quality ---------------------------------------------------------------------------------


def test_trips_drawn_anew_are_predicted_as_well_as_the_artefact_claims(model: EtaModel) -> None:
    city = City()
    sample = city.simulate(8000, seed=20_001)
    requests, took = sample.trips.requests, sample.trips.seconds
    answers = [one.output for one in model.predict(as_inputs(requests))]
    eta, low, high = (
        np.array([a[f"eta_{part}seconds"] for a in answers]) for part in ("", "low_", "high_")
    )
    error = np.abs(eta - took).mean()
    assert error < 1.05 * np.abs(city.oracle_median(requests) - took).mean()
    base = closed_form_seconds(
        requests.origin_lat, requests.origin_lng, requests.dest_lat, requests.dest_lng
    )
    assert error < 0.85 * np.abs(base - took).mean()
    assert 0.78 <= ((took >= low) & (took <= high)).mean() <= 0.83


def test_a_closed_bridge_is_news_to_the_model(model: EtaModel) -> None:
    city = City(closed_bridge="north")
    requests = city.simulate(3000, seed=20_002).trips.requests
    crossing = (requests.origin_lng < -122.33) != (requests.dest_lng < -122.33)
    took = city.travel_seconds(requests, seed=1)
    outputs = [one.output for one in model.predict(as_inputs(requests))]
    inside = np.array(
        [
            o["eta_low_seconds"] <= t <= o["eta_high_seconds"]
            for o, t in zip(outputs, took, strict=True)
        ]
    )
    assert inside[~crossing].mean() > 0.75
    assert inside[crossing].mean() < 0.7


def as_inputs(requests: Requests) -> list[dict[str, Any]]:
    names = {code: name for name, code in KINDS.items()}
    return [
        {
            "origin_lat": float(requests.origin_lat[i]),
            "origin_lng": float(requests.origin_lng[i]),
            "dest_lat": float(requests.dest_lat[i]),
            "dest_lng": float(requests.dest_lng[i]),
            "kind": names[int(requests.kind[i])],
            "requested_at": datetime.fromtimestamp(requests.requested_at[i], UTC).isoformat(),
        }
        for i in range(len(requests))
    ]


# -- the artefact ----------------------------------------------------------------------------


def test_the_committed_metrics_meet_the_targets() -> None:
    scores = read_metrics()["scores"]
    for name in ("held_out_weeks", "held_out_zones"):
        found = scores[name]
        assert found["n"] >= 2000
        assert found["mae_model"] <= 1.05 * found["mae_irreducible"]
        assert found["mae_model"] < found["mae_linear"] < found["mae_closed_form"]
        assert 78 <= found["coverage_percent"] <= 83


def test_the_documented_table_is_that_of_the_artefact() -> None:
    document = (Path(__file__).parents[2] / "docs/explanation/eta-model.md").read_text()
    scores = read_metrics()["scores"].values()
    for label, field, digits in (
        ("trips", "n", "d"),
        ("closed form", "mae_closed_form", ".2f"),
        ("**model**", "mae_model", ".2f"),
        ("irreducible", "mae_irreducible", ".2f"),
        ("model above irreducible", "above_percent", ".2f"),
        ("80 % interval covers", "coverage_percent", ".2f"),
        ("interval's mean width, s", "mean_width_seconds", ".1f"),
    ):
        row = next(line for line in document.splitlines() if line.startswith(f"| {label} |"))
        cells = [cell.strip(" *%") for cell in row.split("|")[2:4]]
        assert cells == [format(found[field], digits) for found in scores], label


def test_the_committed_artefact_is_small_and_alone() -> None:
    files = [path for path in ARTEFACTS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 1_000_000
    assert {path.parent.name for path in files} == {"eta", EtaModel().version}


def test_the_version_is_that_of_the_current_artefact(model: EtaModel) -> None:
    assert model.version == (ARTEFACTS / "current").read_text().strip()


def _append(name: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        with (folder / name).open("a") as file:
            file.write("\n")

    return damage


def _widen(folder: Path) -> None:
    path = folder / "metrics.json"
    metrics = json.loads(path.read_text())
    metrics["served"]["calibration"]["high"] += 0.1
    path.write_text(json.dumps(metrics))


def _truncate(folder: Path) -> None:
    path = folder / "metrics.json"
    path.write_text(path.read_text()[:100])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_append("median.txt"), r"median\.txt does not match its sha256; run `rowcast train eta`"),
        (_append("high.txt"), r"high\.txt does not match its sha256"),
        (lambda folder: (folder / "low.txt").unlink(), r"low\.txt cannot be read"),
        (_widen, r"metrics\.json does not match its sha256"),
        (_truncate, r"metrics\.json cannot be read"),
        (lambda folder: (folder.parent / "current").unlink(), r"current cannot be read.*rowcast"),
    ],
)
def test_a_damaged_artefact_is_refused_by_name(
    tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    root = tmp_path / "eta"
    shutil.copytree(ARTEFACTS, root)
    assert EtaModel(root).version
    damage(root / (ARTEFACTS / "current").read_text().strip())
    with pytest.raises(ArtefactError, match=message):
        EtaModel(root)


def test_the_domain_leaves_stray_points_aside() -> None:
    requests = City().simulate(2000, seed=1).trips.requests
    stray = requests.take(list(range(2000)))
    stray.origin_lat[0] = stray.origin_lng[0] = 0.0
    domain = Domain.of(stray)
    assert domain.south > 37
    assert not domain.holds(stray)[0]
    assert domain.holds(stray)[1:].mean() > 0.99
