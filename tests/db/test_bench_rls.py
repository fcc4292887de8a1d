"""`rowcast bench rls` on a few rows: it compares like with like, and sees a table read whole."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from rowcast.bench import rls
from tests.conftest import TEMPLATE, clone_database, drop_database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Server

ROWS, OWNERS = 20_000, 20


@pytest.fixture(scope="module")
def filled(server: Server, database_template: str) -> Iterator[str]:
    """URL of a database with rows of a few owners; the tests only read them."""
    name = f"test_{uuid.uuid4().hex}"
    clone_database(server.admin_url, TEMPLATE, name)
    try:
        rls.fill(server.of(name), ROWS, OWNERS, lambda _: None)
        yield server.of(name)
    finally:
        drop_database(server.admin_url, name)


def test_every_list_is_found_by_an_index_and_answers_the_same_without_the_policy(
    filled: str,
) -> None:
    for chosen in rls.lists():
        found = rls.measure(filled, chosen, rounds=1)  # asserts that the rows are equal
        assert found.seq_scans == (), chosen.name
        assert "each once" in found.plan, chosen.name


def test_a_policy_that_reads_the_whole_table_is_seen(filled: str) -> None:
    per_row = rls.rival(filled, "function called with the row", rounds=1)
    assert per_row.seq_scans == ("pickup_requests",)
    ours = rls.rival(filled, "as it is", rounds=1)
    assert ours.seq_scans == ()


def test_a_range_shows_a_person_their_own_and_an_admin_everything(filled: str) -> None:
    condition = rls.RIVALS["own or by permission, as a range"]
    with rls.policy(filled, condition):
        for number, expected in ((rls.HEAVY, ROWS // 100), (rls.ADMIN, ROWS)):
            with rls.session(filled, "authenticated", number) as person:
                counted = person.connection.execute("select count(*) from public.pickup_requests")
                assert counted.fetchone() == (expected,)
