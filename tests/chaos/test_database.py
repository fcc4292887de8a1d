"""The database ends sessions, crashes, is full, is away: services wait and go on by themselves."""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import psycopg

from rowcast.chaos.waiting import wait_until
from rowcast.chaos.writers import writing
from tests.chaos.conftest import say

if TYPE_CHECKING:
    from rowcast.chaos.server import Server
    from tests.chaos.conftest import Site

SEED = 1
TERMINATE = """
select count(pg_terminate_backend(pid)) from pg_stat_activity
where datname = current_database() and usename = 'rowcast_service'
"""


def passed(moment: float) -> bool:
    """Whether it is later than that."""
    return time.monotonic() >= moment


def test_every_session_of_the_services_ended_each_second(site: Site) -> None:
    services = [site.fleet.start() for _ in range(2)]
    ended, seconds = 0, []
    with writing(site.url, 2, SEED) as writers:
        site.more_answers(20)
        begun = time.monotonic()
        for second in range(1, 9):
            wait_until(partial(passed, begun + second), 2, "the next second")
            ended += site.execute(TERMINATE)[0][0]
            seconds.append(site.more_answers(5))
    say(f"{ended} sessions ended; five more answers after {max(seconds):.2f} s at most")
    # Of each service a sleeper's session and one for work, at least.
    assert ended >= 8 * 4
    assert max(seconds) < 5
    # The last of it was just now.
    wait_until(lambda: all(service.is_ready() for service in services), 5, "both are ready again")
    site.check(writers)


def test_a_crash_of_the_server_loses_nothing_that_was_acknowledged(site: Site) -> None:
    services = [site.fleet.start() for _ in range(2)]
    seconds = []
    with writing(site.url, 2, SEED) as writers:
        site.more_answers(50)
        for _ in range(2):
            site.server.crash()
            seconds.append(site.more_answers(50))
    say(f"50 answers again after a crash: {', '.join(f'{s:.2f}' for s in seconds)} s")
    assert all(writer.refused for writer in writers)
    assert all(service.process.is_alive() for service in services)
    site.check(writers)


def test_no_connection_is_left_for_the_services(site: Site) -> None:
    service = site.fleet.start()
    wait_until(service.is_ready, 10, "the service is ready")
    with psycopg.connect(site.url, autocommit=True) as writer, ExitStack() as crowd:
        while writer.execute(TERMINATE).fetchone() != (0,):
            fill(site, crowd)
        late = site.fleet.start()
        writer.execute("insert into public.items (id, x) select generate_series(1, 50) as i, 7")
        wait_until(lambda: late.get("/health") is not None, 10, "the late service listens")
        ready = service.get("/ready")
        assert ready is not None
        assert ready.status_code == 503
        assert ready.json()["details"] == "DATABASE_UNAVAILABLE"
        # A restart would not help.
        for each in (service, late):
            health = each.get("/health")
            assert health is not None
            assert health.is_success
        assert not answers_seen(writer)
    took = site.wait_answered(1, 50, 20)
    say(f"answered {took:.2f} s after connections were free again")
    wait_until(lambda: service.is_ready() and late.is_ready(), 20, "both are ready")
    site.check()


def fill(site: Site, crowd: ExitStack) -> None:
    """Take every connection that the server has to give."""
    while True:
        try:
            crowd.enter_context(psycopg.connect(site.url, autocommit=True))
        except psycopg.OperationalError:
            return


def answers_seen(connection: psycopg.Connection[tuple[object, ...]]) -> int:
    """Receipts, asked over a connection that is there already."""
    return len(connection.execute("select from public.predictions").fetchall())


def test_a_service_started_before_the_database_waits_for_it(
    site: Site, chaos_server: Server
) -> None:
    site.insert(1, 50)
    chaos_server.stop()
    service = site.fleet.start()
    wait_until(lambda: service.get("/health") is not None, 10, "the service listens")
    assert not service.is_ready()
    chaos_server.start()
    took = site.wait_answered(1, 50, 20)
    say(f"answered {took:.2f} s after the database came")
    site.check()


def test_a_database_that_is_away_for_a_while_is_waited_for(
    site: Site, chaos_server: Server
) -> None:
    services = [site.fleet.start() for _ in range(2)]
    site.insert(1, 50)
    site.wait_answered(1, 50)
    chaos_server.stop()
    away = time.monotonic()
    answer = services[0].get("/ready")
    assert answer is not None
    assert answer.status_code == 503
    wait_until(partial(passed, away + 3), 5, "three seconds")
    chaos_server.start()
    site.insert(51, 100)
    took = site.wait_answered(51, 100, 30)
    say(f"answered {took:.2f} s after the database was back")
    assert took < 8
    site.check()
