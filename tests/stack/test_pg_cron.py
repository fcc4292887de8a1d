"""pg_cron's stand-in: when jobs are due, as whom they run, and what is left of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from rowcast.stack.pg_cron import next_run
from tests.stack.support import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    Connection = psycopg.Connection[tuple[Any, ...]]

NOW = datetime(2026, 1, 31, 12, 34, 56, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "due"),
    [
        ("* * * * *", "2026-01-31T12:35:00"),
        ("*/15 * * * *", "2026-01-31T12:45:00"),
        ("0 3 * * mon", "2026-02-02T03:00:00"),
        ("0 0 $ * *", "2026-02-28T00:00:00"),
        ("@daily", "2026-02-01T00:00:00"),
        ("@Hourly", "2026-01-31T13:00:00"),
        ("5 seconds", "2026-01-31T12:35:01"),
        (" 59 Seconds ", "2026-01-31T12:35:55"),
        ("1 second", "2026-01-31T12:34:57"),
    ],
)
def test_next_run(schedule: str, due: str) -> None:
    assert next_run(schedule, NOW).isoformat() == due + "+00:00"


@pytest.mark.parametrize(
    "schedule", ["", "x", "60 seconds", "0 seconds", "* * * *", "61 * * * *", "0 0 31 2 *"]
)
def test_a_schedule_that_makes_no_sense_is_refused(schedule: str) -> None:
    with pytest.raises(ValueError, match="invalid schedule"):
        next_run(schedule, NOW)


@pytest.fixture
def cron(postgres: Connection) -> Iterator[Connection]:
    """The stack's database without jobs of the tests before and after."""
    forget = "select cron.unschedule(jobid) from cron.job where jobname like 'standin%'"
    postgres.execute(forget)
    yield postgres
    postgres.execute(forget)


def schedule(db: Connection, name: str, command: str) -> int:
    query = "select cron.schedule(%s, '1 second', %s)"
    row = db.execute(query, (name, command)).fetchone()
    assert row is not None
    assert isinstance(row[0], int)
    return row[0]


def finished(db: Connection, job: int) -> tuple[Any, ...]:
    def look() -> tuple[Any, ...] | None:
        return db.execute(
            """select status, return_message, username, end_time >= start_time, job_pid > 0
               from cron.job_run_details where jobid = %s and status in ('succeeded', 'failed')
               order by runid limit 1""",
            (job,),
        ).fetchone()

    row = eventually(look)
    assert isinstance(row, tuple)
    return row


def test_a_job_runs_and_is_recorded(cron: Connection) -> None:
    job = schedule(cron, "standin ok", "select 1")
    assert finished(cron, job) == ("succeeded", "SELECT 1", "postgres", True, True)


def test_a_job_that_fails_is_recorded_with_its_error(cron: Connection) -> None:
    status, message, *_ = finished(cron, schedule(cron, "standin bad", "select 1/0"))
    assert status == "failed"
    assert "division by zero" in message


def test_a_job_runs_again_and_again_until_it_is_unscheduled(cron: Connection) -> None:
    job = schedule(cron, "standin often", "select 1")
    count = "select count(*) > 1 from cron.job_run_details where jobid = %s"
    eventually(lambda: (cron.execute(count, (job,)).fetchone() or [False])[0])
    cron.execute("select cron.unschedule('standin often')")
    assert cron.execute("select from cron.job where jobid = %s", (job,)).fetchone() is None


@pytest.mark.parametrize(
    "command",
    [
        "reset session authorization; alter role postgres superuser",
        "reset role; alter role postgres superuser",
        "set session authorization supabase_admin",
        "set role supabase_admin",
    ],
)
def test_a_job_does_not_become_the_clusters_owner(cron: Connection, command: str) -> None:
    status, message, *_ = finished(cron, schedule(cron, "standin escalation", command))
    assert status == "failed"
    assert "permission denied" in message
    row = cron.execute("select rolsuper from pg_roles where rolname = 'postgres'").fetchone()
    assert row == (False,)


def test_schedule_with_a_known_name_changes_the_job(cron: Connection) -> None:
    first = schedule(cron, "standin twice", "select 1")
    again = "select cron.schedule('standin twice', '0 0 1 1 *', 'select 2')"
    assert cron.execute(again).fetchone() == (first,)
    cron.execute("select cron.alter_job(%s, active => false, command => 'select 3')", (first,))
    row = cron.execute("select schedule, command, active from cron.job where jobid = %s", (first,))
    assert row.fetchone() == ("0 0 1 1 *", "select 3", False)


@pytest.mark.parametrize("bad", ["", "every day", "60 seconds", "* * * *"])
def test_sql_refuses_a_bad_schedule(cron: Connection, bad: str) -> None:
    with pytest.raises(psycopg.DataError, match="invalid schedule"):
        cron.execute("select cron.schedule('standin bad', %s, 'select 1')", (bad,))


def test_a_forged_caller_schedules_nothing(cron: Connection) -> None:
    forged = "select cron._standin_schedule('supabase_admin', 'x', '1 second', 'select 1')"
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        cron.execute(forged)


def test_postgres_changes_no_job_of_the_owner(cron: Connection, admin: Connection) -> None:
    row = admin.execute("select cron.schedule('owner job', '0 0 1 1 *', 'select 1')").fetchone()
    assert row is not None
    try:
        with pytest.raises(psycopg.errors.RaiseException):
            cron.execute("select cron.alter_job(%s, command => 'x')", (row[0],))
        with pytest.raises(psycopg.errors.RaiseException):
            cron.execute("select cron.unschedule('owner job')")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            cron.execute("update cron.job set command = 'x'")
    finally:
        admin.execute("select cron.unschedule('owner job')")


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role"])
def test_clients_schedule_nothing(db: Connection, role: str) -> None:
    db.execute(f"set local role {role}")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        db.execute("select cron.schedule('* * * * *', 'select 1')")
