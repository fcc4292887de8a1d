"""The stand-ins for what Supabase preinstalls: shapes, owners, and no right too many."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest

from rowcast.stack import bootstrap

if TYPE_CHECKING:
    from rowcast.stack.stack import Stack, Status

    Connection = psycopg.Connection[tuple[Any, ...]]

pytestmark = pytest.mark.usefixtures("stack")  # the embedded stack only; the platform has its own

REFUSED = psycopg.errors.InsufficientPrivilege
API_ROLES = ["anon", "authenticated", "service_role"]


def one(db: Connection, query: str, *params: Any) -> Any:
    row = db.execute(query, params).fetchone()
    assert row is not None
    return row[0]


# --- role postgres -------------------------------------------------------------------------------


def test_postgres_is_no_superuser_and_cannot_become_one(db: Connection) -> None:
    assert one(db, "select current_setting('is_superuser')") == "off"
    for attempt in (
        "set role supabase_admin",
        "alter role postgres superuser",
        "create role mallory superuser",
        "grant supabase_admin to postgres",
        "set role supabase_auth_admin",
        "copy public.profiles from program 'id'",
    ):
        with pytest.raises(psycopg.Error, match=r"permission denied|must be|may"), db.transaction():
            db.execute(attempt)


def test_postgres_does_on_auth_users_what_the_platform_lets_it(db: Connection) -> None:
    db.execute("select id, email from auth.users")
    db.execute("create table public.standin_t (id uuid references auth.users on delete cascade)")
    db.execute(
        """create function public.standin_f() returns trigger language plpgsql as
           $$ begin return new; end $$"""
    )
    db.execute(
        """create trigger standin after insert on auth.users
           for each row execute function public.standin_f()"""
    )
    for attempt in (
        "alter table auth.users add column x int",
        "drop table auth.users",
        "create table auth.mine ()",
        "create table storage.mine ()",
        "create table realtime.mine ()",
        "create or replace function auth.uid() returns uuid language sql as 'select null::uuid'",
    ):
        with pytest.raises(REFUSED), db.transaction():
            db.execute(attempt)


def test_postgres_makes_policies_on_messages_and_objects(db: Connection) -> None:
    for table in ("realtime.messages", "storage.objects", "storage.buckets"):
        db.execute(f"create policy standin on {table} for select to authenticated using (true)")
        db.execute(f"drop policy standin on {table}")
        assert one(db, "select relrowsecurity from pg_class where oid = %s::regclass", table)
        for attempt in (
            f"alter table {table} disable row level security",
            f"alter table {table} add column x int",
            f"create index on {table} (id)",
            f"drop table {table} cascade",
        ):
            with pytest.raises(REFUSED), db.transaction():
                db.execute(attempt)


@pytest.mark.parametrize("role", API_ROLES)
def test_clients_see_no_table_of_auth(db: Connection, role: str) -> None:
    db.execute(f"set local role {role}")
    for table in ("users", "sessions", "refresh_tokens", "identities"):
        with pytest.raises(REFUSED), db.transaction():
            db.execute(f"select from auth.{table}")


def test_untrusted_extensions_are_there_already(db: Connection) -> None:
    for name in ("vector", "earthdistance", "pgcrypto", "uuid-ossp", "pg_stat_statements"):
        db.execute(f'create extension if not exists "{name}" with schema extensions')
    assert one(db, "select '[1,2]'::vector <-> '[1,3]'") == 1.0
    db.execute("create extension if not exists pg_trgm with schema extensions")


def test_a_storage_request_opens_no_other_schema(platform: Status, admin: Connection) -> None:
    bucket = {"id": "standin-grants", "name": "standin-grants"}
    httpx.post(
        platform.api_url + "/storage/v1/bucket",
        headers={"apikey": platform.secret_key},
        json=bucket,
    )
    opened = admin.execute(
        """
        select c.oid::regclass::text, r.role
        from pg_catalog.pg_class as c
        cross join unnest(array['anon', 'authenticated', 'service_role']) as r (role)
        where c.relkind in ('r', 'p')
          and c.relnamespace::regnamespace::text
              in ('auth', 'vault', 'cron', 'net', 'ml', 'private')
          and has_table_privilege(r.role, c.oid, 'insert, update, truncate')
        """
    ).fetchall()
    assert opened == []
    defaults = admin.execute(
        """select distinct defaclnamespace::regnamespace::text from pg_catalog.pg_default_acl
           where array_to_string(defaclacl, ' ') ~ '(anon|authenticated)='"""
    ).fetchall()
    assert {schema for (schema,) in defaults} <= {"public", "storage"}


def test_the_service_reaches_neither_pg_net_nor_pg_cron(admin: Connection) -> None:
    with admin.transaction(force_rollback=True):
        admin.execute("set local role rowcast_service")
        for attempt in (
            "select net.http_get('http://127.0.0.1:1/')",
            "select net.http_post('http://127.0.0.1:1/')",
            "table net.http_request_queue",
            "select cron.schedule('* * * * *', 'select 1')",
            "table cron.job",
        ):
            with pytest.raises(REFUSED), admin.transaction():
                admin.execute(attempt)
    # Nor does one grant alone keep it out, so that a later USAGE opens nothing by surprise.
    held = admin.execute(
        """
        select oid::regprocedure::text from pg_catalog.pg_proc
        where pronamespace in ('net'::regnamespace, 'cron'::regnamespace)
          and has_function_privilege('rowcast_service', oid, 'execute')
        union all
        select oid::regclass::text from pg_catalog.pg_class
        where relnamespace in ('net'::regnamespace, 'cron'::regnamespace) and relkind = 'r'
          and has_table_privilege('rowcast_service', oid, 'select, insert, update, delete')
        union all
        select nspname from pg_catalog.pg_namespace
        where nspname in ('net', 'cron') and has_schema_privilege('rowcast_service', oid, 'usage')
        """
    ).fetchall()
    assert held == []


@pytest.mark.parametrize("role", [*API_ROLES, "postgres"])
def test_the_platforms_roles_may_call_pg_net(db: Connection, role: str) -> None:
    db.execute(f"set local role {role}")
    for call in ("http_get('http://x')", "http_post('http://x')", "http_delete('http://x')"):
        db.execute(f"select net.{call}")


# --- auth.uid() and its like ---------------------------------------------------------------------


def test_auth_functions_read_claims_and_take_empty_as_absent(db: Connection) -> None:
    query = "select auth.uid()::text, auth.role(), auth.email(), auth.jwt() ->> 'x'"
    assert db.execute(query).fetchone() == (None, None, None, None)
    uid = "11111111-1111-4111-8111-111111111111"
    claims = {"sub": uid, "role": "authenticated", "email": "a@b.c", "x": "y"}
    db.execute("select set_config('request.jwt.claims', %s, true)", (json.dumps(claims),))
    assert db.execute(query).fetchone() == (uid, "authenticated", "a@b.c", "y")
    db.execute("select set_config('request.jwt.claims', '', true)")
    assert db.execute(query).fetchone() == (None, None, None, None)


def test_auth_functions_survive_the_auth_servers_own(admin: Connection) -> None:
    with admin.transaction(force_rollback=True):
        admin.execute(
            """create or replace function auth.uid() returns uuid as $$
                 select nullif(current_setting('request.jwt.claim.sub', true), '')::uuid;
               $$ language sql stable"""
        )
        uid = "11111111-1111-4111-8111-111111111111"
        admin.execute(
            "select set_config('request.jwt.claims', %s, true)", (json.dumps({"sub": uid}),)
        )
        assert one(admin, "select auth.uid()::text") == uid
        owner = "select proowner::regrole::text from pg_proc where oid = 'auth.uid'::regproc"
        assert one(admin, owner) == "supabase_auth_admin"


# --- vault ---------------------------------------------------------------------------------------


def test_vault_keeps_changes_and_gives_a_secret(db: Connection) -> None:
    secret = one(db, "select vault.create_secret('s3cret', 'standin', 'for a test')")
    read = "select decrypted_secret, name, description from vault.decrypted_secrets where id = %s"
    assert db.execute(read, (secret,)).fetchone() == ("s3cret", "standin", "for a test")
    assert "s3cret" not in one(db, "select secret from vault.secrets where id = %s", secret)
    db.execute("select vault.update_secret(%s, 'other')", (secret,))
    assert db.execute(read, (secret,)).fetchone() == ("other", "standin", "for a test")
    with pytest.raises(psycopg.errors.UniqueViolation), db.transaction():
        db.execute("select vault.create_secret('x', 'standin')")
    with pytest.raises(REFUSED):
        db.execute("update vault.secrets set secret = ''")


@pytest.mark.parametrize("role", ["anon", "authenticated"])
def test_clients_read_no_secret(db: Connection, role: str) -> None:
    db.execute(f"set local role {role}")
    for attempt in (
        "select from vault.decrypted_secrets",
        "select vault.create_secret('x')",
        "select vault._standin_decrypt('')",
    ):
        with pytest.raises(REFUSED), db.transaction():
            db.execute(attempt)


# --- realtime ------------------------------------------------------------------------------------


def test_send_adds_an_id_and_never_fails_its_caller(db: Connection) -> None:
    notices: list[str] = []
    db.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
    db.execute("""select realtime.send('{"a": 1}', 'e', 't')""")
    row = db.execute(
        "select payload ->> 'a', payload ->> 'id' = id::text, private, extension "
        "from realtime.messages where topic = 't'"
    ).fetchone()
    assert row == ("1", True, True, "broadcast")
    db.execute("set local role authenticated")
    db.execute("select realtime.send('{}', 'e', 'not mine')")
    assert "row-level security" in notices[-1]


def test_broadcast_changes_carries_both_records(db: Connection) -> None:
    db.execute("create table public.standin_t (n int)")
    db.execute(
        """create function public.standin_f() returns trigger language plpgsql as $$ begin
             perform realtime.broadcast_changes(
               'topic', tg_op, tg_op, tg_table_name, tg_table_schema, new, old);
             return null; end $$"""
    )
    db.execute(
        """create trigger t after insert or update or delete on public.standin_t
           for each row execute function public.standin_f()"""
    )
    db.execute("insert into public.standin_t values (1)")
    db.execute("update public.standin_t set n = 2")
    payload = one(
        db, "select payload from realtime.messages where topic = 'topic' and event = 'UPDATE'"
    )
    assert (payload["record"], payload["old_record"]) == ({"n": 2}, {"n": 1})
    assert (payload["table"], payload["schema"]) == ("standin_t", "public")


def test_a_thousand_rows_in_one_statement_are_announced_in_chunks(fresh_db: str) -> None:
    with psycopg.connect(fresh_db, autocommit=True) as listener:
        listener.execute("listen rowcast_realtime")
        with psycopg.connect(fresh_db, autocommit=True) as writer:
            writer.execute(
                """insert into realtime.messages (topic, extension)
                   select 't', 'broadcast' from generate_series(1, 1000)"""
            )
        chunks = [n.payload for n in listener.notifies(timeout=10, stop_after=6)]
    assert all(len(chunk) < 8000 for chunk in chunks)
    assert len({id for chunk in chunks for id in chunk.split(",")}) == 1000  # noqa: A001


# --- what the official CLI does with it ----------------------------------------------------------


def test_the_cli_resets_the_database_as_postgres(fresh_db: str) -> None:
    with psycopg.connect(fresh_db, autocommit=True) as connection:
        connection.execute("create policy mine on storage.objects for select using (true)")
        connection.execute("create table public.standin_t ()")
    done = bootstrap.run_cli(["db", "reset", "--yes"], fresh_db)
    assert done.returncode == 0, done.stderr
    with psycopg.connect(fresh_db) as connection:
        assert one(connection, "select to_regclass('public.standin_t')") is None
        assert one(connection, "select '[1,2]'::extensions.vector is not null")
        left = "select count(*) from pg_policies where policyname = 'mine'"
        assert one(connection, left) == 0


# --- running them again --------------------------------------------------------------------------


def test_running_the_stand_ins_twice_changes_nothing(stack: Stack, fresh_db: str) -> None:
    admin_url = psycopg.conninfo.make_conninfo(
        stack.status().admin_db_url, dbname=psycopg.conninfo.conninfo_to_dict(fresh_db)["dbname"]
    )
    rights = """
        select coalesce(string_agg(c.oid::regclass || ' ' || c.relacl::text, e'\n'
                        order by c.oid::regclass::text), '')
        from pg_class as c where c.relnamespace::regnamespace::text
          in ('auth', 'storage', 'realtime', 'vault', 'net', 'cron')
    """
    with psycopg.connect(admin_url, autocommit=True) as connection:
        before = one(connection, rights)
        for stage in ("before_auth", "after_auth"):
            bootstrap.run_platform_sql(connection, stage)
        assert one(connection, rights) == before
