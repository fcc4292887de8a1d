"""A city whose law of travel times is known, down to the noise.

Two halves of a city lie on the shores of a bay that two bridges cross. A trip's median time is

    access + handling(kind) + sum over the path of
        length * circuity(zone) * pace(zone) * wet * (1 + 0.15 * (volume / capacity) ** 4)

(the last factor is the volume-delay function of the US Bureau of Public Roads, 1964), and the
trip takes that median times exp(sigma * N(0, 1)). Volume follows the local hour of the week, the
zone and the direction over a bridge. Rain and stadium events slow the city too, but no row tells
of them: an oracle that knows the law and only the row has to integrate over them. It can, in
closed form, and its error is the least that any model can reach.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rowcast.models.eta_features import KINDS, Requests, local_hour_of_week
from rowcast.models.eta_trips import Trips
from rowcast.sim.lognormal import mixture_absolute_error, mixture_median

if TYPE_CHECKING:
    from rowcast.models.eta_closed_form import Floats

Flags = NDArray[np.bool_]

CENTRE = (37.7749, -122.4194)
TIMEZONE = "America/Los_Angeles"
FIRST_MONDAY = 1757314800.0  # 2025-09-08 00:00 in TIMEZONE; summer time ends eight weeks later
WEEK = 7 * 86400.0

_METRES_PER_DEGREE = 111195.08
_WEST, _EAST, _SOUTH, _NORTH = -9000.0, 15000.0, -9000.0, 9000.0
_SHORES = (6000.0, 9000.0)
_BRIDGES = {"north": 4000.0, "south": -5000.0}
_STADIUM = (-2000.0, 1500.0)
_ZONE = 1500.0
_STEPS = 6
# x, y, spread in metres, share of the trips' ends; what is left falls anywhere on land.
_HUBS = ((0, 0, 1800, 0.25), (-4000, -5000, 1200, 0.1), (2000, -8000, 700, 0.08),
         (11000, 1000, 1500, 0.12))  # fmt: skip


@dataclass(frozen=True)
class SimulatedTrips:
    """Trips with what only the simulator knows about them."""

    trips: Trips
    rain: Flags
    event: Flags


@dataclass(frozen=True)
class City:
    """One world. Equal fields give an equal city; `closed_bridge` makes it an adversarial one."""

    seed: int = 7
    sigma: float = 0.2
    rain_share: float = 0.12
    rain_spell_hours: float = 6.0
    event_share: float = 0.35
    closed_bridge: str | None = None

    def __post_init__(self) -> None:
        if self.closed_bridge is not None and self.closed_bridge not in _BRIDGES:
            raise ValueError(f"no bridge {self.closed_bridge!r}; there are: {', '.join(_BRIDGES)}")

    # -- the law -----------------------------------------------------------------------------

    def median_seconds(self, requests: Requests, rain: Flags, event: Flags) -> Floats:
        """The median travel time for someone who also knows of rain and events."""
        hour = local_hour_of_week(requests.requested_at, TIMEZONE)
        start, end = _metres(requests.origin_lat, requests.origin_lng), _metres(
            requests.dest_lat, requests.dest_lng
        )  # fmt: skip
        route = self._route(start, end)
        streets = self._street_seconds(route.points, route.steps, hour, rain, event)
        bridge = self._bridge_seconds(route, hour, rain)
        handling = np.where(requests.kind == KINDS["parcel"], 150.0, 0.0)
        return np.asarray(75.0 + handling + streets + bridge)

    def oracle_median(self, requests: Requests) -> Floats:
        """The median for someone who knows the law and the row, not the weather or the events."""
        medians, weights = self._mixture(requests)
        return mixture_median(medians, weights, self.sigma)

    def oracle_absolute_error(self, requests: Requests) -> Floats:
        """The expected error of `oracle_median`, per request: the irreducible error."""
        medians, weights = self._mixture(requests)
        guess = mixture_median(medians, weights, self.sigma)
        return mixture_absolute_error(guess, medians, weights, self.sigma)

    def travel_seconds(self, requests: Requests, *, seed: int) -> Floats:
        """What single trips take in weather and evenings drawn for each of them apart."""
        rng, n = np.random.default_rng(seed), len(requests)
        hour = local_hour_of_week(requests.requested_at, TIMEZONE)
        rain = rng.random(n) < self.rain_share
        event = _event_hours(hour) & (rng.random(n) < self.event_share)
        noise = np.exp(self.sigma * rng.standard_normal(n))
        return self.median_seconds(requests, rain, event) * noise

    def _mixture(self, requests: Requests) -> tuple[Floats, Floats]:
        """Medians and weights of the four weathers, each of shape (4, n)."""
        n = len(requests)
        hour = local_hour_of_week(requests.requested_at, TIMEZONE)
        event_share = np.where(_event_hours(hour), self.event_share, 0.0)
        medians, weights = [], []
        for rain, event in product((False, True), repeat=2):
            medians.append(self.median_seconds(requests, np.full(n, rain), np.full(n, event)))
            wet = self.rain_share if rain else 1 - self.rain_share
            weights.append(wet * (event_share if event else 1 - event_share))
        return np.stack(medians), np.stack(weights)

    # -- space -------------------------------------------------------------------------------

    @cached_property
    def _zone_noise(self) -> Floats:
        """What makes a zone differ from its neighbours: pace and circuity, shape (2, x, y)."""
        shape = (2, int((_EAST - _WEST) / _ZONE), int((_NORTH - _SOUTH) / _ZONE))
        return np.random.default_rng(self.seed).normal(0.0, 0.06, shape)

    def _zones(self, points: Floats) -> tuple[Floats, Floats]:
        """Centres of the zones that hold the points, and their noise (2, ...)."""
        noise = self._zone_noise
        x = np.clip(((points[..., 0] - _WEST) // _ZONE).astype(int), 0, noise.shape[1] - 1)
        y = np.clip(((points[..., 1] - _SOUTH) // _ZONE).astype(int), 0, noise.shape[2] - 1)
        centres = np.stack([_WEST + (x + 0.5) * _ZONE, _SOUTH + (y + 0.5) * _ZONE], axis=-1)
        return centres, noise[:, x, y]

    def _route(self, start: Floats, end: Floats) -> Route:
        """Straight on one shore; over the bridge that makes the way shortest otherwise."""
        crossing = _east(start) != _east(end)
        middle = (start + end) / 2
        leave, arrive, best = middle.copy(), middle.copy(), np.full(len(start), np.inf)
        for name, y in _BRIDGES.items():
            if name == self.closed_bridge:
                continue
            near, far = _bridge_ends(start, y)
            length = _distance(start, near) + _distance(far, end)
            use = crossing & (length < best)
            leave[use], arrive[use], best[use] = near[use], far[use], length[use]
        share = ((np.arange(_STEPS) + 0.5) / _STEPS)[None, :, None]
        first = start[:, None] + share * (leave - start)[:, None]
        second = arrive[:, None] + share * (end - arrive)[:, None]
        steps = np.stack([_distance(start, leave), _distance(arrive, end)], axis=1) / _STEPS
        return Route(
            np.concatenate([first, second], axis=1), steps.repeat(_STEPS, axis=1), crossing,
            _east(end),
        )  # fmt: skip

    # -- time --------------------------------------------------------------------------------

    def _street_seconds(
        self, points: Floats, steps: Floats, hour: Floats, rain: Flags, event: Flags
    ) -> Floats:
        centres, (pace_noise, circuity_noise) = self._zones(points)
        x, y = centres[..., 0], centres[..., 1]
        from_centre = np.hypot(np.where(x > _SHORES[0], x - 11000, x), y - 500)
        speed = (7 + 8 * (1 - np.exp(-from_centre / 5000))) * np.exp(pace_noise)
        hills = np.exp(-(((x + 5000) / 3000) ** 2) - ((y - 2000) / 4000) ** 2)
        circuity = (1.2 + 0.3 * hills) * np.exp(circuity_noise / 2)
        crowding = 0.75 + 0.6 * np.exp(-from_centre / 4000)
        near_stadium = np.hypot(x - _STADIUM[0], y - _STADIUM[1]) < 3000
        load = demand(hour)[:, None] * crowding * np.where(rain, 1.06, 1.0)[:, None]
        load = load * np.where(event[:, None] & near_stadium, 1.35, 1.0)
        wet = np.where(rain, 1.1, 1.0)[:, None]
        return np.asarray((steps * circuity / speed * wet * _delay(load)).sum(axis=1))

    def _bridge_seconds(self, route: Route, hour: Floats, rain: Flags) -> Floats:
        """Three kilometres, crowded towards the west in the morning, towards the east at night."""
        peak = np.where(route.eastward, _bump(hour % 24, 17.5, 1.8), _bump(hour % 24, 8.3, 1.5))
        load = 0.6 + np.where(hour < 120, 1.0, 0.35) * peak
        load = load * (1.25 if self.closed_bridge else 1.0)
        seconds = (_SHORES[1] - _SHORES[0]) / 20 * np.where(rain, 1.1, 1.0) * _delay(load)
        return np.asarray(np.where(route.crossing, seconds, 0.0))

    # -- samples -----------------------------------------------------------------------------

    def simulate(self, n: int, *, seed: int, weeks: int = 12) -> SimulatedTrips:
        """`n` trips over whole weeks from `FIRST_MONDAY`, in the order of their requests."""
        rng = np.random.default_rng(seed)
        hours = FIRST_MONDAY + 3600 * np.arange(weeks * 168, dtype=np.float64)
        raining, events = self._weather(rng, hours)
        busy = demand(local_hour_of_week(hours, TIMEZONE))
        hour = np.sort(rng.choice(len(hours), n, p=busy / busy.sum()))
        start = _places(rng, n)
        requests = Requests(
            *_degrees(start),
            *_degrees(_destinations(rng, start)),
            requested_at=hours[hour] + rng.uniform(0, 3600, n).round(),
            kind=np.where(rng.random(n) < 0.25, KINDS["parcel"], KINDS["ride"]).astype(np.int8),
        )
        order = np.argsort(requests.requested_at, kind="stable")
        requests, hour = requests.take(order), hour[order]
        median = self.median_seconds(requests, raining[hour], events[hour])
        seconds = median * np.exp(self.sigma * rng.standard_normal(n))
        return SimulatedTrips(Trips(requests, seconds), raining[hour], events[hour])

    def _weather(self, rng: np.random.Generator, hours: Floats) -> tuple[Flags, Flags]:
        """Rain in spells, by the hour; events on some evenings at the end of the week."""
        stop = 1 / self.rain_spell_hours
        begin = stop * self.rain_share / (1 - self.rain_share)
        draws = rng.random(len(hours))
        raining = np.zeros(len(hours), dtype=np.bool_)
        wet = bool(draws[0] < self.rain_share)
        for i, draw in enumerate(draws):
            raining[i] = wet
            wet = bool(draw >= stop) if wet else bool(draw < begin)
        local = local_hour_of_week(hours, TIMEZONE)
        evenings = rng.random(len(hours) // 24 + 2) < self.event_share
        day = np.cumsum(np.diff(local // 24, prepend=local[0] // 24) != 0)
        return raining, evenings[day] & _event_hours(local)


@dataclass(frozen=True, slots=True)
class Route:
    """Points along the streets (n, steps, 2), metres per step (n, steps), and the crossing."""

    points: Floats
    steps: Floats
    crossing: Flags
    eastward: Flags


def demand(hour_of_week: Floats) -> Floats:
    """The city's volume by local hour of the week, 1 where streets are at their capacity."""
    hour = hour_of_week % 24
    weekday = 0.4 + 0.5 * _bump(hour, 8.3, 1.5) + 0.6 * _bump(hour, 17.5, 1.8)
    weekday = weekday + 0.2 * _bump(hour, 13.0, 3.0)
    weekend = 0.4 + 0.4 * _bump(hour, 14.0, 3.5) + 0.15 * _bump(hour, 21.0, 1.8)
    awake = 1 - 0.55 * _bump(hour, 3.5, 2.2)
    return np.asarray(np.where(hour_of_week < 120, weekday, weekend) * awake)


