"""The sign-in model: how likely it is that somebody else signed in, and why.

Input, per item, as `private.sign_in_input` makes it: `at`, seconds since 1970; `lat` and `lng`,
degrees, or null; `scripted`, `device_known`, `address_known`, booleans; `failures_here`,
`failures_elsewhere`, `address_tried`, `address_shared`, counts; `past`, the columns `at, lat, lng,
device, address` of up to 50 earlier sign-ins, newest first. Devices and addresses are codes: 0 is
this sign-in's own, equal ones are equal, -1 is not known.

Output, per item: `risk`, a probability given the share of attacks in training; `reasons`, up to
four parts that at least double the odds, the strongest first; `parts`, all points that were given,
in log-odds. The parts and the card's intercept add up to the risk's log-odds.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit

from rowcast.models.base import InputError, Prediction
from rowcast.models.signin_artefact import ARTEFACTS, load
from rowcast.models.signin_features import FEATURES, matrix
from rowcast.models.signin_history import HISTORY, Contexts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from rowcast.models.eta_closed_form import Floats

_PAST = ("at", "lat", "lng", "device", "address")
_COUNTS = ("failures_here", "failures_elsewhere", "address_tried", "address_shared")
_FLAGS = ("scripted", "device_known", "address_known")
_LATEST, _MOST = 1e11, 1e9
_REASONS, _DOUBLE = 4, math.log(2)


class SignInModel:
    """Answers from the artefact under `root`."""

    name = "signin"

    def __init__(self, root: Path = ARTEFACTS) -> None:
        """Raises `ArtefactError` when there is no sound artefact."""
        self._artefact = load(root)
        self.version = self._artefact.version

    def predict(self, inputs: Sequence[Mapping[str, Any]]) -> list[Prediction]:
        """One prediction per input, same order; raises `InputError` with the bad item's index."""
        if not inputs:
            return []
        card = self._artefact.card
        parts = card.parts(matrix(parse(inputs)))
        risks = expit(card.intercept + parts.sum(axis=1))
        return [
            Prediction({"risk": round(float(risk), 6), **_explain(row)})
            for risk, row in zip(risks, parts, strict=True)
        ]


def _explain(points: Floats) -> dict[str, Any]:
    order = np.argsort(-points, kind="stable")
    reasons = [FEATURES[i] for i in order[:_REASONS] if points[i] >= _DOUBLE]
    return {
        "reasons": reasons,
        "parts": {FEATURES[i]: round(float(points[i]), 4) for i in order if points[i] > 0},
    }


def parse(inputs: Sequence[Mapping[str, Any]]) -> Contexts:
    """The batch as columns; raises `InputError` for the first bad item."""
    n = len(inputs)
    past = {name: np.full((n, HISTORY), np.nan) for name in _PAST}
    singles = np.full((3 + len(_COUNTS), n), np.nan)
    flags = np.zeros((len(_FLAGS), n), dtype=np.bool_)
    for i, item in enumerate(inputs):
        singles[0, i] = _number(i, item, "at", 0, _LATEST)
        singles[1:3, i] = _place(i, item.get("lat"), item.get("lng"))
        for row, name in enumerate(_COUNTS):
            singles[3 + row, i] = _number(i, item, name, 0, _MOST)
        for row, name in enumerate(_FLAGS):
            flags[row, i] = _flag(i, item, name)
        _read_past(i, item.get("past"), past)
    scripted, device_known, address_known = flags
    at, lat, lng, here, elsewhere, tried, shared = singles
    device, address = (np.nan_to_num(past[k], nan=-1).astype(np.int64) for k in _PAST[3:])
    before = (past["at"], past["lat"], past["lng"], device, address)
    counts = (here, elsewhere, tried, shared)
    return Contexts(at, lat, lng, scripted, device_known, address_known, *counts, *before)


def _read_past(index: int, past: Any, columns: dict[str, Floats]) -> None:
    if not isinstance(past, dict) or not all(isinstance(v, list) for v in past.values()):
        raise InputError(index, "past is not an object of lists")
    lists = [past.get(name, []) for name in _PAST]
    if len({len(values) for values in lists}) != 1 or len(lists[0]) > HISTORY:
        raise InputError(index, f"past's lists are not of one length, at most {HISTORY}")
    for place, (at, lat, lng, device, address) in enumerate(zip(*lists, strict=True)):
        row = {"at": at, "device": device, "address": address}
        columns["at"][index, place] = _number(index, row, "at", 0, _LATEST)
        columns["lat"][index, place], columns["lng"][index, place] = _place(index, lat, lng)
        for name in _PAST[3:]:
            columns[name][index, place] = _number(index, row, name, -1, HISTORY)


def _place(index: int, lat: Any, lng: Any) -> tuple[float, float]:
    if lat is None and lng is None:
        return math.nan, math.nan
    row = {"lat": lat, "lng": lng}
    return _number(index, row, "lat", -90.5, 90.5), _number(index, row, "lng", -180.5, 180.5)


def _number(index: int, item: Mapping[str, Any], name: str, least: float, most: float) -> float:
    value = item.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InputError(index, f"{name} is missing or not a number")
    if not least <= value <= most:
        raise InputError(index, f"{name} is not between {least:g} and {most:g}")
    return float(value)


def _flag(index: int, item: Mapping[str, Any], name: str) -> bool:
    value = item.get(name)
    if not isinstance(value, bool):
        raise InputError(index, f"{name} is not true or false")
    return value
