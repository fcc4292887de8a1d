"""The wake-up for services that cannot listen: a Standard Webhook over pg_net, names only."""

from __future__ import annotations

import base64
import json
import secrets
from typing import TYPE_CHECKING

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from tests.db.pipeline import Connection, Worker, column, pickups, value

if TYPE_CHECKING:
    from uuid import UUID

SEND = "select ml.send_wakeup()"


def signing_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def keep(db: Connection, **vault: str) -> None:
    """Put the Vault into exactly this state."""
    db.execute("delete from vault.secrets")
    for name, secret in vault.items():
        db.execute("select vault.create_secret(%s, %s)", [secret, f"rowcast_{name}"])


def left_lying(db: Connection, user: UUID, count: int = 1) -> None:
    """Jobs that were due a while ago."""
    pickups(db, user, count)
    db.execute("update ml.jobs set enqueued_at = clock_timestamp() - interval '4 s'")


def sent(db: Connection, request: int) -> tuple[str, str, dict[str, str], str]:
    """What pg_net is going to send: method, URL, headers, body."""
    row = db.execute(
        "select method, url, headers, convert_from(body, 'UTF8')"
        " from net.http_request_queue where id = %s",
        [request],
    ).fetchone()
    assert row is not None
    method, url, headers, body = row
    return method, url, headers, body


def told(db: Connection) -> list[str]:
    """The predictions that a wake-up names."""
    names: list[str] = json.loads(sent(db, value(db, SEND))[3])["predictions"]
    return names


def test_a_wakeup_is_signed_as_standard_webhooks_asks(db: Connection, rider: UUID) -> None:
    secret = signing_secret()
    keep(db, webhook_secret=secret, service_url="https://service.example")
    left_lying(db, rider, 3)
    method, url, headers, body = sent(db, value(db, SEND))
    assert (method, url) == ("POST", "https://service.example/webhooks/jobs")
    Webhook(secret).verify(body, headers)  # raises unless id, time and bytes are the signed ones
    assert json.loads(body) == {"type": "jobs.due", "predictions": ["pickup_eta"]}

    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body + " ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, {**headers, "webhook-id": "another"})
    with pytest.raises(WebhookVerificationError):
        Webhook(signing_secret()).verify(body, headers)


def test_while_keys_rotate_either_one_verifies(db: Connection, rider: UUID) -> None:
    old, new = signing_secret(), signing_secret()
    keep(db, webhook_secret=f"  {old}   {new}\n", service_url="https://service.example")
    left_lying(db, rider)
    _, _, headers, body = sent(db, value(db, SEND))
    assert len(headers["webhook-signature"].split(" ")) == 2
    for secret in (old, new):
        Webhook(secret).verify(body, headers)


def test_every_wakeup_has_its_own_id(db: Connection, rider: UUID) -> None:
    keep(db, webhook_secret=signing_secret(), service_url="https://service.example")
    left_lying(db, rider)
    ids = {sent(db, value(db, SEND))[2]["webhook-id"] for _ in range(2)}
    assert len(ids) == 2


def test_a_wakeup_tells_names_and_nothing_of_the_rows(notes: Connection, rider: UUID) -> None:
    keep(notes, webhook_secret=signing_secret(), service_url="https://service.example")
    notes.execute("insert into public.notes values (1, 'a')")
    left_lying(notes, rider, 150)
    _, _, _, body = sent(notes, value(notes, SEND))
    assert json.loads(body) == {"type": "jobs.due", "predictions": ["notes", "pickup_eta"]}


def test_a_wakeup_names_only_what_may_be_claimed(notes: Connection, rider: UUID) -> None:
    keep(notes, webhook_secret=signing_secret(), service_url="https://service.example")
    notes.execute("insert into public.notes values (1, 'a')")
    left_lying(notes, rider)
    notes.execute("select ml.pause('notes')")
    assert told(notes) == ["pickup_eta"]
    notes.execute("select ml.resume('notes')")
    notes.execute(
        "update ml.models set breaker_until = clock_timestamp() + interval '1 min'"
        " where name = 'eta'"
    )
    assert told(notes) == ["notes"]
    notes.execute("select ml.pause('notes')")
    assert value(notes, SEND) is None


def test_a_retry_that_is_left_lying_is_told_too(
    db: Connection, rider: UUID, worker: Worker
) -> None:
    keep(db, webhook_secret=signing_secret(), service_url="https://service.example")
    pickups(db, rider)
    worker.fail(worker.claim_one())
    assert value(db, SEND) is None  # not due yet
    db.execute("update ml.retries set run_at = clock_timestamp() - interval '4 s'")
    assert value(db, SEND) is not None


@pytest.mark.parametrize("vault", [{}, {"webhook_secret": "whsec_eA=="}, {"service_url": "x"}])
def test_nothing_is_sent_without_secrets(
    db: Connection, rider: UUID, vault: dict[str, str]
) -> None:
    keep(db, **vault)
    left_lying(db, rider)
    assert value(db, SEND) is None
    assert value(db, "select count(*) from net.http_request_queue") == 0


def test_nothing_is_sent_while_the_service_keeps_up(db: Connection, rider: UUID) -> None:
    keep(db, webhook_secret=signing_secret(), service_url="https://service.example")
    assert value(db, SEND) is None  # nothing is owed
    pickups(db, rider, 2)
    assert value(db, SEND) is None  # due just now
    left_lying(db, rider)
    assert len(Worker(db, {"eta": "1"}).claim()) == 3
    assert value(db, SEND) is None  # all in work
    assert value(db, "select count(*) from net.http_request_queue") == 0


def test_the_schedule_calls_it_and_the_maintenance(db: Connection) -> None:
    jobs = db.execute("select jobname, schedule, command from cron.job order by 1").fetchall()
    assert set(jobs) > {
        ("rowcast-backfill", "10 seconds", "select ml.advance_backfills()"),
        ("rowcast-maintain", "7 * * * *", "select ml.maintain()"),
        ("rowcast-wakeup", "10 seconds", "select ml.send_wakeup()"),
    }
    for _, _, command in jobs:
        db.execute(command)


def test_the_doctor_misses_every_job_that_is_scheduled(db: Connection) -> None:
    scheduled = "select format('select cron.schedule(%L, %L, %L)', jobname, schedule, command)"
    wanted = column(db, f"{scheduled} from cron.job")
    db.execute("select cron.unschedule(jobname) from cron.job")
    missed = "select fix from ml.doctor() where finding = 'CRON_JOB_MISSING'"
    assert sorted(column(db, missed)) == sorted(wanted)