def _bump(hour: Floats, at: float, width: float) -> Floats:
    apart = (hour - at + 12) % 24 - 12
    return np.asarray(np.exp(-0.5 * (apart / width) ** 2))


def _delay(load: Floats) -> Floats:
    return np.asarray(1 + 0.15 * load**4)


def _event_hours(hour_of_week: Floats) -> Flags:
    """Friday to Sunday, 17:00 to 22:00."""
    hour = hour_of_week % 24
    return np.asarray((hour_of_week >= 96) & (hour >= 17) & (hour < 22))


def _metres(lat: Floats, lng: Floats) -> Floats:
    east = (lng - CENTRE[1]) * _METRES_PER_DEGREE * np.cos(np.radians(CENTRE[0]))
    return np.stack([east, (lat - CENTRE[0]) * _METRES_PER_DEGREE], axis=-1)


def _degrees(points: Floats) -> tuple[Floats, Floats]:
    lat = CENTRE[0] + points[:, 1] / _METRES_PER_DEGREE
    lng = CENTRE[1] + points[:, 0] / (_METRES_PER_DEGREE * np.cos(np.radians(CENTRE[0])))
    return lat, lng


def _distance(a: Floats, b: Floats) -> Floats:
    return np.asarray(np.hypot(a[:, 0] - b[:, 0], a[:, 1] - b[:, 1]))


