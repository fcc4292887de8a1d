"""ml.doctor: each finding with a database that has it, and one that only looks like it."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.db.pipeline import Connection, column, value
from tests.waiting import wait_for_row

if TYPE_CHECKING:
    from tests.conftest import Server

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "sql/functions/ml"
HOW_TO = ROOT / "docs/how-to/operate-the-queue.md"

ONE_NOTE = "insert into public.notes values (1, 'a');"
THREE_NOTES = "insert into public.notes select n, n from generate_series(1, 3) as n;"
CLAIM = ONE_NOTE + """ select * from ml.claim('w', '{"echo": "1"}');"""
PROVIDER_AWAY = CLAIM + "select ml.fail((select token from ml.leases), 'provider', 'is away');"
BACKFILL = THREE_NOTES + "select ml.backfill('notes', 1);"
ATTACH_WITH_EXTRA = """
alter table public.notes add column extra text, add column other text;
select ml.attach('notes', 'public.notes', 'echo', 'jsonb_build_array(t.body, t.extra)',
  array['body'], 'private.apply_notes');
"""
RECEIPT = """
insert into public.predictions (prediction, source_table, row_key, model, status, created_at)
values ('notes', 'public.notes', '1', 'echo', 'done', {});
"""
NOOP_TRIGGER = """
create function public.noop() returns trigger language plpgsql as 'begin return null; end';
create trigger noop after insert on public.notes execute function public.noop();
"""
DROP_PARTITION = """
do $$ begin execute format(
  'drop table ml.predictions_%s',
  to_char(date_trunc('month', now()) + interval '{} month', 'YYYYMM')
); end $$;
"""


@dataclass(frozen=True, slots=True)
class Case:
    """What brings a finding about, the object that is named, and what must not."""

    cause: str
    names: str
    harmless: str


CASES = {
    "SOURCE_GONE": Case("drop table public.notes", "notes", "alter table public.notes rename to n"),
    "KEY_CHANGED": Case(
        "alter table public.notes drop constraint notes_pkey, add primary key (id, body)",
        "notes",
        "alter table public.notes rename constraint notes_pkey to another",
    ),
    "COLUMN_GONE": Case(
        "alter table public.notes rename column body to words",
        "notes",
        "alter table public.notes add column more text",
    ),
    "INPUT_BROKEN": Case(
        ATTACH_WITH_EXTRA + "alter table public.notes drop column extra",
        "notes",
        ATTACH_WITH_EXTRA + "alter table public.notes drop column other",
    ),
    "APPLY_GONE": Case(
        "drop function private.apply_notes(text[], jsonb[], text)",
        "notes",
        "alter function private.apply_notes(text[], jsonb[], text) cost 7",
    ),
    "FUNCTION_MISSING": Case(
        "drop function ml.notes__read",
        "notes",
        "create function ml.notes__reader() returns int language sql return 1",
    ),
    "TRIGGER_MISSING": Case(
        "drop trigger _800_predict_notes_update on public.notes",
        "notes",
        NOOP_TRIGGER + "drop trigger noop on public.notes",
    ),
    "TRIGGER_DISABLED": Case(
        "alter table public.notes disable trigger _800_predict_notes_insert",
        "notes",
        NOOP_TRIGGER + "alter table public.notes disable trigger noop",
    ),
    "GENERATED_CHANGED": Case(
        "create or replace function ml.tg_notes__insert() returns trigger language plpgsql"
        " as 'begin return null; end'",
        "notes",
        "comment on function ml.tg_notes__insert() is 'seen'",
    ),
    "MODEL_NOT_SERVED": Case(
        """update ml.workers set models = '{"eta": "1", "signin": "1"}'""",
        "echo",
        "update ml.workers set seen_at = clock_timestamp() - interval '14 s'",
    ),
    "LEASE_EXPIRED": Case(
        CLAIM + "update ml.leases set lease_until = clock_timestamp() - interval '61 s'",
        "w",
        CLAIM + "update ml.leases set lease_until = clock_timestamp() - interval '59 s'",
    ),
    "BREAKER_OPEN": Case(
        PROVIDER_AWAY + "update ml.models set breaker_since = now() - interval '61 min'",
        "echo",
        PROVIDER_AWAY + "update ml.models set breaker_since = now() - interval '59 min'",
    ),
    "PAUSED": Case(
        "update ml.attachments set paused_at = now() - interval '25 h' where name = 'notes'",
        "notes",
        "update ml.attachments set paused_at = now() - interval '23 h' where name = 'notes'",
    ),
    "BUDGET_SPENT": Case(
        "insert into ml.budgets values ('echo', 'model', 'calls', 1);" + CLAIM,
        "echo",
        "insert into ml.budgets values ('echo', 'model', 'calls', 2);" + CLAIM,
    ),
    "BUDGET_IDLE": Case(
        "insert into ml.budgets values ('echo', 'model', 'tokens', 1)",
        "echo",
        "insert into ml.budgets values ('echo', 'model', 'tokens', 1);"
        "update ml.models set protocol = 'openai', url = 'http://127.0.0.1' where name = 'echo'",
    ),
    "BACKFILL_STUCK": Case(
        BACKFILL + "update ml.backfills set moved_at = now() - interval '11 min'",
        "notes",
        BACKFILL + "update ml.backfills set moved_at = now() - interval '9 min'",
    ),
    "JOBS_ORPHANED": Case(
        "insert into ml.jobs (attachment_id, row_key) values (999, 'x')", "999", ONE_NOTE
    ),
    "PARTITION_MISSING": Case(
        DROP_PARTITION.format(1), "ml.predictions_", DROP_PARTITION.format(2)
    ),
    "DEFAULT_PARTITION_USED": Case(
        RECEIPT.format("'2001-01-01'"), "ml.predictions_default", RECEIPT.format("now()")
    ),
    "AUTOVACUUM_OFF": Case(
        "alter table ml.jobs set (autovacuum_enabled = off)",
        "ml.jobs",
        "alter table ml.jobs set (autovacuum_enabled = on, autovacuum_vacuum_threshold = 7)",
    ),
    "CRON_JOB_MISSING": Case(
        "select cron.unschedule('rowcast-wakeup')",
        "rowcast-wakeup",
        "select cron.schedule('other', '* * * * *', 'select 1'); select cron.unschedule('other')",
    ),
}  # fmt: skip
ELSEWHERE = {"DEAD_TUPLES", "SNAPSHOT_HELD"}  # tests of their own below, since they need commits


def findings(conn: Connection, *arguments: str) -> list[tuple[Any, ...]]:
    """(severity, finding, object, detail, fix)."""
    given = ", ".join(f"'{argument}'" for argument in arguments)
    return conn.execute(f"select * from ml.doctor({given})".encode()).fetchall()


def tokens(conn: Connection, *arguments: str) -> set[str]:
    return {row[1] for row in findings(conn, *arguments)}


@pytest.fixture
def healthy(notes: Connection) -> Connection:
    """Two attached tables, and a worker that serves both."""
    notes.execute(
        "insert into ml.workers (name, models)"
        """ values ('w', '{"eta": "1", "signin": "1", "echo": "1"}')"""
    )
    return notes


def test_nothing_is_wrong_with_a_healthy_database(healthy: Connection) -> None:
    healthy.execute(CLAIM.encode())
    assert findings(healthy) == []


def test_every_finding_has_a_case_and_is_documented() -> None:
    written = "".join(file.read_text() for file in SOURCES.glob("doctor*.sql"))
    found = set(re.findall(r"'([A-Z]+_[A-Z_]+|PAUSED)'", written))
    assert found == CASES.keys() | ELSEWHERE
    assert {token for token in found if f"`{token}`" not in HOW_TO.read_text()} == set()


@pytest.mark.parametrize("query", sorted((ROOT / "sql/ops").glob("*.sql")), ids=lambda f: f.stem)
def test_the_operators_queries_run(healthy: Connection, query: Path) -> None:
    healthy.execute(PROVIDER_AWAY.encode())
    healthy.execute(query.read_bytes())


@pytest.mark.parametrize("finding", CASES)
def test_it_is_found_and_its_fix_mends_it(healthy: Connection, finding: str) -> None:
    healthy.execute(CASES[finding].cause.encode())
    (found,) = (row for row in findings(healthy) if row[1] == finding)
    severity, _, named, detail, fix = found
    assert severity in {"error", "warning"}
    assert named.startswith(CASES[finding].names)
    assert detail
    assert fix
    if re.match(r"(select|alter) ", fix):
        healthy.execute(fix.encode())
        assert finding not in tokens(healthy)


@pytest.mark.parametrize("finding", CASES)
def test_what_only_looks_like_it_is_not_found(healthy: Connection, finding: str) -> None:
    healthy.execute(CASES[finding].harmless.encode())
    assert finding not in tokens(healthy)


def test_what_breaks_with_the_table_is_said_once(healthy: Connection) -> None:
    healthy.execute("drop table public.notes")
    assert tokens(healthy) == {"SOURCE_GONE"}


def test_a_model_without_worker_is_an_error_once_jobs_wait(healthy: Connection) -> None:
    healthy.execute("delete from ml.workers where name = 'w'")
    severities = "select object, severity from ml.doctor() where finding = 'MODEL_NOT_SERVED'"
    assert healthy.execute(severities).fetchall() == [
        ("echo", "warning"),
        ("eta", "warning"),
        ("signin", "warning"),
    ]
    healthy.execute(ONE_NOTE.encode())
    assert healthy.execute(severities).fetchall() == [
        ("echo", "error"),
        ("eta", "warning"),
        ("signin", "warning"),
    ]


def test_a_remote_model_is_served_by_whoever_calls_remote_ones(healthy: Connection) -> None:
    healthy.execute("update ml.models set protocol = 'plain', url = 'http://127.0.0.1'")
    assert tokens(healthy) == {"MODEL_NOT_SERVED"}
    healthy.execute("""update ml.workers set models = '{"*": "remote"}'""")
    assert tokens(healthy) == set()


def test_a_breaker_counts_from_its_first_fault(healthy: Connection) -> None:
    since = "select breaker_since from ml.models where name = 'echo'"
    healthy.execute(PROVIDER_AWAY.encode())
    first = value(healthy, since)
    again = """
    update ml.models set breaker_until = clock_timestamp() - interval '{} s';
    update ml.retries set run_at = clock_timestamp();
    select * from ml.claim('w', '{{"echo": "1"}}');
    select ml.fail((select token from ml.leases), 'provider', 'is away');
    """
    healthy.execute(again.format(59).encode())
    assert value(healthy, since) == first
    healthy.execute(again.format(61).encode())
    assert value(healthy, since) > first


def test_an_owners_budget_is_told_without_the_owner(healthy: Connection) -> None:
    healthy.execute("""
        insert into ml.budgets values ('echo', 'owner', 'calls', 3);
        insert into ml.usage (model, day, owner_id, calls)
        select 'echo', (now() at time zone 'UTC')::date, x, c
        from (values (gen_random_uuid(), 3), (gen_random_uuid(), 2), (null, 5)) as v (x, c);
    """)
    ((_, finding, _, detail, _),) = findings(healthy)
    assert (finding, detail) == (
        "BUDGET_SPENT", "1 owners have spent their 3 calls until midnight UTC",
    )  # fmt: skip


def test_a_backfill_that_waits_for_its_jobs_is_not_stuck(healthy: Connection) -> None:
    healthy.execute(CASES["BACKFILL_STUCK"].cause.encode())
    healthy.execute("""
        insert into ml.jobs (attachment_id, is_background, row_key)
        select a.id, true, 'k' || n from ml.attachments as a, generate_series(1, 20000) as n
        where a.name = 'notes'
    """)
    assert "BACKFILL_STUCK" not in tokens(healthy)


def test_retries_and_leases_of_nobody_are_found_too(healthy: Connection) -> None:
    healthy.execute(PROVIDER_AWAY.encode())
    healthy.execute("update ml.retries set attachment_id = 999")
    healthy.execute(CLAIM.replace("1,", "2,").encode())
    healthy.execute("update ml.models set breaker_until = null")
    healthy.execute("""select * from ml.claim('w', '{"echo": "1"}')""")
    healthy.execute("update ml.leases set attachment_id = 998")
    assert column(healthy, "select object from ml.doctor() where finding = 'JOBS_ORPHANED'") == [
        "998",
        "999",
    ]


def test_receipts_of_the_default_partition_get_their_month_as_documented(fresh_db: str) -> None:
    """The procedure of docs/how-to/operate-the-queue.md, for this month instead of its example."""
    (procedure,) = re.findall(r"```sql\n(begin;.*?)```", HOW_TO.read_text(), re.DOTALL)
    with psycopg.connect(fresh_db, autocommit=True) as conn:
        month = "select to_char(date_trunc('month', now()) + interval '{} month', '{}')"
        for example, ahead, form in (
            ("202611", 0, "YYYYMM"),
            ("2026-11-01", 0, "YYYY-MM-DD"),
            ("2026-12-01", 1, "YYYY-MM-DD"),
        ):
            procedure = procedure.replace(example, value(conn, month.format(ahead, form)))
        conn.execute(DROP_PARTITION.format(0).encode())
        conn.execute(RECEIPT.format("now()").encode())
        both = {"PARTITION_MISSING", "DEFAULT_PARTITION_USED"}
        assert tokens(conn) & both == both
        conn.execute(procedure.encode())
        assert tokens(conn) & both == set()
        conn.execute(RECEIPT.format("now()").encode())
        assert column(conn, "select count(*) from public.predictions") == [2]
        shut = "select has_table_privilege('authenticated', tableoid, 'select')"
        assert set(column(conn, f"{shut} from public.predictions")) == {False}


def test_a_server_that_counts_nothing_vacuums_nothing(server: Server, fresh_db: str) -> None:
    database = psycopg.conninfo.conninfo_to_dict(fresh_db)["dbname"]
    with psycopg.connect(server.admin_url, dbname=str(database)) as admin:
        admin.execute("set track_counts = off")
        found = [row[2] for row in findings(admin) if row[1] == "AUTOVACUUM_OFF"]
    assert found == ["ml.jobs", "ml.leases", "ml.retries"]


def test_dead_rows_are_told_until_they_are_cleared(fresh_db: str) -> None:
    fill = """
    insert into ml.retries
    select 999, n, gen_random_uuid(), now(), now(), false, false, 0, 0, 0, 'item_fault'
    from generate_series(1, {}) as n
    """
    dead = (
        "select from pg_stat_user_tables where relid = 'ml.retries'::regclass and n_dead_tup >= {}"
    )
    with psycopg.connect(fresh_db, autocommit=True) as conn:
        conn.execute("alter table ml.retries set (autovacuum_enabled = off)")
        for count, told in ((100_000, False), (1, True)):
            conn.execute(fill.format(count).encode())
            conn.execute("delete from ml.retries")
            conn.execute("select pg_stat_force_next_flush()")
            wait_for_row(fresh_db, dead.format(count + 100_000 * told))
            assert ("DEAD_TUPLES" in tokens(conn)) is told
        conn.execute("vacuum ml.retries")
        assert "DEAD_TUPLES" not in tokens(conn)


def held(conn: Connection, held_for: str = "0 s") -> list[tuple[str, str]]:
    return [(row[2], row[4]) for row in findings(conn, held_for) if row[1] == "SNAPSHOT_HELD"]


@pytest.mark.parametrize(
    "begin",
    ["begin isolation level repeatable read; select 1", "begin; select pg_current_xact_id()"],
)
def test_a_session_that_holds_the_horizon_is_told(fresh_db: str, begin: str) -> None:
    with (
        psycopg.connect(fresh_db, autocommit=True) as conn,
        closing(psycopg.connect(fresh_db, autocommit=True)) as idler,
    ):
        idler.execute("begin; select 1")
        assert held(conn) == [], "idle in a transaction, and holds nothing"
        idler.execute("rollback")
        idler.execute(begin.encode())
        ((named, fix),) = held(conn)
        assert named == f"session {idler.info.backend_pid}"
        assert held(conn, "10 minutes") == []
        conn.execute(fix.encode())
        wait_for_row(
            fresh_db,
            "select where not exists (select from pg_stat_activity"
            f" where pid = {idler.info.backend_pid})",
        )
        assert held(conn) == []


def test_a_replication_slot_that_nobody_reads_is_told(server: Server, fresh_db: str) -> None:
    database = str(psycopg.conninfo.conninfo_to_dict(fresh_db)["dbname"])
    with psycopg.connect(server.admin_url, dbname=database, autocommit=True) as admin:
        slot = f"of_{database}"
        admin.execute("select pg_create_logical_replication_slot(%s, 'test_decoding')", [slot])
        ((named, fix),) = held(admin)
        assert named == f"replication slot {slot}"
        assert held(admin, "10 minutes") == []
        admin.execute(fix.encode())
        assert held(admin) == []


def test_a_prepared_transaction_is_told(fresh_db: str) -> None:
    with psycopg.connect(fresh_db, autocommit=True) as conn:
        if value(conn, "show max_prepared_transactions") == "0":
            pytest.skip("the server allows no prepared transactions")
        conn.execute("begin; select pg_current_xact_id(); prepare transaction 'left behind'")
        ((named, fix),) = held(conn)
        assert named == "prepared transaction left behind"
        assert held(conn, "10 minutes") == []
        conn.execute(fix.encode())
        assert held(conn) == []
