"""The service logs in as its own role, which has five doors and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.db.pipeline import Connection, Worker, column, eta, eta_of, pickups, value
from tests.personas import DENIED, make_user, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DOORS = {
    "ml.claim(text,jsonb,integer,jsonb,text,text,jsonb)",
    "ml.commit(uuid,jsonb,text,integer[],double precision[],double precision[],bigint,text)",
    "ml.fail(uuid,text,text,integer[],real,text)",
    "ml.heartbeat(text,jsonb,uuid[],jsonb)",
    "ml.queue_stats()",
}

# What the platform grants to PUBLIC, and so to every role that can log in.
PUBLIC_SCHEMAS = {"public", "extensions"}
PUBLIC_TABLES = {
    "extensions.pg_all_foreign_keys",  # views of catalogues that everybody may read
    "extensions.pg_stat_statements",  # hides other roles' statements
    "extensions.pg_stat_statements_info",
    "extensions.tap_funky",
}
# Every function outside the system's own schemas and the extensions'.
OURS_AND_THE_PLATFORMS = """
  select p.oid, p.pronamespace, n.nspname || '.' || p.proname as name
  from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace
  where n.nspname not in ('pg_catalog', 'information_schema', 'extensions')
    and n.nspname !~ '^pg_(temp|toast)'
"""


@pytest.fixture
def service(
    connect: Callable[[], Connection], playground: str, service_url: Callable[[str], str]
) -> Iterator[Connection]:
    """A session as the service has it."""
    connect()  # so that the database is emptied afterwards
    with psycopg.connect(service_url(playground), autocommit=True) as connection:
        yield connection


def test_the_service_does_its_work_through_five_functions(
    service: Connection, connect: Callable[[], Connection]
) -> None:
    owner = connect()
    done, failed = pickups(owner, make_user(owner), 2)
    assert value(service, "select current_user") == "rowcast_service"
    worker = Worker(service, {"eta": "1"}, reader=owner)
    jobs = {job.row_key: job for job in worker.claim()}
    token = jobs[str(done)].token
    assert worker.heartbeat(token) == [token]
    assert worker.commit(jobs[str(done)], output=eta(700)) == ["done"]
    assert worker.fail(jobs[str(failed)]) == 1
    assert eta_of(owner, done) == (700, "model")
    owner.execute("delete from ml.queue_state")  # so that it is counted now
    waiting = "select waiting from ml.queue_stats() where prediction = 'pickup_eta'"
    assert value(service, waiting) == 1


def test_a_failure_for_good_and_a_webhook_need_no_other_right(
    service: Connection, connect: Callable[[], Connection]
) -> None:
    owner = connect()
    (pickup,) = pickups(owner, make_user(owner))
    owner.execute("update ml.models set max_attempts = 1 where name = 'eta'")
    worker = Worker(service, {"eta": "1"}, reader=owner)
    change = {"schema": "public", "table": "pickup_requests", "record": {"id": str(pickup)}}
    (job,) = worker.claim(p_webhook_id="msg_1", p_change=change)
    assert worker.fail(job) == 1
    assert column(owner, "select reason from ml.dead_letters") == ["item_fault"]


def test_it_can_execute_nothing_else(service: Connection) -> None:
    granted = column(
        service,
        f"select f.oid::regprocedure::text from ({OURS_AND_THE_PLATFORMS}) as f"
        " join pg_proc as p on p.oid = f.oid,"
        " aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as a"
        " where a.grantee = current_user::regrole and f.name !~ '^pg_temp'",
    )
    assert set(granted) == DOORS
    reachable = column(
        service,
        f"select f.oid::regprocedure::text from ({OURS_AND_THE_PLATFORMS}) as f"
        " where has_schema_privilege(f.pronamespace, 'usage')"
        " and has_function_privilege(f.oid, 'execute')",
    )
    assert set(reachable) == DOORS


def test_it_can_touch_no_table_column_or_sequence(service: Connection) -> None:
    relations = """
      select n.nspname || '.' || c.relname as name, c.oid, c.relkind
      from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
      where n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_'
        and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
    """
    verbs = "select,insert,update,delete,truncate,references,trigger,maintain"
    tables = column(
        service,
        f"select name from ({relations}) as r where case when relkind <> 'S' then"
        f" has_table_privilege(oid, '{verbs}')"
        " or has_any_column_privilege(oid, 'select,insert,update,references') end",
    )
    assert set(tables) <= PUBLIC_TABLES
    sequences = column(
        service,
        f"select name from ({relations}) as r where case when relkind = 'S'"
        " then has_sequence_privilege(oid, 'usage,select,update') end",
    )
    assert sequences == []
    assert value(service, f"select count(*) > 20 from ({relations}) as r") is True


def test_it_sees_one_schema_of_ours_and_makes_nothing(service: Connection) -> None:
    namespaces = "from pg_namespace where nspname !~ '^pg_|^information_schema$'"
    usable = f"select nspname {namespaces} and has_schema_privilege(oid, 'usage')"
    assert set(column(service, usable)) == {*PUBLIC_SCHEMAS, "ml"}
    creatable = f"select nspname {namespaces} and has_schema_privilege(oid, 'create')"
    assert column(service, creatable) == []


def test_it_is_no_member_of_any_role_and_has_no_attribute(service: Connection) -> None:
    mine = "select from pg_auth_members where member = current_user::regrole"
    assert service.execute(mine).fetchall() == []
    attributes = service.execute(
        "select rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, rolinherit"
        " from pg_roles where rolname = current_user"
    ).fetchone()
    assert attributes == (False,) * 6


@pytest.mark.parametrize(
    "attack",
    [
        "table public.profiles",
        "table public.pickup_requests",
        "table public.predictions",
        "table ml.jobs",
        "table ml.models",
        "insert into ml.jobs (attachment_id, row_key) values (1, 'x')",
        "update ml.models set max_attempts = 100",
        "delete from ml.dead_letters",
        "table ml.leases",
        "table ml.retries",
        "table ml.queue",
        "table ml.budgets",
        "update ml.usage set calls = 0",
        "select nextval('ml.dead_letters_id_seq')",
        "select ml.pause('pickup_eta')",
        "select ml.reclaim_expired()",
        "select ml.backfill('pickup_eta')",
        "select ml.advance_backfills()",
        "select ml.pickup_eta__read('{}', true)",
        "select ml.redrive()",
        "select ml.cancel('pickup_eta', 'x')",
        "select ml.maintain()",
        "select ml.attach('x', 'public.profiles', 'x', 'null', array['id'], 'x')",
        "select ml.enqueue(1::smallint, array['x'])",
        "select private.advance_pickup(gen_random_uuid(), 'completed')",
        "select public.me()",
        "table vault.decrypted_secrets",
        "table auth.users",
        "select cron.schedule('* * * * *', 'select 1')",
        "select realtime.send('{}', 'e', 'user:x', true)",
        "create table public.mine (id int)",
        "create table ml.mine (id int)",
        "set role postgres",
        "set role service_role",
        "copy (select 1) to program 'true'",
    ],
)
def test_a_stolen_password_opens_nothing_else(service: Connection, attack: str) -> None:
    with refused(service, DENIED):
        service.execute(attack)
