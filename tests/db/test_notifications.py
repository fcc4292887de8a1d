"""Notifications: who is told, once under a key, who reads and marks them, and what is forgotten."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.db.pipeline import Connection, column, value
from tests.personas import DENIED, as_anon, as_service, as_user, make_user, refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID


def notify(
    conn: Connection, user: UUID, kind: str = "announcement", data: str = "{}", **more: Any
) -> Any:
    return value(
        conn,
        "select private.notify(%s, %s, %s, %s, %s, %s)",
        [user, kind, data, more.get("title"), more.get("body"), more.get("key")],
    )


def heard(conn: Connection, user: UUID, event: str = "notification") -> list[Any]:
    """What the person's channel was sent, in order."""
    return column(
        conn,
        "select payload from realtime.messages where topic = %s and event = %s and private"
        " order by (payload ->> 'id')",
        [f"user:{user}", event],
    )


def test_a_notification_is_its_owners_alone(db: Connection, rider: UUID, other: UUID) -> None:
    made = notify(db, rider, data='{"pickup": "x"}', body="Soon.")
    with as_user(db, rider):
        row = db.execute(
            "select id, title, body, data, read_at from public.notifications"
        ).fetchall()
        assert row == [(made, "News", "Soon.", {"pickup": "x"}, None)]
        assert value(db, "select public.unread_count()") == 1
    with as_user(db, other):
        assert db.execute("select from public.notifications").fetchall() == []
        assert value(db, "select public.unread_count()") == 0
        assert value(db, "select public.mark_notifications_read(%s)", [[made]]) == 0
        assert value(db, "select public.mark_notifications_read()") == 0
    assert value(db, "select read_at from public.notifications") is None


def test_the_channel_of_the_owner_is_told_and_no_other(
    db: Connection, rider: UUID, other: UUID
) -> None:
    made = notify(db, rider, title="Hello", data='{"n": 1}')
    (event,) = heard(db, rider)
    assert event.pop("created_at")
    assert event == {
        "id": made, "kind": "announcement", "title": "Hello", "body": None, "data": {"n": 1},
    }  # fmt: skip
    assert heard(db, other) == []


def test_marking_tells_the_other_tabs_once(db: Connection, rider: UUID) -> None:
    first, second, third = (notify(db, rider) for _ in range(3))
    with as_user(db, rider):
        mark = "select public.mark_notifications_read(%s)"
        assert value(db, mark, [[first, first, second, 0, None]]) == 2
        assert value(db, mark, [[first]]) == 0, "it was read already"
        assert value(db, mark, [[]]) == 0
        assert value(db, "select public.unread_count()") == 1
        assert value(db, "select public.mark_notifications_read()") == 1
    db.execute("update public.notifications set title = 'Changed', read_at = now()")
    told = heard(db, rider, "notifications_read")
    assert sorted((event["ids"], event["count"]) for event in told) == [
        ([first, second], 2),
        ([third], 1),
    ]


def test_a_key_notifies_once(db: Connection, rider: UUID, other: UUID) -> None:
    first = notify(db, rider, key="pickup:1")
    assert notify(db, rider, title="Again", key="pickup:1") == first
    assert notify(db, other, key="pickup:1") not in {None, first}
    assert notify(db, rider) != notify(db, rider), "without a key each is a new one"
    assert len(heard(db, rider)) == 3


def test_two_sessions_under_one_key(connect: Callable[[], Connection]) -> None:
    sessions = [connect() for _ in range(4)]
    users = [make_user(sessions[0]) for _ in range(400)]
    send = "select count(*) from private.notify_many(%s, 'announcement', p_key => 'once')"
    with ThreadPoolExecutor() as pool:
        order = (users, users[::-1], users, users[::-1])
        made = list(pool.map(lambda s, u: value(s, send, [u]), sessions, order))
    assert sum(made) == len(users)


@pytest.mark.parametrize(
    "bad",
    [
        {"data": "[]"},
        {"data": "null"},
        {"data": None},
        {"data": json.dumps({"x": "y" * 8192})},
        {"title": ""},
        {"title": "x" * 201},
        {"body": "x" * 2001},
        {"key": ""},
        {"key": "x" * 201},
    ],
    ids=lambda bad: next(iter(bad)),
)
def test_what_is_too_large_is_refused(db: Connection, rider: UUID, bad: dict[str, Any]) -> None:
    with refused(db, "PT422", "NOTIFICATION_OUT_OF_RANGE"):
        notify(db, rider, **bad)


def test_other_refusals(db: Connection, rider: UUID) -> None:
    for kind in ("nothing", None, "x" * 10_000):
        with refused(db, "PT422", "NOTIFICATION_KIND_UNKNOWN"):
            notify(db, rider, kind)  # type: ignore[arg-type]
    many = "array(select gen_random_uuid() from generate_series(1, 10001))"
    with refused(db, "PT422", "TOO_MANY_RECIPIENTS"):
        db.execute(f"select private.notify_many({many}, 'announcement')")
    with as_user(db, rider):
        ids = "array(select n::bigint from generate_series(1, 1001) as n)"
        with refused(db, "PT422", "TOO_MANY_IDS"):
            db.execute(f"select public.mark_notifications_read({ids})")
        with refused(db, "PT404", "NOTIFICATION_KIND_NOT_FOUND"):
            db.execute("select public.mute_notifications('nothing')")
        with refused(db, "PT422", "NOTIFICATION_KIND_NOT_MUTABLE"):
            db.execute("select public.mute_notifications('account')")