def _east(points: Floats) -> Flags:
    return np.asarray(points[:, 0] > sum(_SHORES) / 2)


def _bridge_ends(start: Floats, y: float) -> tuple[Floats, Floats]:
    """The bridge's end on the side of each start, and the other one."""
    near = np.where(_east(start), _SHORES[1], _SHORES[0])
    return tuple(np.stack([x, np.full(len(x), y)], axis=-1) for x in (near, sum(_SHORES) - near))  # type: ignore[return-value]


def _on_land(points: Floats) -> Flags:
    x, y = points[:, 0], points[:, 1]
    inside = (x >= _WEST) & (x <= _EAST) & (y >= _SOUTH) & (y <= _NORTH)
    return np.asarray(inside & ~((x > _SHORES[0]) & (x < _SHORES[1])))


def _places(rng: np.random.Generator, n: int) -> Floats:
    """Ends of trips: around the hubs or anywhere, on land."""
    shares = np.array([hub[3] for hub in _HUBS])
    hubs = np.array([hub[:3] for hub in _HUBS], dtype=np.float64)
    points, missing = np.zeros((n, 2)), np.ones(n, dtype=np.bool_)
    while missing.any():
        m = int(missing.sum())
        which = rng.choice(len(_HUBS) + 1, m, p=[*shares, 1 - shares.sum()])
        anywhere = rng.uniform((_WEST, _SOUTH), (_EAST, _NORTH), (m, 2))
        hub = hubs[np.minimum(which, len(_HUBS) - 1)]
        near = hub[:, :2] + hub[:, 2:] * rng.standard_normal((m, 2))
        points[missing] = np.where((which < len(_HUBS))[:, None], near, anywhere)
        missing[missing] = ~_on_land(points[missing])
    return points


def _destinations(rng: np.random.Generator, start: Floats) -> Floats:
    """Two in five trips stay in the neighbourhood; none is shorter than 300 m."""
    n = len(start)
    end, missing = np.zeros((n, 2)), np.ones(n, dtype=np.bool_)
    local = rng.random(n) < 0.4
    while missing.any():
        m = int(missing.sum())
        near = start[missing] + 2500 * rng.standard_normal((m, 2))
        end[missing] = np.where(local[missing][:, None], near, _places(rng, m))
        good = _on_land(end[missing]) & (_distance(start[missing], end[missing]) >= 300)
        missing[missing] = ~good
    return end
