"""The ledger itself: books that were tampered with do not balance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from rowcast.chaos import ledger
from rowcast.chaos.services import Fleet
from rowcast.chaos.writers import writing
from tests.chaos.conftest import LEASE, Site, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rowcast.chaos.server import Server

RULES = "select distinct rule from ledger.violations"
# An answered row, and one of its answered versions, stand for all.
ONE = "(select min(i.id) from public.items as i where i.scored_version = i.version)"
RECEIPT = f"""(
  select max(p.id) from public.predictions as p
  where p.status = 'done' and p.row_key = {ONE}::text
)"""
TAMPERED = {
    "a version was lost": f"""
        with gone as (delete from public.predictions where id = {RECEIPT} returning row_key)
        delete from ledger.entries as e using gone
        where e.kind = 'answer' and e.row_key = gone.row_key::bigint
    """,
    "a row does not show the answer to its last version": f"""
        update public.items set score = score + 1 where id = {ONE}
    """,
    "an answer landed on another version": f"""
        update ledger.entries set answered_version = answered_version - 1
        where kind = 'answer' and row_key = {ONE}
    """,
    "a version was answered twice": f"""
        insert into ledger.entries (kind, row_key, version, x, score, answered_version)
        select kind, row_key, version, x, score, answered_version from ledger.entries
        where kind = 'answer' and row_key = {ONE}
    """,
    "receipts and answers differ": f"delete from public.predictions where id = {RECEIPT}",
    "a receipt for what was never written": f"""
        update public.predictions set output = output || '{{"version": -1}}' where id = {RECEIPT}
    """,
    "a poison was answered": f"""
        update ledger.entries set fault = 'crash' where kind <> 'answer' and row_key = {ONE}
    """,
    "a dead letter that nobody asked for": """
        insert into ml.dead_letters (attachment_id, row_key, attempts, reason)
        select a.id, '0', 1, 'no reason' from ml.attachments as a where a.name = 'item_score'
    """,
    "something is still owed": f"update public.items set x = x + 1 where id = {ONE}",
}


@pytest.fixture(scope="module")
def books(chaos_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a database whose books balance, with something of everything in them."""
    with chaos_server.database() as name:
        ledger.open_books(chaos_server.url(name), lease_seconds=LEASE)
        folder = tmp_path_factory.mktemp("books")
        with Fleet(chaos_server.url(name, "rowcast_service"), folder) as fleet:
            site = Site(chaos_server, name, fleet)
            fleet.start()
            site.insert(10001, 10010)
            with writing(site.url, 2, seed=1):
                site.wait_answered(10001, 10010)
                site.more_answers(100)
            found = site.check()
            say(str(found.fates))
        yield chaos_server.url(name)


@pytest.mark.parametrize("rule", TAMPERED)
def test_what_must_not_be_is_seen(books: str, rule: str) -> None:
    with psycopg.connect(books) as connection:
        assert connection.execute(RULES.encode()).fetchall() == []
        assert connection.execute(TAMPERED[rule].encode()).rowcount > 0
        assert (rule,) in connection.execute(RULES.encode()).fetchall()
        connection.rollback()
