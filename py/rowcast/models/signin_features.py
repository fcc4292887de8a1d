"""What the sign-in model reads; each feature grows with suspicion, and none knows the future.

Training and serving both call `matrix`. A place, device or address that is not known says
nothing: its features are then 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rowcast.models.eta_closed_form import haversine_m

if TYPE_CHECKING:
    from rowcast.models.eta_closed_form import Floats
    from rowcast.models.signin_history import Contexts, Flags, Numbers

# Feature: the edges at which it may gain points. The names are the reasons that people are given.
_SURPRISE = (0.1, 1, 1.5, 2, 2.5, 3, 3.5)
_KM = (60, 150, 300, 600, 1000, 2000, 4000, 7000)
EDGES: dict[str, tuple[float, ...]] = {
    "fast_travel": (50, 100, 200, 350, 500, 700, 900, 2000),  # km/h since the last success
    "unusual_travel": _SURPRISE,  # surprise at a journey of more than 500 km/h
    "soon_elsewhere": (0.5, 1, 2, 4, 8, 24),  # 24 h / hours since a success from another address
    "far_from_home": _KM,  # km to the nearest place with a tenth of the past
    "far_from_seen": (1, *_KM),  # km to the nearest place seen
    "unusual_distance": _SURPRISE,  # surprise at being half as far from the usual place
    "new_place": _SURPRISE,
    "new_device": (*_SURPRISE, 4),
    "new_address": _SURPRISE,
    "everything_new": _SURPRISE,  # the least of the three
    "seldom_place": _SURPRISE,  # -log of its share of the past, known or new
    "seldom_device": (*_SURPRISE, 4),
    "seldom_address": _SURPRISE,
    "lonely_address": (1, 2),  # new to everybody; 2: at a new place too
    "lonely_travel": _SURPRISE,  # unusual travel to a lonely address
    "odd_hour": (-0.5, 0, 0.4, 0.8, 1.2, 1.6, 2, 2.5, 3),  # -log of its density over the mean
    "failures_here": (1, 2, 3, 6),
    "failures_elsewhere": (1, 2, 3, 6),
    "address_tries_many": (1, 2, 4, 8),  # other people who failed from this address in a day
    "long_away": (14, 30, 60, 120),  # days since the last success
    "unknown_place": (1,),
    "scripted_client": (1,),  # a tool without a browser that the person has not used
}  # fmt: skip
FEATURES = tuple(EDGES)

_CHUNK = 4096
_SLACK_KM = 100.0  # two cells, and what networks get wrong
_LEAST_HOURS = 0.25
_LEAST_DAYS = 1 / 480
_NEAR_KM = 150.0
_FAST = 500.0
_HOME_SHARE = 0.1
_KAPPA = 6.5  # of the hours' kernel: a spread of about an hour and a half
_PRIOR = 2.0  # sign-ins at any hour that everybody is given in advance
_DAY = 86400.0


def matrix(contexts: Contexts) -> Floats:
    """Shape (n, len(FEATURES)); every value is finite."""
    starts = range(0, len(contexts), _CHUNK)
    parts = [_chunk(contexts.take(slice(start, start + _CHUNK))) for start in starts]
    return np.concatenate(parts) if parts else np.empty((0, len(FEATURES)))


def _chunk(c: Contexts) -> Floats:
    there = ~np.isnan(c.past_at)
    placed = there & ~np.isnan(c.past_lat) & ~np.isnan(c.lat)[:, None]
    km = np.where(placed, haversine_m(c.lat[:, None], c.lng[:, None], *_filled(c, placed)), 0) / 1e3
    device = np.where(c.device_known, _surprise(c.past_device), 0)
    address = np.where(c.address_known, _surprise(c.past_address), 0)
    places = _place_codes(c, placed)
    place = _surprise(places)
    lonely = (address > 0) & (c.address_shared == 0)
    speed = _speed(c, km, placed)
    unusual = np.where(speed > _FAST, _rarity_of_jumps(c, placed), 0)
    columns = {
        "fast_travel": speed,
        "unusual_travel": unusual,
        "soon_elsewhere": _soon_elsewhere(c, there),
        "far_from_home": _least(km, placed & _homes(c, placed)),
        "far_from_seen": _least(km, placed),
        "unusual_distance": _unusual_distance(c, places, placed),
        "new_place": place,
        "new_device": device,
        "new_address": address,
        "everything_new": np.minimum(np.minimum(device, address), place),
        "seldom_place": _rarity(places),
        "seldom_device": np.where(c.device_known, _rarity(c.past_device), 0),
        "seldom_address": np.where(c.address_known, _rarity(c.past_address), 0),
        "lonely_address": lonely * (1.0 + (place > 0)),
        "lonely_travel": lonely * unusual,
        "odd_hour": _odd_hour(c, there),
        "failures_here": c.failures_here,
        "failures_elsewhere": c.failures_elsewhere,
        "address_tries_many": c.address_tried,
        "long_away": _days_since(c, there),
        "unknown_place": np.isnan(c.lat) * 1.0,
        "scripted_client": (c.scripted & (device > 0)) * 1.0,
    }
    return np.stack([columns[name] for name in FEATURES], axis=1)


def _place_codes(c: Contexts, placed: Flags) -> Numbers:
    """Codes of the past's places as of its devices: 0 is this one, -1 is not known."""
    lat, lng = _filled(c, placed)
    cell = (1 + np.round((lat + 90) * 4) * 1441 + np.round((lng + 180) * 4)).astype(np.int64)
    here = (lat == c.lat[:, None]) & (lng == c.lng[:, None])
    return np.asarray(np.where(placed, np.where(here, 0, cell), -1))


