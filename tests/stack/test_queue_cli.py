"""`./rowcast queue …` against real databases: one of the test's own, and the running stack's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from typer.testing import CliRunner, Result

from rowcast.cli import app
from rowcast.errors import RowcastError
from rowcast.stack.paths import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rowcast.stack.stack import Stack
    from tests.conftest import Server

Connection = psycopg.Connection[tuple[Any, ...]]

NOTES = """
create table public.queue_notes (id int primary key, body text, answer jsonb, owner_id uuid);
create function private.apply_queue_notes(text[], jsonb[], text) returns void language sql as $$
  update public.queue_notes as n set answer = o.output
  from unnest($1, $2) as o (row_key, output) where n.id = o.row_key::int
$$;
select ml.attach('queue_notes', 'public.queue_notes', 'echo', 'jsonb_build_object(''x'', t.id)',
  array['body'], 'private.apply_queue_notes', 'owner_id');
"""
FILL = "insert into public.queue_notes (id, body) select n, n from generate_series(1, {}) as n"


@pytest.fixture
def conn(fresh_db: str) -> Iterator[Connection]:
    """A database of the test's own, which no service works on, with the table `queue_notes`."""
    with psycopg.connect(fresh_db, autocommit=True) as connection:
        connection.execute(NOTES)
        yield connection


@pytest.fixture
def queue(conn: Connection, fresh_db: str) -> Callable[..., Result]:
    """Runs `queue` with these arguments, and insists that it works."""

    def run(*arguments: str, status: int = 0) -> Result:
        done = CliRunner().invoke(app, ["queue", *arguments, "--db-url", fresh_db])
        assert done.exit_code == status, (done.output, done.exception)
        return done

    return run


@pytest.fixture
def refusal(fresh_db: str) -> Callable[..., tuple[str, str]]:
    """Runs `queue` with arguments that it refuses: what is wrong, and what to do."""

    def run(*arguments: str, db_url: str = fresh_db) -> tuple[str, str]:
        done = CliRunner().invoke(app, ["queue", *arguments, "--db-url", db_url])
        assert isinstance(done.exception, RowcastError), done.output
        return done.exception.message, done.exception.hint

    return run


def bury(conn: Connection, count: int) -> None:
    """So many rows of which every one ends among the dead letters."""
    conn.execute("update ml.models set max_attempts = 1 where name = 'echo'")
    conn.execute(FILL.format(count).encode())
    while conn.execute("""select token from ml.claim('w', '{"echo": "1"}', 10000)""").fetchall():
        conn.execute("select ml.fail(token, 'item', 'SOUR: it was off') from ml.leases")


def test_list_counts_each_prediction(conn: Connection, queue: Callable[..., Result]) -> None:
    conn.execute(FILL.format(3).encode())
    conn.execute("""select * from ml.claim('w', '{"echo": "1"}', 1)""")
    conn.execute("select ml.pause('pickup_eta')")
    printed = queue("list").stdout
    (line,) = (line for line in printed.splitlines() if "queue_notes" in line)
    assert line.split()[:6] == ["queue_notes", "open", "2", "0", "0", "1"]
    (line,) = (line for line in printed.splitlines() if "pickup_eta" in line)
    assert "paused" in line
    assert "workers alive 0" in printed
    rows = {row["prediction"]: row for row in json.loads(queue("list", "--json").stdout)}
    assert (rows["queue_notes"]["pending"], rows["queue_notes"]["running"]) == (2, 1)
    assert rows["queue_notes"]["paused_at"] is None


def test_list_without_predictions_says_so(conn: Connection, queue: Callable[..., Result]) -> None:
    conn.execute("select ml.detach(name) from ml.attachments")
    assert "no prediction is attached" in queue("list").stdout


def test_list_says_why_a_provider_is_away(conn: Connection, queue: Callable[..., Result]) -> None:
    conn.execute(FILL.format(1).encode())
    conn.execute("""select * from ml.claim('w', '{"echo": "1"}')""")
    conn.execute("select ml.fail(token, 'provider', 'out of [green] tea') from ml.leases")
    assert "echo is away: out of [green] tea" in queue("list").stdout


