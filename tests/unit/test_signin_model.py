"""The sign-in model: more to worry about never lowers the risk, and the future changes nothing."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rowcast.models.base import InputError
from rowcast.models.eta_artefact import ArtefactError
from rowcast.models.signin import SignInModel, parse
from rowcast.models.signin_artefact import ARTEFACTS, load, read_metrics
from rowcast.models.signin_features import EDGES, FEATURES, matrix

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_750_000_000
DAY = 86400
HOME, AWAY = (52.75, 13.25), (-23.75, -46.75)
PLAIN: dict[str, Any] = {
    "at": NOW,
    "lat": HOME[0],
    "lng": HOME[1],
    "scripted": False,
    "device_known": True,
    "address_known": True,
    "failures_here": 0,
    "failures_elsewhere": 0,
    "address_tried": 0,
    "address_shared": 0,
    "past": {
        "at": [NOW - DAY * n for n in range(1, 31)],
        "lat": [HOME[0]] * 30,
        "lng": [HOME[1]] * 30,
        "device": [0] * 30,
        "address": [0] * 30,
    },
}
STRANGER = {
    **PLAIN,
    "lat": AWAY[0],
    "lng": AWAY[1],
    "past": {**PLAIN["past"], "device": [1] * 30, "address": [1] * 30},
}


def feature(name: str, item: dict[str, Any]) -> float:
    return float(matrix(parse([item]))[0, FEATURES.index(name)])


def risk(item: dict[str, Any]) -> float:
    return float(SignInModel().predict([item])[0].output["risk"])


# Features


def test_a_usual_sign_in_raises_nothing() -> None:
    features = matrix(parse([PLAIN]))[0]
    found = {name: value for name, value in zip(FEATURES, features, strict=True) if value > 0.1}
    assert found == {"long_away": 1.0}
    assert risk(PLAIN) < 0.01


def test_the_speed_is_that_from_the_last_known_place() -> None:
    past = {**PLAIN["past"], "at": [NOW - 7200, *PLAIN["past"]["at"][1:]]}
    near = feature("fast_travel", {**STRANGER, "past": past})
    assert near == pytest.approx((10220 - 100) / 2, rel=0.02)
    unknown = {**past, "lat": [None, *past["lat"][1:]], "lng": [None, *past["lng"][1:]]}
    since = feature("fast_travel", {**STRANGER, "past": unknown})
    assert since == pytest.approx((10220 - 100) / 48, rel=0.02)


def test_a_habit_is_less_of_a_surprise() -> None:
    always_new = {**STRANGER["past"], "address": list(range(1, 31))}
    assert feature("new_address", STRANGER) > 3
    assert feature("new_address", {**STRANGER, "past": always_new}) < 0.1


def test_a_device_seen_once_is_known_and_still_seldom() -> None:
    friends = {**PLAIN, "past": {**PLAIN["past"], "device": [1] * 14 + [0] + [1] * 15}}
    assert feature("new_device", friends) == 0
    assert feature("seldom_device", friends) == pytest.approx(math.log(31 / 1.5))
    assert feature("seldom_device", PLAIN) < 0.1 < feature("seldom_device", STRANGER) - 3
    assert feature("seldom_device", {**STRANGER, "device_known": False}) == 0


def test_whoever_is_often_far_away_surprises_less() -> None:
    tokyo = {"lat": [35.75, 35.75, *[HOME[0]] * 28], "lng": [139.75, 139.75, *[HOME[1]] * 28]}
    abroad = {**STRANGER, "past": {**STRANGER["past"], **tokyo}}
    assert feature("unusual_distance", STRANGER) == pytest.approx(math.log(62))
    assert feature("unusual_distance", abroad) == pytest.approx(math.log(31 / 2.5))
    assert feature("unusual_distance", PLAIN) == 0


def test_two_addresses_within_the_hour_are_noticed() -> None:
    for hours, value in ((48, 0.5), (1, 24), (0, 480)):
        past = {k: v[:1] for k, v in STRANGER["past"].items()} | {"at": [NOW - 3600 * hours]}
        assert feature("soon_elsewhere", {**STRANGER, "past": past}) == pytest.approx(value)
        same = {**past, "address": [0]}
        assert feature("soon_elsewhere", {**STRANGER, "past": same}) == 0


def test_an_hour_is_odd_for_this_person_and_round_midnight() -> None:
    noon = {**PLAIN, "past": {**PLAIN["past"], "at": [NOW - DAY * n for n in range(1, 31)]}}
    assert feature("odd_hour", noon) < -1
    assert feature("odd_hour", {**noon, "at": NOW + DAY // 2}) > 1.5
    # 23:30 beside a past at 00:30: one hour apart, not twenty-three.
    midnight = NOW - NOW % DAY
    past = {**PLAIN["past"], "at": [midnight - DAY * n + 1800 for n in range(1, 31)]}
    assert feature("odd_hour", {**noon, "at": midnight - 1800, "past": past}) < -0.5


def test_a_home_is_where_a_tenth_of_the_past_was() -> None:
    once = {**STRANGER["past"], "lat": [AWAY[0], *[HOME[0]] * 29]}
    once["lng"] = [AWAY[1], *[HOME[1]] * 29]
    often = {**once, "lat": [AWAY[0]] * 10 + [HOME[0]] * 20, "lng": [AWAY[1]] * 10 + [HOME[1]] * 20}
    assert feature("far_from_home", {**STRANGER, "past": once}) > 9000
    assert feature("far_from_seen", {**STRANGER, "past": once}) == 0
    assert feature("far_from_home", {**STRANGER, "past": often}) == 0


def test_what_is_not_known_says_nothing() -> None:
    blank = {
        **STRANGER,
        "lat": None,
        "lng": None,
        "device_known": False,
        "address_known": False,
        "past": {},
    }
    features = matrix(parse([blank]))[0]
    assert {n for n, v in zip(FEATURES, features, strict=True) if v > 0} == {"unknown_place"}


# The law


def test_a_stranger_is_found_with_reasons() -> None:
    (answer,) = SignInModel().predict([STRANGER])
    assert answer.output["risk"] > load().alarm_from
    assert {"new_device", "seldom_device"} & set(answer.output["reasons"])
    assert len(answer.output["reasons"]) <= 4
    parts = answer.output["parts"]
    said = answer.output["risk"]
    total = load().card.intercept + sum(parts.values())
    assert math.log(said / (1 - said)) == pytest.approx(total, abs=1e-2)


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(0, 20), min_size=3, max_size=3),
    more=st.lists(st.integers(0, 20), min_size=3, max_size=3),
    hours=st.floats(0.1, 500),
    faster=st.floats(0.01, 1),
)
def test_more_failures_or_a_faster_journey_never_lower_the_risk(
    counts: list[int], more: list[int], hours: float, faster: float
) -> None:
    names = ("failures_here", "failures_elsewhere", "address_tried")
    worse = [a + b for a, b in zip(counts, more, strict=True)]
    assert risk({**STRANGER, **dict(zip(names, worse, strict=True))}) >= risk(
        {**STRANGER, **dict(zip(names, counts, strict=True))}
    )
    columns = np.zeros((2, len(FEATURES)))
    speed = 20000 / hours
    columns[:, FEATURES.index("fast_travel")] = [speed, speed / faster]
    slow, fast = load().card.risk(columns)
    assert fast >= slow


def test_no_point_is_negative() -> None:
    card = load().card
    assert all(p >= 0 for points in card.points.values() for p in points)
    assert {name: len(points) for name, points in card.points.items()} == {
        name: len(edges) for name, edges in EDGES.items()
    }


# Input


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"at": None}, "at is missing"),
        ({"at": True}, "at is missing"),
        ({"at": math.nan}, "at is not between"),
        ({"lat": 91, "lng": 0}, "lat is not between"),
        ({"lat": None, "lng": 1}, "lat is missing"),
        ({"failures_here": -1}, "failures_here is not between"),
        ({"address_tried": "3"}, "address_tried is missing"),
        ({"scripted": 1}, "scripted is not true or false"),
        ({"past": None}, "past is not an object"),
        ({"past": {"at": 3}}, "past is not an object of lists"),
        ({"past": {"at": [1]}}, "not of one length"),
        ({"past": {k: [0] * 51 for k in PLAIN["past"]}}, "at most 50"),
        ({"past": {**{k: [0] for k in PLAIN["past"]}, "device": [51]}}, "device is not between"),
    ],
)
def test_a_bad_item_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        SignInModel().predict([PLAIN, {**PLAIN, **change}])
    assert caught.value.index == 1


def test_a_batch_answers_as_its_items_do() -> None:
    together = SignInModel().predict([PLAIN, STRANGER] * 20)
    assert [p.output["risk"] for p in together] == [risk(PLAIN), risk(STRANGER)] * 20
    assert SignInModel().predict([]) == []


# The artefact


def test_a_damaged_artefact_is_refused(tmp_path: Path) -> None:
    version = read_metrics()["version"]
    document = json.loads((ARTEFACTS / version / "card.json").read_text())
    (tmp_path / version).mkdir()
    (tmp_path / "current").write_text(version)
    document["served"]["intercept"] += 1
    (tmp_path / version / "card.json").write_text(json.dumps(document))
    with pytest.raises(ArtefactError, match="sha256"):
        SignInModel(tmp_path)
    (tmp_path / version / "card.json").write_text("{")
    with pytest.raises(ArtefactError, match="cannot be read"):
        SignInModel(tmp_path)
    with pytest.raises(ArtefactError, match="train signin"):
        SignInModel(tmp_path / "none")
