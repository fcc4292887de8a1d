"""People who sign in, their troubles, and labelled attacks on their accounts.

The rates below were written down before anything was trained, and are not to be moved so that a
score looks better. Where a source is known it is named; the rest is a guess and says so.

- Networks place a person within 50 km in about four cases of five, worse on mobile carriers:
  the accuracy that vendors of such data publish by country.
- Shares of browsers: a long-tailed list in the spirit of StatCounter's.
- Phones last 33 months (trade figures of 2.5 to 3 years); one change in three is to another family.
- One person in four uses a VPN at times (surveys say 20 to 45 %, by country).
- One in eleven moves house in a year (US census: 8 to 9 %); one in six works in shifts (US BLS).
- Trips, breaks, typing errors and everything about attacks: guesses.

Attacks are about 1 % of the sign-ins, far more than any service sees, so that a score of a few
thousand people means something. What a model sees is `SignIns`; the truth is kept beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from rowcast.models.signin_history import SignIns, coarse

if TYPE_CHECKING:
    from numpy.random import Generator

    from rowcast.models.eta_closed_form import Floats

START = 1735689600.0  # 2025-01-01, UTC
DAY = 86400.0
KINDS = ("benign", "stuffing", "spraying", "residential proxy", "session theft", "insider")
ATTACK_SHARES = (0.5, 0.2, 0.15, 0.1, 0.05)

# What is left of a user agent without its versions; the last two are clients without a browser.
_DEVICE_SHARES = np.array([.27, .19, .17, .08, .06, .05, .04, .03, .03, .02, .015, .01, .01, .01,
                           .005, .005, .003, .002])  # fmt: skip
_SCRIPTED = (16, 17)
_SPOOFED = np.array(
    [0.55, 0.05, 0.1, 0.08, 0.04, 0.05, 0.03, 0.02, 0.02, 0.01, 0.01, 0.01, 0.01, 0.02]
)


@dataclass(frozen=True)
class Rates:
    """How often what happens; one world."""

    sign_ins_per_week: float = 3.0  # the median; people differ by a factor of two
    second_place: float = 0.35
    vpn_people: float = 0.25
    vpn_use: float = 0.25
    shift_workers: float = 0.16
    trips_per_year: float = 5.0
    moves_per_year: float = 0.09
    device_changes_per_year: float = 12 / 33
    device_change_shows: float = 1 / 3
    odd_device: float = 0.015  # another browser, a friend's computer
    breaks: float = 0.1
    typing_error: float = 0.08
    forgotten: float = 0.015
    knocking_per_week: float = 0.3  # failures by attackers who do not get in
    mobile: float = 0.4
    gateway: float = 0.2  # mobile sign-ins that seem to come from the carrier's gateway
    unknown_place: float = 0.03
    attacks: float = 0.01
    informed: bool = False  # attackers know the rule and keep clear of it
    attack_shares: tuple[float, ...] = ATTACK_SHARES
    foreign_device: float = 0.0  # password attackers who surely come with a device not the victim's


STANDARD = Rates()
# The attackers rent an address in the victim's city, sign in at the victim's hours, with what
# most people use, and have the right password at once.
INFORMED = replace(STANDARD, informed=True)
# A service whose people travel, hide and change far more than those that were trained on.
SHIFTED = replace(
    STANDARD, vpn_people=0.5, trips_per_year=15.0, gateway=0.4, unknown_place=0.12,
    shift_workers=0.35, odd_device=0.03, device_changes_per_year=0.8, typing_error=0.14,
    forgotten=0.03,
)  # fmt: skip
# Attackers are far away and bring their own device; next to nobody hides or lends one. Written down
# from that sentence before anything was run in it, and not moved since. By arithmetic nine in ten
# attacks and a few of the tenth bring a new device, and fewer than one in a hundred of the people.
REMOTE = replace(
    STANDARD, attack_shares=(0.70, 0.22, 0.03, 0.03, 0.02), foreign_device=0.9, vpn_people=0.02,
    gateway=0.05, odd_device=0.002,
)  # fmt: skip
WORLDS = {
    "standard": STANDARD,
    "mostly remote": REMOTE,
    "informed attackers": INFORMED,
    "other people": SHIFTED,
}


@dataclass(frozen=True)
class Simulated:
    """What a service would record, and what only the simulator knows."""

    sign_ins: SignIns
    kind: np.ndarray  # index into KINDS; failures carry the kind of whoever failed


@dataclass(frozen=True)
class World:
    """People of one seed under given rates. Equal fields give an equal world."""

    people: int = 3000
    weeks: int = 20
    seed: int = 1
    rates: Rates = STANDARD

    @cached_property
    def _cities(self) -> Floats:
        """Latitude, longitude of 120 cities on four continents; the first are the largest."""
        rng = np.random.default_rng(self.seed + 1000)
        boxes = np.array([[30, 48, -120, -75], [42, 56, -3, 25], [10, 30, 73, 105],
                          [-30, -5, -65, -40]], dtype=float)  # fmt: skip
        box = boxes[rng.choice(4, 120, p=[0.4, 0.35, 0.15, 0.1])]
        lat = rng.uniform(box[:, 0], box[:, 1])
        return np.stack([lat, rng.uniform(box[:, 2], box[:, 3])], axis=1)

    def simulate(self) -> Simulated:
        """All sign-ins, successes and failures, in the order of time."""
        rows = [_Person(self, number).live() for number in range(self.people)]
        parts = [np.concatenate(column) for column in zip(*rows, strict=True)]
        order = np.argsort(parts[1], kind="stable")
        person, at, ok, lat, lng, device, address, kind = (part[order] for part in parts)
        lat, lng = coarse(lat), coarse(lng)
        scripted = np.isin(device, _SCRIPTED)
        table = SignIns(person.astype(int), at, ok.astype(bool), lat, lng, device.astype(int),
                        address.astype(int), scripted)  # fmt: skip
        return Simulated(table, kind.astype(int))


@dataclass(frozen=True, slots=True)
class _Trip:
    begin: float
    end: float
    flight: float
    where: Floats
    address: int


class _Person:
    """One life between START and the end; every draw comes from the person's own generator."""

    def __init__(self, world: World, number: int) -> None:
        self.number, self.world, self.rates = number, world, world.rates
        self.rng: Generator = np.random.default_rng([world.seed, number])
        self.end = START + world.weeks * 7 * DAY
        self.rows: list[tuple[float, ...]] = []
        rng, rates = self.rng, self.rates
        cities = world._cities
        weights = 1 / np.arange(3, len(cities) + 3)
        self.city = int(rng.choice(len(cities), p=weights / weights.sum()))
        self.home = cities[self.city] + rng.normal(0, 0.15, 2)
        self.second = self.home + _step(rng, 20, 150, self.home[0])
        self.has_second = rng.random() < rates.second_place
        self.devices = list(rng.choice(len(_DEVICE_SHARES), 1 + int(rng.random() < 0.6),
                                       p=_DEVICE_SHARES / _DEVICE_SHARES.sum()))  # fmt: skip
        self.middle = rng.normal(13.5, 2.5) - self.home[1] / 15  # of the waking day, in UTC
        self.shifts = rng.random() < rates.shift_workers
        self.vpn = rng.random() < rates.vpn_people
        self.exits = rng.choice(len(cities), 2)
        self.gateways = [self.home + _step(rng, 80, 500, self.home[0]) for _ in range(2)]
        self.moved_at = self.end
        if rng.random() < rates.moves_per_year * world.weeks / 52:
            self.moved_at = rng.uniform(START, self.end)
            self.new_home = self.home + _step(rng, 10, 800, self.home[0])
        self.trips = self._trips()
        self.office = 10_000_000 + self.city * 100 + int(rng.integers(40))

    def live(self) -> tuple[np.ndarray, ...]:
        """Columns: person, at, ok, lat, lng, device, address, kind."""
        times = self._times()
        for at in times:
            self._sign_in(at)
        self._knocks()
        for at in self._attack_times(len(times)):
            self._attack(at)
        table = np.array(self.rows or np.empty((0, 7)), dtype=float).reshape(-1, 7)
        table = table[table[:, 0] < self.end]
        return (np.full(len(table), self.number), *table.T)

    # -- an ordinary life --------------------------------------------------------------------

    def _times(self) -> list[float]:
        rng, weeks = self.rng, self.world.weeks
        rate = self.rates.sign_ins_per_week * np.exp(0.7 * rng.standard_normal())
        days = rng.uniform(0, weeks * 7, rng.poisson(rate * weeks))
        if rng.random() < self.rates.breaks:
            begin = rng.uniform(0, weeks * 7)
            days = days[(days < begin) | (days > begin + rng.uniform(45, 100))]
        times = np.sort(START + np.floor(days) * DAY + self._hours(days) * 3600)
        # Nobody signs in while flying there or back.
        for trip in self.trips:
            for leave in (trip.begin - trip.flight, trip.end):
                times = times[(times < leave) | (times > leave + trip.flight)]
        return [float(at) for at in times]

    def _hours(self, days: Floats) -> Floats:
        middle = np.full(len(days), self.middle)
        if self.shifts:  # a week of nights in three
            middle = np.where((days // 7) % 3 == 0, middle + 11, middle)
        return np.asarray((middle + self.rng.normal(0, 3.2, len(days))) % 24)

    def _trips(self) -> list[_Trip]:
        rng, years = self.rng, self.world.weeks / 52
        trips = []
        for _ in range(rng.poisson(self.rates.trips_per_year * years)):
            begin = rng.uniform(START, self.end)
            distance = min(600 * np.exp(rng.standard_normal()), 12000)
            where = self.home + _step(rng, distance, distance, self.home[0])
            flight = (distance / 700 + 2) * 3600
            end = begin + rng.uniform(1, 10) * DAY
            trips.append(_Trip(begin, end, flight, where, self._new_address()))
        return trips

    def _sign_in(self, at: float) -> None:
        rng, rates = self.rng, self.rates
        place, address = self._place(at)
        if self.vpn and rng.random() < rates.vpn_use:
            city = int(self.exits[0] if rng.random() < 0.6 else rng.choice(self.exits))
            if rng.random() < 0.2:
                city = int(rng.integers(len(self.world._cities)))
            place, address = (
                self.world._cities[city],
                20_000_000 + city * 100 + int(rng.integers(10)),
            )
        place = self._as_networks_say(place)
        device = self._device()
        for _ in range(self._failures()):
            self.rows.append((at - rng.uniform(5, 120), 0, *place, device, address, 0))
        self.rows.append((at, 1, *place, device, address, 0))

    def _as_networks_say(self, place: Floats) -> Floats:
        unknown = self.rng.random() < self.rates.unknown_place
        return np.array([np.nan, np.nan]) if unknown else place

    def _place(self, at: float) -> tuple[Floats, int]:
        rng = self.rng
        for trip in self.trips:
            if trip.begin <= at < trip.end:
                return trip.where, trip.address
        home = self.new_home if at > self.moved_at else self.home
        if rng.random() < self.rates.mobile:
            if rng.random() < self.rates.gateway:
                home = self.gateways[int(rng.random() < 0.3)]
            return home, 30_000_000 + self.city * 100 + int(rng.integers(20))
        if self.has_second and rng.random() < 0.3:
            return self.second, self.office
        lease = int((at - START) // (60 * DAY)) + (500 if at > self.moved_at else 0)
        return home, 40_000_000 + self.number * 1000 + lease

    def _device(self) -> int:
        rng, rates = self.rng, self.rates
        if rng.random() < rates.odd_device:
            return _draw_device(rng)
        # Changes are spread evenly: one draw for each sign-in's share of the year.
        yearly = rates.device_changes_per_year * rates.device_change_shows * len(self.devices)
        if rng.random() < yearly / (52 * rates.sign_ins_per_week):
            self.devices[int(rng.integers(len(self.devices)))] = _draw_device(rng)
        first = len(self.devices) == 1 or rng.random() < 0.7
        return int(self.devices[0 if first else 1])

    def _failures(self) -> int:
        draw = self.rng.random()
        if draw < self.rates.forgotten:
            return int(self.rng.integers(3, 7))
        return int(self.rng.integers(1, 3)) if draw < self.rates.typing_error else 0

    def _new_address(self) -> int:
        return 1_000_000_000 + int(self.rng.integers(1_000_000_000))

    # -- attacks -----------------------------------------------------------------------------

    def _knocks(self) -> None:
        rng = self.rng
        for _ in range(rng.poisson(self.rates.knocking_per_week * self.world.weeks)):
            at, city = rng.uniform(START, self.end), int(rng.integers(len(self.world._cities)))
            place = self.world._cities[city]
            self.rows.append((at, 0, *place, _spoof(rng), self._bot_address(city, at), 1))

    def _bot_address(self, city: int, at: float) -> int:
        """Attackers' addresses last a day and are used on many accounts; some are VPN exits."""
        if self.rng.random() < 0.15:
            return 20_000_000 + city * 100 + int(self.rng.integers(10))
        return 50_000_000 + int((at - START) // DAY) * 1000 + city

    def _attack_times(self, sign_ins: int) -> list[float]:
        count = self.rng.poisson(self.rates.attacks * sign_ins)
        return sorted(self.rng.uniform(START + 7 * DAY, self.end, count))

    def _attack(self, at: float) -> None:
        kind = 1 + int(self.rng.choice(len(KINDS) - 1, p=self.rates.attack_shares))
        attack = (self._stuffing, self._spraying, self._proxy, self._theft, self._insider)[kind - 1]
        (self._informed if self.rates.informed else attack)(at, kind)

    def _spoof(self) -> int:
        device = _spoof(self.rng)
        if self.rates.foreign_device and self.rng.random() < self.rates.foreign_device:
            while device in self.devices:
                device = _spoof(self.rng)
        return device

    def _stuffing(self, at: float, kind: int) -> None:
        city = int(self.rng.integers(len(self.world._cities)))
        device, address = self._spoof(), self._bot_address(city, at)
        place = self._as_networks_say(self.world._cities[city])
        for _ in range(int(self.rng.random() < 0.3)):
            self.rows.append((at - 30, 0, *place, device, address, kind))
        self.rows.append((at, 1, *place, device, address, kind))

    def _spraying(self, at: float, kind: int) -> None:
        device = self._spoof()
        for hours in self.rng.uniform(0.5, 72, int(self.rng.integers(1, 6))):
            city = int(self.rng.integers(len(self.world._cities)))
            place, address = self.world._cities[city], self._bot_address(city, at - hours * 3600)
            self.rows.append((at - hours * 3600, 0, *place, device, address, kind))
        city = int(self.rng.integers(len(self.world._cities)))
        place = self._as_networks_say(self.world._cities[city])
        self.rows.append((at, 1, *place, device, self._bot_address(city, at), kind))

    def _proxy(self, at: float, kind: int) -> None:
        """An address in the victim's city or region; the hours are the attacker's own."""
        place = self.home + _step(self.rng, 5, 40 if self.rng.random() < 0.6 else 150, self.home[0])
        device = self._spoof()
        place = self._as_networks_say(place)
        self.rows.append((at, 1, *place, device, self._new_address(), kind))

    def _theft(self, at: float, kind: int) -> None:
        """Taken from the victim's browser and used within hours, mostly from far away."""
        mine = [row[0] for row in self.rows if row[1] == 1 and row[6] == 0 and row[0] < at]
        at = (max(mine) if mine else at) + self.rng.exponential(6 * 3600) + 600
        city = int(self.rng.integers(len(self.world._cities)))
        place = self.world._cities[city]
        if self.rng.random() < 0.3:
            place = self.home + _step(self.rng, 20, 150, self.home[0])
        place = self._as_networks_say(place)
        self.rows.append((at, 1, *place, self.devices[0], self._new_address(), kind))

    def _insider(self, at: float, kind: int) -> None:
        """Somebody of the same office or household, when the victim sleeps."""
        hour = (self.middle + 12 + self.rng.normal(0, 1.5)) % 24
        at = at - (at - START) % DAY + hour * 3600
        device = self.devices[0] if self.rng.random() < 0.3 else _draw_device(self.rng)
        same = self.rng.random() < 0.5
        address = 40_000_000 + self.number * 1000 + int((at - START) // (60 * DAY))
        self.rows.append(
            (at, 1, *self.home, device, address if same else self._new_address(), kind)
        )

    def _informed(self, at: float, kind: int) -> None:
        at = at - (at - START) % DAY + float(self._hours(np.array([(at - START) / DAY]))[0]) * 3600
        device = self.devices[0] if self.rng.random() < 0.5 else self._spoof()
        self.rows.append((at, 1, *self.home, device, self._new_address(), kind))


def _draw_device(rng: Generator) -> int:
    return int(rng.choice(len(_DEVICE_SHARES), p=_DEVICE_SHARES / _DEVICE_SHARES.sum()))


def _spoof(rng: Generator) -> int:
    """A tool without a browser, or the user agent of a browser that most people have."""
    if rng.random() < 0.15:
        return int(rng.choice(_SCRIPTED))
    return int(rng.choice(len(_SPOOFED), p=_SPOOFED / _SPOOFED.sum()))


def _step(rng: Generator, least_km: float, most_km: float, lat: float) -> Floats:
    """A way in degrees, of some length in kilometres, in any direction."""
    km, turn = rng.uniform(least_km, most_km), rng.uniform(0, 2 * np.pi)
    east = np.sin(turn) / max(0.2, np.cos(np.radians(lat)))
    return np.asarray([np.cos(turn), east]) * km / 111.2