def test_show_tells_all_of_one_prediction(conn: Connection, queue: Callable[..., Result]) -> None:
    bury(conn, 2)
    conn.execute("update ml.models set max_attempts = 5")
    conn.execute("insert into ml.budgets values ('echo', 'model', 'calls', 77)")
    conn.execute("insert into public.queue_notes (id) values (3), (4), (5)")
    conn.execute("""select * from ml.claim('w', '{"echo": "1"}', 1)""")
    conn.execute("select ml.fail(token, 'batch') from ml.leases")
    conn.execute("select ml.backfill('queue_notes', 1)")
    printed = queue("show", "queue_notes").stdout
    for part in ("oldest", "batch_fault", "item_fault", "SOUR: it was off", "backfill", "77"):
        assert part in printed, part


def test_show_one_row(
    conn: Connection, queue: Callable[..., Result], refusal: Callable[..., tuple[str, str]]
) -> None:
    bury(conn, 1)
    printed = queue("show", "queue_notes", "--row", "1").stdout
    for part in ("dead letters", "SOUR: it was off", "receipts", "failed"):
        assert part in printed, part
    conn.execute("insert into public.queue_notes (id) values (2)")
    printed = queue("show", "queue_notes", "--row", "2").stdout
    assert "pending" in printed
    assert "SOUR" not in printed
    assert refusal("show", "queue_notes", "--row", "3")[0] == (
        "nothing is known of row 3 of queue_notes"
    )


def test_redrive_takes_all_in_steps_or_so_many(
    conn: Connection, queue: Callable[..., Result]
) -> None:
    bury(conn, 2500)
    assert "7 of 2,500" in queue("redrive", "queue_notes", "--limit", "7").stdout
    assert conn.execute("select count(*) from ml.jobs").fetchone() == (7,)
    assert "0 of 0" in queue("redrive", "pickup_eta").stdout
    assert "2,493 of 2,493" in queue("redrive").stdout
    assert conn.execute("select count(*) from ml.jobs").fetchone() == (2500,)


def test_cancel_calls_off_with_a_reason(
    conn: Connection, queue: Callable[..., Result], refusal: Callable[..., tuple[str, str]]
) -> None:
    conn.execute(FILL.format(1).encode())
    queue("cancel", "queue_notes", "1", "--reason", "wrong row")
    receipts = conn.execute("select status, error from public.predictions").fetchall()
    assert receipts == [("cancelled", "wrong row")]
    message, hint = refusal("cancel", "queue_notes", "1")
    assert message.startswith("nothing is owed to row 1")
    assert hint == "./rowcast queue show queue_notes --row 1"


def test_pause_and_resume(conn: Connection, queue: Callable[..., Result]) -> None:
    paused = "select paused_at is not null from ml.attachments where name = 'queue_notes'"
    assert "queue resume queue_notes" in queue("pause", "queue_notes").stdout
    assert conn.execute(paused).fetchone() == (True,)
    queue("resume", "queue_notes")
    assert conn.execute(paused).fetchone() == (False,)


def test_backfill_goes_on_and_starts_again(conn: Connection, queue: Callable[..., Result]) -> None:
    conn.execute("alter table public.queue_notes disable trigger user")
    conn.execute(FILL.format(25).encode())
    conn.execute("analyze public.queue_notes")
    conn.execute("select ml.backfill('queue_notes', 5)")
    done = queue("backfill", "queue_notes", "--step", "10")
    assert "25 rows of queue_notes were enqueued" in done.stdout
    assert "25/25" in done.stderr
    assert conn.execute("select count(*) from ml.jobs where is_background").fetchone() == (25,)
    conn.execute("delete from ml.jobs")
    queue("backfill", "queue_notes")
    assert conn.execute("select count(*) from ml.jobs").fetchone() == (0,), "finished is finished"
    queue("backfill", "queue_notes", "--restart")
    assert conn.execute("select count(*) from ml.jobs").fetchone() == (25,)


