"""Rate limits: a burst, then a trickle, for each caller by itself; and nobody queues for it."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.db.pipeline import Connection, column, value
from tests.personas import as_service, as_user, make_user, refused
from tests.requests import request, throttled, token_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

SLOW = 0.001  # so slow a refill that none comes while a test runs


def limit(db: Connection, capacity: int, caller: str = "authenticated", **more: Any) -> str:
    """The only limit there is for this kind of caller."""
    reads = more.pop("reads", False)
    db.execute(
        "delete from private.rate_limits where caller = %s and for_reads = %s", [caller, reads]
    )
    return add_limit(db, capacity, caller, reads=reads, **more)


def add_limit(
    db: Connection,
    capacity: int,
    caller: str = "authenticated",
    *,
    reads: bool = False,
    refill: float = SLOW,
    path: str | None = None,
) -> str:
    return str(
        value(
            db,
            "insert into private.rate_limits"
            " (name, caller, for_reads, path, capacity, refill_per_second)"
            " values ('t' || (random() * 1e9)::int, %s, %s, %s, %s, %s) returning name",
            [caller, reads, path, capacity, refill],
        )
    )


def ask(
    db: Connection, claims: Mapping[str, Any] | None = None, times: int = 1, **how: Any
) -> None:
    for _ in range(times):
        with request(db, claims, **how):
            pass


@pytest.mark.parametrize("capacity", [1, 2, 5, 100])
def test_a_burst_and_then_no_more(db: Connection, rider: UUID, other: UUID, capacity: int) -> None:
    limit(db, capacity)
    ask(db, token_of(rider), capacity)
    with throttled(db) as answer:
        ask(db, token_of(rider))
    assert int(answer["Retry-After"]) >= 1
    ask(db, token_of(other))


def test_the_bucket_fills_again(db: Connection, rider: UUID) -> None:
    limit(db, 3, refill=0.5)
    ask(db, token_of(rider), 3)
    with throttled(db) as answer:
        ask(db, token_of(rider))
    wait = f"{answer['Retry-After']} seconds"
    db.execute("update private.rate_buckets set full_at = full_at - %s::interval", [wait])
    ask(db, token_of(rider))


def test_in_the_long_run_it_is_the_refill(db: Connection, rider: UUID) -> None:
    limit(db, 40, refill=10)
    ask(db, token_of(rider), 40)
    admitted = 0
    for _ in range(20):  # ten seconds, half a second each
        db.execute("update private.rate_buckets set full_at = full_at - interval '0.5 seconds'")
        for _ in range(10):
            try:
                with db.transaction():
                    ask(db, token_of(rider))
            except psycopg.Error:
                break
            admitted += 1
    assert 90 <= admitted <= 115


def test_reads_are_counted_although_their_transactions_write_nothing(
    database_template: str,
) -> None:
    """In settings of the session, so the session here commits like PostgREST's do."""
    with psycopg.connect(database_template) as db:
        db.execute("set session characteristics as transaction read only")
        db.rollback()
        take = "select private.take_read_token('t', %s, 3, 0.001)"
        for _ in range(3):
            assert value(db, take, ["me"]) == 0
            db.commit()
        assert value(db, take, ["me"]) > 0
        assert value(db, take, ["you"]) == 0


def test_reads_and_writes_have_their_own_limits(db: Connection, rider: UUID) -> None:
    limit(db, 1)
    limit(db, 1, reads=True)
    ask(db, token_of(rider))
    with throttled(db):
        ask(db, token_of(rider))
    ask(db, token_of(rider), method="GET")


def test_an_address_has_a_bucket_and_its_owner_cannot_choose_another(db: Connection) -> None:
    limit(db, 2, "anon")
    ask(db, headers={"x-forwarded-for": "203.0.113.9"})
    ask(db, headers={"x-forwarded-for": "10.9.9.9, 203.0.113.9"})
    with throttled(db):
        ask(db, headers={"x-forwarded-for": "10.8.8.8, 203.0.113.9"})
    ask(db, headers={"x-forwarded-for": "203.0.113.10"})


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ({"x-forwarded-for": "203.0.113.9"}, "203.0.113.9"),
        ({"x-forwarded-for": "1.1.1.1,203.0.113.9"}, "203.0.113.9"),
        ({"x-forwarded-for": "1.1.1.1", "cf-connecting-ip": "203.0.113.9"}, "203.0.113.9"),
        ({"x-forwarded-for": "2001:db8:1:2:3::4"}, "2001:db8:1:2::/64"),
        ({"x-forwarded-for": "2001:db8:1:2:5::6"}, "2001:db8:1:2::/64"),
        ({"x-forwarded-for": "'; drop table x"}, "unknown"),
        ({"x-forwarded-for": "1.1.1.1,"}, "unknown"),
        ({}, "unknown"),
        (None, "unknown"),
    ],
)
def test_the_address_is_what_the_last_proxy_saw(
    db: Connection, headers: dict[str, str] | None, address: str
) -> None:
    given = Jsonb(headers) if headers is not None else None
    assert value(db, "select private.client_address(%s)", [given]) == address


