"""SIGKILL after SIGKILL under load; what was counted, and whether the books balance after it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rowcast.chaos.ledger import Balance, balance, wait_settled
from rowcast.chaos.waiting import wait_until
from rowcast.chaos.writers import acknowledged, writing

if TYPE_CHECKING:
    from rowcast.chaos.services import Fleet, Service

SERVICES = 3
WRITERS = 3
MEAN_PAUSE = 0.07
AIMED = 0.4
"""The share of kills that wait for a call of the model instead of a while. The others come whenever
they come, which on a slow machine is often before a service has begun."""


@dataclass(slots=True)
class Storm:
    """What happened."""

    seed: int
    kills: int = 0
    holding: int = 0
    """Kills that caught a service in a call of the model: it held a lease for certain."""
    transactions: int = 0
    storm_seconds: float = 0
    settle_seconds: float = 0
    balance: Balance = field(default_factory=lambda: Balance([], {}, 0))


def rage(
    url: str, fleet: Fleet, kills: int, seed: int, on_kill: Callable[[Storm], None] | None = None
) -> Storm:
    """Kill and replace `kills` services at random moments while writers write to `url`."""
    dice = random.Random(f"{seed} kills")  # noqa: S311
    storm = Storm(seed)
    begun = time.monotonic()
    services = [fleet.start() for _ in range(SERVICES)]
    with writing(url, WRITERS, seed) as writers:
        while storm.kills < kills:
            # The one that has lived longest: it had the time to take a lease.
            victim = services.pop(0)
            if dice.random() < AIMED:
                _wait_for_call(victim)
            else:
                time.sleep(dice.uniform(0, 2 * MEAN_PAUSE))
            storm.holding += victim.kill()
            storm.kills += 1
            services.append(fleet.start())
            if on_kill:
                on_kill(storm)
    storm.storm_seconds = time.monotonic() - begun
    storm.transactions = sum(writer.transactions for writer in writers)
    settle(url, services, storm)
    storm.balance = balance(url, acknowledged(writers))
    return storm


def _wait_for_call(service: Service) -> None:
    """Until the service holds a lease; for a second, since nothing may be due."""
    with suppress(TimeoutError):
        wait_until(lambda: bool(service.calls()), 1, "the service asks its model")


def settle(url: str, services: list[Service], storm: Storm) -> None:
    """Let the services finish what is owed, then stop them; too late is seen in the books."""
    begun = time.monotonic()
    with suppress(TimeoutError):
        wait_settled(url, 60)
    storm.settle_seconds = time.monotonic() - begun
    for service in services:
        service.stop()