def test_doctor_prints_the_fix_whole_and_fails(
    conn: Connection, queue: Callable[..., Result]
) -> None:
    conn.execute(
        "insert into ml.workers (name, models)"
        """ values ('w', '{"eta": "1", "signin": "1", "echo": "1"}')"""
    )
    assert queue("doctor").stdout == "nothing is wrong\n"
    conn.execute("update ml.attachments set paused_at = now() - interval '2 days'")
    assert "PAUSED" in queue("doctor").stdout, "a warning is no failure"
    conn.execute("alter table public.queue_notes disable trigger user")
    printed = queue("doctor", status=1).stdout
    (fix,) = (line for line in printed.splitlines() if "ml.attach" in line)
    conn.execute(fix.partition("fix: ")[2].encode())
    queue("doctor")
    conn.execute("drop table public.queue_notes")
    found = json.loads(queue("doctor", "--json", status=1).stdout)
    assert [row["finding"] for row in found if row["severity"] == "error"] == ["SOURCE_GONE"]


@pytest.mark.parametrize("command", ["show", "redrive", "pause", "resume", "backfill"])
def test_an_unknown_name_lists_the_known_ones(
    conn: Connection, refusal: Callable[..., tuple[str, str]], command: str
) -> None:
    assert refusal(command, "queue_note") == (
        "no prediction is attached under the name queue_note",
        "known: pickup_eta, queue_notes, sign_in_risk",
    )


def test_a_database_that_is_not_there_or_not_ours(
    server: Server, refusal: Callable[..., tuple[str, str]]
) -> None:
    message, hint = refusal("list", db_url="postgresql://postgres:x@127.0.0.1:1/postgres")
    assert "refused" in message
    assert "--db-url" in hint
    message, hint = refusal("list", db_url="postgresql:/nonsense")
    assert "--db-url" in hint
    message, hint = refusal("list", db_url=server.of("template1"))
    assert "no prediction queue" in message
    assert "migrations" in hint


# The running stack


@pytest.fixture
def stacks_notes(stack: Stack) -> Iterator[Connection]:
    """The stack's own database, whose service serves `echo`."""
    with psycopg.connect(stack.status().db_url, autocommit=True) as connection:
        connection.execute(NOTES)
        yield connection
        connection.execute("select ml.detach('queue_notes')")
        connection.execute("drop table public.queue_notes")
        connection.execute("drop function private.apply_queue_notes")


def launch(stack: Stack, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [CHECKOUT / "rowcast", "queue", *arguments],
        env={**os.environ, "ROWCAST_HOME": str(stack.home.root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_backfill_is_waited_for(stack: Stack, stacks_notes: Connection) -> None:
    stacks_notes.execute("alter table public.queue_notes disable trigger user")
    stacks_notes.execute(FILL.format(300).encode())
    with launch(stack, "backfill", "queue_notes", "--wait", "--step", "100") as process:
        printed, complaint = process.communicate(timeout=60)
    assert process.returncode == 0, complaint
    assert "300 rows of queue_notes were enqueued and answered" in printed
    missing = "select count(*) from public.queue_notes where answer is null"
    assert stacks_notes.execute(missing).fetchone() == (0,)


def test_waiting_for_nobody_says_so_and_can_be_broken_off(
    stack: Stack, conn: Connection, fresh_db: str
) -> None:
    conn.execute(FILL.format(3).encode())
    with launch(stack, "backfill", "queue_notes", "--wait", "--db-url", fresh_db) as process:
        assert process.stderr
        assert any("nobody works on it" in line for line in process.stderr)
        process.send_signal(signal.SIGINT)
        printed, complaint = process.communicate(timeout=20)
    assert process.returncode != 0
    assert "Traceback" not in complaint
    assert "answered" not in printed
    assert conn.execute("select count(*) from ml.jobs").fetchone() == (3,), "they stay owed"


def test_watch_ends_on_ctrl_c(stack: Stack, stacks_notes: Connection) -> None:
    with launch(stack, "watch") as process:
        asked = (
            "select query_start from pg_stat_activity"
            " where application_name = 'rowcast queue' and query like '%queue_stats%'"
        )
        times = set[Any]()
        while len(times) < 2:
            times |= set(stacks_notes.execute(asked).fetchall())
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        printed, complaint = process.communicate(timeout=20)
    assert process.returncode == 0, complaint
    assert "queue_notes" in printed
    assert "Traceback" not in complaint
