"""Rows that change while they are predicted, and answers that come too late."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rowcast.chaos.waiting import wait_until
from tests.chaos.conftest import LEASE

if TYPE_CHECKING:
    from rowcast.chaos.services import Service
    from tests.chaos.conftest import Site


def edited_while_predicted(site: Site) -> None:
    """Rows 1 to 4 are in a call: one is edited, one deleted, one replaced, one left alone."""
    site.fleet.start()
    site.insert(1, 4, hold="slow")
    for row in range(1, 5):
        site.fleet.caller(row)
    site.edit(1)
    site.execute("delete from public.items where id in (2, 3)")
    site.insert(3, 3)
    site.fleet.open_gate("slow")


def two_on_one_row(site: Site) -> None:
    """An old version with a slow worker, the new one with a fast worker that is first."""
    site.fleet.start(ROWCAST_CONCURRENCY="1")
    site.insert(1, 1, hold="slow")
    slow = site.fleet.caller(1)
    site.fleet.start()
    site.edit(1)
    site.wait_answered(1, 1)
    site.fleet.open_gate("slow")
    wait_until(lambda: not slow.calls(), 5, "the slow call is over")


def zombie(site: Site) -> None:
    """A service is frozen in a call for longer than its lease; another answers, it comes back."""
    old = frozen_in_a_call(site)
    since = time.monotonic()
    site.edit(2)
    site.fleet.open_gate("slow")
    other = site.fleet.start()
    site.wait_answered(1, 3)
    assert time.monotonic() - since > LEASE
    other.stop()
    old.thaw()
    wait_until(lambda: not old.calls(), 5, "the frozen call is over")


def zombie_with_the_job_of_another(site: Site) -> None:
    """The same for one row, and another service holds its job, with another input.

    That takes a change that the pipeline is not told of: an edit makes a new job.
    """
    old = frozen_in_a_call(site, rows=1)
    site.execute("update public.items set version = nextval('ledger.version') where id = 1")
    other = site.fleet.start()
    site.fleet.caller(1, version_of(site, 1))
    other.freeze()
    site.fleet.open_gate("slow")
    old.thaw()
    # It takes one claim at a time, so when this is answered, its late answers have been given.
    site.insert(4, 4)
    site.wait_answered(4, 4)
    other.thaw()


def frozen_in_a_call(site: Site, rows: int = 3) -> Service:
    """A service that was stopped while its model was asked about the first rows."""
    service = site.fleet.start(ROWCAST_CONCURRENCY="1")
    site.insert(1, rows, hold="slow")
    for row in range(1, rows + 1):
        site.fleet.caller(row)
    service.freeze()
    return service


def version_of(site: Site, row: int) -> int:
    """What the row holds now."""
    ((version,),) = site.execute("select version from public.items where id = %s", row)
    return int(version)


def test_rows_edited_and_deleted_while_they_are_predicted(site: Site) -> None:
    edited_while_predicted(site)
    site.check()
    assert site.receipts(1).count("done") == 1
    assert "done" not in site.receipts(2)
    assert site.receipts(3).count("done") == 1
    assert site.receipts(4) == ["done"]


def test_of_two_answers_to_one_row_the_newer_stays(site: Site) -> None:
    two_on_one_row(site)
    site.check()
    assert site.execute("select score from public.items") == [(1001 * 1001 + 1,)]
    assert site.receipts(1) == ["done", "superseded"]


def test_a_zombie_changes_nothing_and_goes_on_working(site: Site) -> None:
    zombie(site)
    for row in (1, 2, 3):
        assert site.receipts(row).count("done") == 1
    # All others are stopped: this is the one that was frozen, and its late answers went before.
    site.insert(4, 10)
    site.wait_answered(4, 10)
    for row in (1, 2, 3):
        assert site.receipts(row).count("done") == 1
    site.check()


def test_a_zombie_may_not_answer_a_job_that_another_holds(site: Site) -> None:
    zombie_with_the_job_of_another(site)
    site.check()


def test_without_the_fence_the_books_do_not_balance(site: Site) -> None:
    site.weaken("fence")
    edited_while_predicted(site)
    assert "an answer landed on another version" in rules(site)


def test_without_the_token_guard_the_books_do_not_balance(site: Site) -> None:
    site.weaken("token")
    zombie_with_the_job_of_another(site)
    assert "an answer landed on another version" in rules(site)


def test_without_coalescing_the_books_do_not_balance(site: Site) -> None:
    site.weaken("coalescing")
    site.insert(1, 1)
    for _ in range(3):
        site.edit(1)
    site.fleet.start()
    site.wait_answered(1, 1)
    assert rules(site) & {"a version was answered twice", "receipts and answers differ"}


def rules(site: Site) -> set[str]:
    """Which rules the books break."""
    return {violation.partition(":")[0] for violation in site.balance().violations}