def test_a_person_is_counted_wherever_they_come_from(db: Connection, rider: UUID) -> None:
    limit(db, 1)
    ask(db, token_of(rider), headers={"x-forwarded-for": "203.0.113.1"})
    with throttled(db):
        ask(db, token_of(rider), headers={"x-forwarded-for": "203.0.113.2"})


def test_all_keys_of_a_person_share_one_bucket(db: Connection, rider: UUID) -> None:
    limit(db, 2, "api_key")
    with as_user(db, rider):
        keys = [value(db, "select (public.create_api_key('x', '{write}')).key") for _ in range(3)]
    for key in keys[:2]:
        ask(db, headers={"x-api-key": key})
    with throttled(db):
        ask(db, headers={"x-api-key": keys[2]})


@pytest.mark.parametrize("path", ["/rpc/update_me", "/profiles"])
def test_a_loop_does_not_fill_the_audit_log(db: Connection, rider: UUID, path: str) -> None:
    me = token_of(rider)
    ask(db, me, 100, path=path)
    with throttled(db):
        ask(db, me, path=path)
    ask(db, me, path="/rpc/hello")


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        ("/rpc/me", "/rpc/me"),
        ("/rpc/%6De%C3%bc", "/rpc/meü"),
        ("/%2525%", "/%25%"),
        ("/%", "/%"),
        ("/%zz", "/%zz"),
        ("/%ff", "/%ff"),
        ("/a%00", "/a%00"),
        ("", ""),
    ],
)
def test_a_path_is_read_as_postgrest_reads_it(db: Connection, path: str, plain: str) -> None:
    assert db.execute("select private.plain_path(%s)", [path]).fetchone() == (plain,)


def test_a_path_has_a_limit_of_its_own_beside_the_general_one(db: Connection, rider: UUID) -> None:
    limit(db, 5)
    add_limit(db, 1, path="/rpc/dear")
    add_limit(db, 2, path="/rpc/many_*")
    me = token_of(rider)
    ask(db, me, path="/rpc/dear")
    with throttled(db):
        ask(db, me, path="/rpc/dear")
    ask(db, me, path="/rpc/many_a")
    ask(db, me, path="/rpc/many_b")
    with throttled(db):
        ask(db, me, path="/rpc/many_c")
    ask(db, me, 2, path="/rpc/dear_not")
    with throttled(db):
        ask(db, me, path="/rpc/hello")


def test_a_role_may_be_given_more(db: Connection, rider: UUID, other: UUID) -> None:
    limit(db, 1)
    add_limit(db, 5, "support", refill=SLOW * 2)
    db.execute("insert into public.user_roles (user_id, role) values (%s, 'support')", [rider])
    ask(db, token_of(rider), 5)
    ask(db, token_of(other))
    for user in (rider, other):
        with throttled(db):
            ask(db, token_of(user))


def test_without_a_limit_there_is_none(db: Connection) -> None:
    count = "select count(*) from private.rate_buckets"
    before = value(db, count)
    ask(db, {"role": "service_role"}, 20)
    assert value(db, count) == before


def test_a_failing_request_takes_its_charge_back(db: Connection, rider: UUID) -> None:
    """Documented: what checks a secret answers that it is wrong, rather than raise."""
    limit(db, 1)
    with pytest.raises(psycopg.errors.DivisionByZero), request(db, token_of(rider)):
        db.execute("select 1 / 0")
    ask(db, token_of(rider))


def test_parallel_requests_of_one_person_do_not_wait_for_each_other(fresh_db: str) -> None:
    """Each is held open until all eight are inside; a queue would never let them meet."""
    with psycopg.connect(fresh_db) as connection:
        rider = make_user(connection)
    inside = threading.Barrier(8)

    def slow_request(_: int) -> None:
        with psycopg.connect(fresh_db) as connection, request(connection, token_of(rider)):
            inside.wait(timeout=30)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(slow_request, range(8)))
    with psycopg.connect(fresh_db) as connection:
        taken = "select slot from private.rate_buckets where caller = %s order by 1"
        assert column(connection, taken, [str(rider)]) == [*range(8)]


def test_parallel_requests_get_no_more_than_the_bucket_holds(fresh_db: str) -> None:
    with psycopg.connect(fresh_db) as connection:
        rider = make_user(connection)
        limit(connection, 10)

    def burst(_: int) -> Counter[str | None]:
        answers: Counter[str | None] = Counter()
        with psycopg.connect(fresh_db, autocommit=True) as connection:
            for _ in range(10):
                try:
                    ask(connection, token_of(rider))
                except psycopg.Error as error:
                    answers[error.sqlstate] += 1
                else:
                    answers["admitted"] += 1
        return answers

    with ThreadPoolExecutor(5) as pool:
        answers = sum(pool.map(burst, range(5)), Counter())
    assert answers == {"admitted": 10, "PGRST": 40}


