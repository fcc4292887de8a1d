"""The simulated city keeps its own law, so what it calls irreducible is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rowcast.models.eta_features import KINDS, Requests, local_hour_of_week
from rowcast.sim.city import CENTRE, FIRST_MONDAY, TIMEZONE, WEEK, City, demand
from rowcast.sim.lognormal import mixture_absolute_error, mixture_median

MONDAY_3AM, MONDAY_6PM, FRIDAY_6PM = (FIRST_MONDAY + 3600 * h for h in (3, 18, 4 * 24 + 18))


def request(
    origin: tuple[float, float],
    dest: tuple[float, float],
    at: float = MONDAY_3AM,
    kind: str = "ride",
) -> Requests:
    """One request between points given as degrees north and east of the centre."""
    lats, lngs = ([np.array([CENTRE[i] + end[i]]) for end in (origin, dest)] for i in (0, 1))
    code = np.array([KINDS[kind]], dtype=np.int8)
    return Requests(lats[0], lngs[0], lats[1], lngs[1], np.array([at]), code)


def seconds(city: City, wanted: Requests, rain: bool = False, event: bool = False) -> float:
    return float(city.median_seconds(wanted, np.array([rain]), np.array([event]))[0])


WEST, EAST = (0.0, 0.0), (0.01, 0.125)
SHORT = ((0.0, 0.0), (0.01, 0.01))


def test_equal_seeds_give_equal_trips_and_others_do_not() -> None:
    first, again, other = (City().simulate(500, seed=s).trips for s in (3, 3, 4))
    assert np.array_equal(first.seconds, again.seconds)
    assert not np.array_equal(first.seconds, other.seconds)


def test_trips_come_in_order_over_whole_weeks_and_spare_the_water() -> None:
    requests = City().simulate(4000, seed=1, weeks=3).trips.requests
    at = requests.requested_at
    assert (np.diff(at) >= 0).all()
    assert FIRST_MONDAY <= at.min() < at.max() <= FIRST_MONDAY + 3 * WEEK
    assert len(np.unique((at - FIRST_MONDAY) // WEEK)) == 3
    east = (requests.origin_lng - CENTRE[1]) * 111195.08 * np.cos(np.radians(CENTRE[0]))
    assert not ((east > 6001) & (east < 8999)).any()
    assert set(np.unique(requests.kind)) == {KINDS["ride"], KINDS["parcel"]}


def test_traffic_slows_the_evening_and_follows_the_local_clock() -> None:
    city = City()
    assert seconds(city, request(*SHORT, at=MONDAY_6PM)) > 1.2 * seconds(city, request(*SHORT))
    # Nine weeks on summer time has ended: the same local hour is an hour later in UTC.
    winter = MONDAY_6PM + 9 * WEEK + 3600
    assert local_hour_of_week(np.array([winter]), TIMEZONE)[0] == 18
    assert seconds(city, request(*SHORT, at=winter)) == seconds(
        city, request(*SHORT, at=MONDAY_6PM)
    )


def test_rain_events_and_handling_add_time() -> None:
    city, evening = City(), request((0.01, -0.02), (0.02, -0.03), at=FRIDAY_6PM)
    dry = seconds(city, evening)
    assert seconds(city, evening, rain=True) > 1.05 * dry
    assert seconds(city, evening, event=True) > 1.1 * dry
    parcel = replace(evening, kind=np.array([KINDS["parcel"]], dtype=np.int8))
    assert seconds(city, parcel) == pytest.approx(dry + 150)


def test_the_bay_forces_a_detour_and_a_closed_bridge_a_longer_one() -> None:
    north = request((0.036, 0.05), (0.036, 0.12))
    open_city, closed = City(), City(closed_bridge="north")
    assert seconds(closed, north) > 1.4 * seconds(open_city, north)
    same_shore = request(*SHORT)
    assert seconds(closed, same_shore) == seconds(open_city, same_shore)
    with pytest.raises(ValueError, match="no bridge 'golden'; there are: north, south"):
        City(closed_bridge="golden")


def test_bridge_traffic_depends_on_the_direction() -> None:
    city = City()
    home, away = request(EAST, WEST, at=MONDAY_6PM), request(WEST, EAST, at=MONDAY_6PM)
    assert seconds(city, away) > seconds(city, home) + 60


def test_the_noise_is_the_one_promised() -> None:
    city = City()
    sample = city.simulate(20000, seed=2)
    known = city.median_seconds(sample.trips.requests, sample.rain, sample.event)
    noise = np.log(sample.trips.seconds / known)
    assert noise.std() == pytest.approx(city.sigma, rel=0.02)
    assert np.median(noise) == pytest.approx(0, abs=0.006)


def test_weather_comes_as_often_as_the_oracle_believes() -> None:
    city = City()
    samples = [city.simulate(300, seed=s) for s in range(60)]
    rain = np.mean([s.rain.mean() for s in samples])
    assert rain == pytest.approx(city.rain_share, abs=0.02)
    hours = [local_hour_of_week(s.trips.requests.requested_at, TIMEZONE) for s in samples]
    evening = [(h >= 96) & (h % 24 >= 17) & (h % 24 < 22) for h in hours]
    event = np.concatenate([s.event[e] for s, e in zip(samples, evening, strict=True)])
    assert event.mean() == pytest.approx(city.event_share, abs=0.04)
    assert not any(s.event[~e].any() for s, e in zip(samples, evening, strict=True))


def test_the_oracle_is_the_median_of_fresh_trips_and_no_shift_beats_it() -> None:
    city, n = City(), 40000
    one = request((0.01, -0.02), EAST, at=FRIDAY_6PM)
    many = one.take(np.zeros(n, dtype=np.int64))
    took, oracle = city.travel_seconds(many, seed=5), float(city.oracle_median(one)[0])
    assert np.mean(took < oracle) == pytest.approx(0.5, abs=0.01)
    error = np.abs(took - oracle).mean()
    assert error == pytest.approx(float(city.oracle_absolute_error(one)[0]), rel=0.02)
    assert all(np.abs(took - shift * oracle).mean() > error for shift in (0.93, 1.07))


def test_knowing_less_never_helps() -> None:
    city = City()
    sample = city.simulate(30000, seed=9)
    requests, took = sample.trips.requests, sample.trips.seconds
    blind = np.abs(city.oracle_median(requests) - took).mean()
    sighted = np.abs(city.median_seconds(requests, sample.rain, sample.event) - took).mean()
    assert sighted < blind < 1.05 * sighted


def test_a_mixture_of_one_is_its_lognormal() -> None:
    median, weight = np.array([[600.0]]), np.ones((1, 1))
    assert mixture_median(median, weight, 0.2) == pytest.approx(600)
    draws = 600 * np.exp(0.2 * np.random.default_rng(0).standard_normal(200_000))
    for guess in (500.0, 600.0, 800.0):
        expected = mixture_absolute_error(np.array([guess]), median, weight, 0.2)[0]
        assert expected == pytest.approx(np.abs(draws - guess).mean(), rel=0.01)


def test_demand_peaks_on_weekday_evenings_and_sleeps_at_night() -> None:
    load = demand(np.array([18.0, 3.0, 5 * 24 + 18.0]))
    assert load[0] > load[2] > load[1]
