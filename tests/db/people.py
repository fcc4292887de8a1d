"""People who have left something in every table there is."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg

from tests.personas import as_user, make_user

if TYPE_CHECKING:
    from uuid import UUID

    from tests.db.pipeline import Connection


@dataclass(frozen=True, slots=True)
class Person:
    """A person, and every string by which they could be found."""

    id: UUID
    email: str
    phone: str
    name: str
    words: str = field(default_factory=lambda: f"because of {uuid.uuid4().hex}")

    @property
    def needles(self) -> list[str]:
        """What must be nowhere once they are erased."""
        return [str(self.id), self.email, self.phone, self.name, self.words]


def make_person(conn: Connection, name: str | None = None) -> Person:
    """An account with a profile and nothing else."""
    mark = uuid.uuid4()
    email, phone = f"{mark.hex}@example.com", f"+99{mark.int % 10**12:012d}"
    name = name or f'Zoë "{mark.hex[:12]}" \\ Å'
    user = make_user(conn, email, display_name=name)
    conn.execute("update auth.users set phone = %s where id = %s", [phone, user])
    return Person(user, email, phone, name)


def fill_every_table(conn: Connection, person: Person, other: UUID) -> None:
    """Rows of the person in every declared table, also those only the platform writes."""
    _book(conn, person)
    _predict(conn, person)
    _queue(conn, person)
    user = str(person.id)
    conn.execute("insert into public.user_roles (user_id, role) values (%s, 'support')", [user])
    conn.execute(
        "insert into private.api_keys (user_id, name, prefix, digest, scopes, expires_at)"
        " values (%s, 'robot', 'rck_00000000', sha256(%s::text::bytea), '{read}', 'infinity')",
        [user, user],
    )
    conn.execute(
        "insert into private.rate_buckets (caller, limit_name, slot, full_at)"
        " values (%s::text, 'user_writes', 0, 'infinity')",
        [user],
    )
    conn.execute(
        "insert into private.rate_limits"
        " (name, caller, for_reads, path, capacity, refill_per_second, updated_by)"
        " values ('t' || md5(%s::text), 'anon', false, '/' || md5(%s::text), 1, 1, %s)",
        [user, user, user],
    )
    conn.execute(
        "insert into public.user_roles (user_id, role, granted_by) values (%s, 'support', %s)",
        [other, user],
    )
    with as_user(conn, person.id):
        conn.execute("select public.request_export()")
        conn.execute("select public.request_deletion(%s)", [person.words])
    conn.execute(
        "insert into public.notifications (user_id, kind, title)"
        " values (%s, 'account_deletion', %s)",
        [user, person.words],
    )
    conn.execute("insert into private.notification_mutes values (%s, 'account_deletion')", [user])
    conn.execute(
        "update public.feature_flags set updated_by = %s where name = 'registration'", [user]
    )
    conn.execute("select private.note_deletion_failure(%s, %s)", [user, person.email])
    _platform(conn, person)


def _book(conn: Connection, person: Person) -> None:
    with as_user(conn, person.id):
        pickup = "public.request_pickup(37.7749, -122.4194, 37.8044, -122.2712, 'ride', %s)"
        for key in ("done", "off", "open"):
            conn.execute(f"select {pickup}", [f"{key} {person.words}"])
        conn.execute(
            "select public.cancel_pickup(id, %s) from public.pickup_requests"
            " where client_key = %s and user_id = %s",
            [person.words, f"off {person.words}", person.id],
        )
    for status in ("assigned", "picked_up", "completed"):
        conn.execute(
            "select public.advance_pickup(id, %s) from public.pickup_requests"
            " where client_key = %s and user_id = %s",
            [status, f"done {person.words}", person.id],
        )


def _predict(conn: Connection, person: Person) -> None:
    for month in (0, 40):  # in two partitions
        conn.execute(
            "insert into public.predictions (created_at, prediction, source_table, row_key,"
            " owner_id, model, status, input_hash, output, error) values"
            " (now() - %s * interval '1 month', 'p', 't', %s, %s, 'eta', 'done', %s, %s, %s)",
            [month, uuid.uuid4(), person.id, b"\x01\x02", _json(person, eta=1), person.words],
        )
    conn.execute(
        "insert into public.prediction_outcomes (prediction, row_key, owner_id, predicted, truth)"
        " values ('p', %s, %s, %s, %s)",
        [uuid.uuid4(), person.id, _json(person, eta=7), _json(person, seconds=9, right=True)],
    )


def _queue(conn: Connection, person: Person) -> None:
    attachment = "(select id from ml.attachments where name = 'pickup_eta')"
    conn.execute(
        "insert into ml.retries values"
        f" ({attachment}, %s, %s, now(), now(), true, false, 1, 0, 0, %s)",
        [uuid.uuid4(), person.id, person.words],
    )
    conn.execute(
        "insert into ml.dead_letters (attachment_id, row_key, owner_id, attempts, reason, error)"
        f" values ({attachment}, %s, %s, 5, 'item_fault', %s)",
        [uuid.uuid4(), person.id, person.email],
    )
    conn.execute(
        "insert into ml.leases (token, attachment_id, worker, lease_until, jobs) values"
        f" (gen_random_uuid(), {attachment}, 'w', now() + interval '1 minute', array["
        " row('a', %s, now(), true, false, 0, 0, 0, null)::ml.owed, null,"
        " row('b', gen_random_uuid(), now(), true, false, 0, 0, 0, null)::ml.owed])",
        [person.id],
    )
    conn.execute("insert into ml.usage values ('eta', current_date, %s, 3, 0)", [person.id])
    conn.execute(
        "insert into ml.usage values ('eta', current_date, null, 3, 0)"
        " on conflict on constraint usage_model_day_owner_id_key do update set calls = 3"
    )


def _platform(conn: Connection, person: Person) -> None:
    user = str(person.id)
    said = _json(person, who=user, to=person.email)
    cursor = psycopg.ClientCursor(conn)  # one value stands for columns of several types
    for table, values in {
        "auth.identities (id, provider, provider_id, user_id, identity_data)": (
            "gen_random_uuid(), 'email', %(user)s, %(user)s, %(said)s"
        ),
        "auth.sessions (id, user_id, user_agent)": "%(user)s, %(user)s, 'a'",
        "auth.refresh_tokens (id, token, user_id, session_id)": (
            "%(user)s, %(user)s, %(user)s, %(user)s"
        ),
        "auth.flow_state (id, user_id, auth_code, authentication_method,"
        " code_challenge_method, code_challenge, provider_type)": (
            "gen_random_uuid(), %(user)s, 'a', 'a', 's256', 'a', 'a'"
        ),
        "auth.audit_log_entries (id, payload)": "gen_random_uuid(), %(said)s",
        "realtime.messages (topic, extension, payload, private)": (
            "'user:' || %(user)s, 'broadcast', %(said)s, true"
        ),
        "net.http_request_queue (method, url, body, timeout_milliseconds)": (
            "'POST', 'http://127.0.0.1:9/', convert_to(%(said)s, 'UTF8'), 1"
        ),
        "net._http_response (id, content)": "1, %(said)s",
        "cron.job_run_details (jobid, command, return_message)": "1, 'select 1', %(said)s",
    }.items():
        statement = f"insert into {table} values ({values})"
        cursor.execute(statement.encode(), {"user": user, "said": said})


def _json(person: Person, **more: Any) -> str:
    return json.dumps({"note": person.words, "name": person.name, **more})