def _filled(c: Contexts, placed: Flags) -> tuple[Floats, Floats]:
    return np.where(placed, c.past_lat, 0.0), np.where(placed, c.past_lng, 0.0)


def _surprise(codes: Numbers) -> Floats:
    """-log of how often something new came in the past, where this is new; 0 where it is not.

    Whoever signs in from a new address every other time surprises nobody with one more.
    """
    known = codes >= 0
    n = known.sum(axis=1)
    ordered = np.sort(codes, axis=1)
    distinct = 1 + (np.diff(ordered, axis=1) > 0).sum(axis=1) - (ordered[:, 0] < 0)
    new = (n > 0) & ~(codes == 0).any(axis=1)
    share = (np.maximum(distinct, 1) - 0.5) / (n + 1.0)
    return np.asarray(np.where(new, -np.log(share), 0.0))


def _rarity(codes: Numbers) -> Floats:
    """-log of this one's share of the past: a friend's computer is known and yet seldom."""
    n = (codes >= 0).sum(axis=1)
    share = ((codes == 0).sum(axis=1) + 0.5) / (n + 1.0)
    return np.asarray(np.where(n > 0, -np.log(share), 0.0))


def _unusual_distance(c: Contexts, places: Numbers, placed: Flags) -> Floats:
    """-log of how often the person was at least half as far from the place most often seen."""
    lat, lng = _filled(c, placed)
    same = (places[:, :, None] == places[:, None, :]) & placed[:, None, :] & placed[:, :, None]
    usual, rows = same.sum(axis=2).argmax(axis=1), np.arange(len(c))
    at = (lat[rows, usual], lng[rows, usual])
    here = np.nan_to_num(c.lat), np.nan_to_num(c.lng)
    km = np.where(placed.any(axis=1), haversine_m(*here, *at) / 1e3, 0.0)
    past_km = haversine_m(lat, lng, at[0][:, None], at[1][:, None]) / 1e3
    as_far = (placed & (past_km >= km[:, None] / 2)).sum(axis=1)
    surprise = -np.log((as_far + 0.5) / (placed.sum(axis=1) + 1.0))
    return np.asarray(np.where(km > _NEAR_KM, surprise, 0.0))


def _soon_elsewhere(c: Contexts, there: Flags) -> Floats:
    """A day over the time since the last success, where that came from another known address."""
    other = there[:, 0] & c.address_known & (c.past_address[:, 0] > 0)
    days = (c.at - np.where(other, c.past_at[:, 0], -np.inf)) / _DAY
    return np.asarray(np.where(other, 1 / np.maximum(days, _LEAST_DAYS), 0.0))


def _rarity_of_jumps(c: Contexts, placed: Flags) -> Floats:
    """-log of how often the person went faster than an aeroplane before, as a VPN makes one."""
    lat, lng = _filled(c, placed)
    both = placed[:, 1:] & placed[:, :-1]
    km = haversine_m(lat[:, 1:], lng[:, 1:], lat[:, :-1], lng[:, :-1]) / 1e3
    hours = np.where(both, c.past_at[:, :-1] - c.past_at[:, 1:], 0.0) / 3600
    fast = both & (np.maximum(km - _SLACK_KM, 0) / np.maximum(hours, _LEAST_HOURS) > _FAST)
    return np.asarray(-np.log((fast.sum(axis=1) + 0.5) / (both.sum(axis=1) + 1.0)))


def _speed(c: Contexts, km: Floats, placed: Flags) -> Floats:
    """km/h from the newest success whose place is known, after some slack."""
    last = placed.argmax(axis=1)
    rows = np.arange(len(c))
    at = np.where(placed.any(axis=1), c.past_at[rows, last], -np.inf)
    hours = np.maximum((c.at - at) / 3600, _LEAST_HOURS)
    return np.asarray(np.maximum(km[rows, last] - _SLACK_KM, 0) / hours)


def _homes(c: Contexts, placed: Flags) -> Flags:
    """Which past places are home: a tenth of the past was there, and not only once."""
    lat, lng = _filled(c, placed)
    same = (lat[:, :, None] == lat[:, None, :]) & (lng[:, :, None] == lng[:, None, :])
    count = (same & placed[:, None, :]).sum(axis=2)
    n = placed.sum(axis=1)[:, None]
    return np.asarray((count >= _HOME_SHARE * n) & ((count > 1) | (n < 5)))


def _least(km: Floats, among: Flags) -> Floats:
    least = np.where(among, km, np.inf).min(axis=1)
    return np.asarray(np.where(np.isfinite(least), least, 0.0))


def _odd_hour(c: Contexts, there: Flags) -> Floats:
    apart = 2 * np.pi * (np.where(there, c.past_at, 0.0) - c.at[:, None]) / _DAY
    kernel = np.where(there, np.exp(_KAPPA * np.cos(apart)) / np.i0(_KAPPA), 0.0).sum(axis=1)
    return np.asarray(-np.log((kernel + _PRIOR) / (there.sum(axis=1) + _PRIOR)))


def _days_since(c: Contexts, there: Flags) -> Floats:
    return np.asarray(
        np.where(there[:, 0], (c.at - np.where(there[:, 0], c.past_at[:, 0], 0)) / _DAY, 0.0)
    )
