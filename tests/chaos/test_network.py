"""Connections that are open and dead: only a limit to one's own waiting helps against them."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from rowcast.chaos.proxy import Proxy, proxied
from rowcast.chaos.waiting import wait_until
from tests.chaos.conftest import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.conftest import Site

KEYS = count(1)


@pytest.fixture
def proxy(site: Site) -> Iterator[Proxy]:
    """A proxy, and a service behind it that has been woken by a notification."""
    with proxied(site.server.port) as found:
        site.fleet.start(
            ROWCAST_DB_URL=site.server.url(site.database, "rowcast_service", found.port)
        )
        wait_until(lambda: is_woken(site, found), 10, "the service is woken by a notification")
        yield found


def is_woken(site: Site, proxy: Proxy, seconds: float = 10) -> bool:
    """Write a row and wait for its answer; whether a notification was on its way meanwhile."""
    before = proxy.notifications()
    answer(site, seconds)
    return proxy.notifications() > before


def answer(site: Site, seconds: float) -> float:
    """Write a row; the seconds until it was answered."""
    key = next(KEYS)
    site.insert(key, key)
    return site.wait_answered(key, key, seconds)


def sleeps_again(site: Site, proxy: Proxy) -> None:
    """Once dead connections are closed, a notification wakes the service as before."""
    proxy.cut()
    wait_until(lambda: is_woken(site, proxy), 10, "a notification wakes the service again")
    site.check()


def test_work_goes_on_though_the_sleepers_connection_is_dead(site: Site, proxy: Proxy) -> None:
    assert proxy.silence_sleepers() == 1
    took = [answer(site, 3) for _ in range(5)]
    say(f"answered though the sleeper's connection is dead: {max(took):.2f} s at most")
    sleeps_again(site, proxy)


def test_work_goes_on_over_new_connections_though_all_old_ones_are_dead(
    site: Site, proxy: Proxy
) -> None:
    proxy.silence_all()
    (service,) = site.fleet.services
    ready = service.get("/ready", 5)
    if ready is None:
        raise TimeoutError("/ready did not answer")
    assert ready.status_code == 503
    proxy.heal()
    # A connection that was being made meanwhile is given up after the service's connect_timeout.
    took = answer(site, 12)
    say(f"answered {took:.2f} s after every connection died")
    sleeps_again(site, proxy)


def test_work_goes_on_after_a_network_that_swallowed_everything(site: Site, proxy: Proxy) -> None:
    proxy.silence_all()
    key = next(KEYS)
    site.insert(key, key)
    proxy.heal()
    proxy.cut()
    took = site.wait_answered(key, key, 10)
    say(f"answered {took:.2f} s after the network was back")
    sleeps_again(site, proxy)
