"""SIGKILL: nothing is lost, nothing is stale, nothing is answered twice, and nobody has to help."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rowcast.chaos import storm
from rowcast.chaos.waiting import wait_until
from tests.chaos.conftest import LEASE, say

if TYPE_CHECKING:
    from tests.chaos.conftest import Site

SEED = 20261120
KILLS = 200


def test_200_kills_under_load_lose_nothing(site: Site) -> None:
    site.fleet.call_ms = 30
    found = storm.rage(site.url, site.fleet, KILLS, SEED)
    say(
        f"seed {SEED}: {found.holding} of {KILLS} kills caught a lease, "
        f"{found.transactions} transactions, {found.balance.fates}, "
        f"{found.storm_seconds:.1f} s + {found.settle_seconds:.1f} s"
    )
    assert found.balance.violations == []
    assert found.balance.fates["answered"] > 300
    assert found.balance.fates["superseded"] > 300
    # A kill of an idle service would prove nothing.
    assert found.holding > KILLS / 4
    said = site.fleet.log.read_text()
    for word in ("deadlock", "UNLUCKY", "defect", "claim failed", "heartbeat failed"):
        assert word not in said


def test_what_a_killed_service_held_is_answered_within_two_leases(site: Site) -> None:
    took = []
    for round_ in range(5):
        first, last, gate = round_ * 100 + 1, round_ * 100 + 16, f"round-{round_}"
        victim = site.fleet.start()
        site.insert(first, last, hold=gate)
        site.fleet.caller(first)
        other = site.fleet.start()
        wait_until(other.is_ready, 10, "the other service is ready")
        assert victim.kill()
        site.fleet.open_gate(gate)
        took.append(site.wait_answered(first, last))
        other.stop()
    say(f"SIGKILL to answer: {', '.join(f'{s:.2f}' for s in sorted(took))} s; lease {LEASE} s")
    assert max(took) < 2 * LEASE
    site.check()