def test_many_in_one_call(db: Connection, rider: UUID, other: UUID) -> None:
    gone, bystander = uuid.uuid4(), make_user(db)
    with as_service(db):
        send = "select public.notify_many(%s, 'announcement', p_key => 'k')"
        assert value(db, send, [[rider, other, rider, gone]]) == 2
        assert value(db, send, [[rider, other]]) == 0
        assert value(db, send, [[]]) == 0
        assert value(db, send, [None]) == 0
    assert [len(heard(db, person)) for person in (rider, other, bystander)] == [1, 1, 0]


def test_a_muted_kind_is_not_made(db: Connection, rider: UUID, other: UUID) -> None:
    with as_user(db, rider):
        db.execute("select public.mute_notifications('announcement')")
        db.execute("select public.mute_notifications('announcement')")
        settings = "select kind, can_be_muted, muted from public.notification_settings()"
        assert db.execute(settings).fetchall() == [
            ("account", False, False),
            ("account_deletion", False, False),
            ("announcement", True, True),
        ]
    with as_user(db, other):
        assert (("announcement", True, False)) in db.execute(settings).fetchall()
    assert notify(db, rider) is None
    assert notify(db, other) is not None
    assert notify(db, rider, "account") is not None
    with as_user(db, rider):
        db.execute("select public.mute_notifications('announcement', false)")
    assert notify(db, rider) is not None


def test_nobody_writes_past_the_functions(db: Connection, rider: UUID, other: UUID) -> None:
    notify(db, rider)
    send = f"select private.notify('{other}', 'announcement')"
    for statement in (
        "update public.notifications set read_at = now()",
        "delete from public.notifications",
        f"insert into public.notifications (user_id, kind, title) values ('{other}', 'x', 'x')",
        "select from private.notification_mutes",
        "select private.forget_notifications()",
        send,
        send.replace("private.notify(", "public.notify_many(array[").replace(
            f"'{other}'", f"'{other}'::uuid]"
        ),
    ):
        with as_user(db, rider), refused(db, DENIED):
            db.execute(statement.encode())
    for call in ("mark_notifications_read()", "unread_count()", "notification_settings()"):
        with as_anon(db), refused(db, DENIED):
            db.execute(f"select public.{call}".encode())
    with as_user(db, rider):
        db.execute("select set_config('request.jwt.claims', '{\"role\":\"authenticated\"}', true)")
        with refused(db, "PT401", "NOT_SIGNED_IN"):
            db.execute("select public.mark_notifications_read()")


def test_what_is_forgotten(db: Connection, rider: UUID) -> None:
    db.execute(
        "insert into public.notifications (user_id, kind, title, created_at, read_at)"
        " select %s, 'account', t, now() - made * interval '1 day', now() - read * interval '1 day'"
        " from (values ('old and read', 92, 91), ('old, read lately', 200, 89),"
        " ('unread', 399, null),"
        " ('ancient', 401, null), ('ancient, read today', 401, 0)) as x (t, made, read)",
        [rider],
    )
    assert value(db, "select private.forget_notifications(2)") == 2
    assert value(db, "select private.forget_notifications()") == 1
    kept = column(db, "select title from public.notifications order by 1")
    assert kept == ["old, read lately", "unread"]
    scheduled = column(db, "select command from cron.job where jobname = 'rowcast-notifications'")
    assert scheduled == ["select private.forget_notifications()"]


def test_a_page_deep_in_the_list_reads_the_index_alone(db: Connection, rider: UUID) -> None:
    db.execute("alter table public.notifications disable trigger _100_broadcast")
    db.execute(
        "insert into public.notifications (user_id, kind, title, created_at, read_at)"
        " select u.id, 'account', 'x', now() - n / 2 * interval '1 s',"
        " case when n %% 10 > 0 then now() end"
        " from generate_series(1, 1000) as n cross join unnest(%s) as u (id)",
        [[rider, *(make_user(db) for _ in range(19))]],
    )
    db.execute("analyze public.notifications")
    with as_user(db, rider):
        order = "order by created_at desc, id desc"
        last = db.execute(
            f"select created_at, id from public.notifications {order} offset 500 limit 1"
        ).fetchone()
        assert last is not None
        page = f"select id from public.notifications where created_at <= '{last[0]}'"
        page += f" and (created_at < '{last[0]}' or id < {last[1]}) {order} limit 20"
        by_offset = f"select id from public.notifications {order} offset 501 limit 20"
        assert column(db, page) == column(db, by_offset)
        unread = f"select id from public.notifications where read_at is null {order} limit 20"
        for query, index in (
            (page, "notifications_user_id_created_at_id_idx"),
            (unread, "notifications_unread_idx"),
        ):
            plan = "\n".join(column(db, f"explain (analyze, timing off) {query}"))
            assert index in plan, plan
            assert "Sort" not in plan, plan
            removed = [line for line in plan.splitlines() if "Rows Removed" in line]
            assert all(int(line.split()[-1]) <= 2 for line in removed), plan