def test_full_buckets_are_forgotten_and_others_kept(db: Connection) -> None:
    db.execute(
        "insert into private.rate_buckets (caller, limit_name, slot, full_at) values"
        " ('a', 'x', 0, now() - interval '1 second'), ('b', 'x', 0, now() + interval '1 hour')"
    )
    db.execute("select private.forget_rate_buckets()")
    assert column(db, "select caller from private.rate_buckets where limit_name = 'x'") == ["b"]
    scheduled = "select command from cron.job where jobname = 'rowcast-rate-buckets'"
    assert value(db, scheduled) == "select private.forget_rate_buckets()"


def test_the_table_of_buckets_is_unlogged(db: Connection) -> None:
    kind = "select relpersistence from pg_class where oid = 'private.rate_buckets'::regclass"
    assert value(db, kind) == "u"


# The functions


def holder(db: Connection) -> UUID:
    user = make_user(db)
    db.execute("insert into public.user_roles (user_id, role) values (%s, 'admin')", [user])
    return user


def test_a_limit_is_set_and_holds_at_once(db: Connection, rider: UUID) -> None:
    admin = holder(db)
    with as_user(db, admin):
        row = db.execute(
            "select name, caller, for_reads, path, capacity, refill_per_second, updated_by"
            " from public.set_rate_limit('user_writes', 1, 0.001)"
        ).fetchone()
        assert row == ("user_writes", "authenticated", False, None, 1, 0.001, admin)
        names = column(db, "select name from public.rate_limits()")
        assert names == sorted(names)
        assert "user_writes" in names
    ask(db, token_of(rider))
    with throttled(db):
        ask(db, token_of(rider))
    with as_user(db, admin):
        db.execute("select public.set_rate_limit('user_writes', 1000, 100)")
    ask(db, token_of(rider), 2)


def test_a_limit_is_made_and_removed(db: Connection, rider: UUID) -> None:
    admin = holder(db)
    make = "select public.set_rate_limit('dear', 1, 0.001, 'authenticated', false, '/rpc/dear')"
    with as_user(db, admin):
        db.execute(make)
    ask(db, token_of(rider), path="/rpc/dear")
    with throttled(db):
        ask(db, token_of(rider), path="/rpc/dear")
    with as_user(db, admin):
        db.execute("select public.remove_rate_limit('dear')")
        with refused(db, "PT404", "RATE_LIMIT_NOT_FOUND"):
            db.execute("select public.remove_rate_limit('dear')")
    ask(db, token_of(rider), path="/rpc/dear")


@pytest.mark.parametrize(
    ("arguments", "state", "token"),
    [
        ("'x', 0, 1", "PT422", "RATE_LIMIT_OUT_OF_RANGE"),
        ("'x', -1, 1", "PT422", "RATE_LIMIT_OUT_OF_RANGE"),
        ("'x', null, 1", "PT422", "RATE_LIMIT_OUT_OF_RANGE"),
        ("'x', 1, 0", "PT422", "RATE_LIMIT_OUT_OF_RANGE"),
        ("'x', 1, 'NaN'", "PT422", "RATE_LIMIT_OUT_OF_RANGE"),
        ("'x', 1, 'Infinity'", "PT422", "RATE_LIMIT_OUT_OF_RANGE"),
        ("'X y', 1, 1", "PT422", "RATE_LIMIT_OUT_OF_RANGE"),
        ("null, 1, 1", "PT422", "RATE_LIMIT_OUT_OF_RANGE"),
        ("'x', 1, 1, 'anon', false, 'rpc'", "PT422", "RATE_LIMIT_OUT_OF_RANGE"),
        ("'x', 1, 1, 'nobody'", "PT404", "ROLE_NOT_FOUND"),
        ("'x', 1, 1, 'authenticated'", "PT409", "RATE_LIMIT_EXISTS"),
    ],
)
def test_what_is_no_limit(db: Connection, arguments: str, state: str, token: str) -> None:
    with as_service(db), refused(db, state, token):
        db.execute(f"select public.set_rate_limit({arguments})")


@pytest.mark.parametrize(
    "attack", ["rate_limits()", "set_rate_limit('x', 1, 1)", "remove_rate_limit('user_writes')"]
)
def test_limits_are_for_who_may_change_them(db: Connection, rider: UUID, attack: str) -> None:
    with as_user(db, rider), refused(db, "PT403", "PERMISSION_DENIED"):
        db.execute(f"select public.{attack}")
