"""Signatures and payloads of webhooks: the specification's own example, and forgeries."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from rowcast.service.problems import Problem
from rowcast.service.webhooks import (
    DATABASE_CHANGE,
    WAKEUP,
    parse,
    verify_shared_secret,
    verify_signature,
)

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
OTHER = "whsec_" + base64.b64encode(b"o" * 32).decode()
BODY = b'{"type":"jobs.due","predictions":["eta"]}'


def signed(
    body: bytes = BODY, secret: str = SECRET, age: float = 0, webhook_id: str = "msg_1"
) -> dict[str, str]:
    """Headers of a delivery, signed with nothing but the standard library."""
    stamp = str(int(time.time() - age))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"{webhook_id}.{stamp}.".encode() + body
    digest = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{digest}",
    }


def test_the_specifications_example_verifies() -> None:
    # Standard Webhooks 1.0.0: this secret, id, time and payload give this signature.
    webhook = Webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    stamp = datetime.fromtimestamp(1614265330, UTC)
    signature = webhook.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", stamp, '{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_signed_wakeup_gives_its_id() -> None:
    assert verify_signature(signed(), BODY, (SECRET,)) == "msg_1"


def test_while_keys_rotate_both_open() -> None:
    assert verify_signature(signed(secret=OTHER), BODY, (SECRET, OTHER)) == "msg_1"
    headers = signed()
    headers["webhook-signature"] = (
        signed(secret=OTHER)["webhook-signature"] + " " + headers["webhook-signature"]
    )
    assert verify_signature(headers, BODY, (SECRET,)) == "msg_1"


def _without(name: str) -> dict[str, str]:
    return {key: value for key, value in signed().items() if key != name}


def forgeries() -> dict[str, tuple[dict[str, str], bytes]]:
    """Made anew for each test, because their timestamps age while other tests run."""
    return {
        "no headers": ({}, BODY),
        "no id": (_without("webhook-id"), BODY),
        "no time": (_without("webhook-timestamp"), BODY),
        "no signature": (_without("webhook-signature"), BODY),
        "other key": (signed(secret=OTHER), BODY),
        "other body": (signed(), BODY + b" "),
        "other id": ({**signed(), "webhook-id": "msg_2"}, BODY),
        "too old": (signed(age=310), BODY),
        "from the future": (signed(age=-310), BODY),
        "time is no number": ({**signed(), "webhook-timestamp": "noon"}, BODY),
        "signature without version": ({**signed(), "webhook-signature": "abc"}, BODY),
        "unknown version": (
            {**signed(), "webhook-signature": signed()["webhook-signature"].replace("v1,", "v9,")},
            BODY,
        ),
        "signature is no base64": ({**signed(), "webhook-signature": "v1,\x80"}, BODY),
        "empty signature": ({**signed(), "webhook-signature": ""}, BODY),
        "id of a kilobyte": (signed(webhook_id="x" * 1000), BODY),
        "body is no text": (signed(body=b"\xff"), b"\xff"),
    }


@pytest.mark.parametrize("case", forgeries())
def test_a_forged_or_mangled_webhook_is_a_401(case: str) -> None:
    headers, body = forgeries()[case]
    with pytest.raises(Problem) as refused:
        verify_signature(headers, body, (SECRET,))
    assert (refused.value.status, refused.value.token) == (401, "INVALID_SIGNATURE")


@given(
    st.dictionaries(
        st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), st.text()
    ),
    st.binary(),
)
def test_no_header_makes_the_verification_fail_otherwise(
    headers: dict[str, str], body: bytes
) -> None:
    with pytest.raises(Problem):
        verify_signature(headers, body, (SECRET,))


@pytest.mark.parametrize("given", [None, "", "wrong", "é", SECRET + "x"])
def test_a_wrong_shared_secret_is_a_401(given: str | None) -> None:
    with pytest.raises(Problem) as refused:
        verify_shared_secret(given, SECRET)
    assert refused.value.token == "INVALID_WEBHOOK_SECRET"


def _change(**other: Any) -> bytes:
    body = {
        "type": "INSERT",
        "table": "notes",
        "schema": "public",
        "record": {"id": 1},
        "old_record": None,
    }
    return json.dumps({**body, **other}).encode()


def test_a_database_change_names_its_row() -> None:
    assert parse(DATABASE_CHANGE, _change()).change() == {
        "schema": "public",
        "table": "notes",
        "record": {"id": 1},
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        _change(type="TRUNCATE"),
        _change(table=""),
        _change(table="t" * 64),
        _change(schema=None),
        _change(record=[1]),
        _change(extra=1),
        b"[" * 100_000,
    ],
)
def test_a_payload_of_another_shape_is_a_422(body: bytes) -> None:
    with pytest.raises(Problem) as refused:
        parse(DATABASE_CHANGE, body)
    assert (refused.value.status, refused.value.token) == (422, "INVALID_PAYLOAD")


@pytest.mark.parametrize(
    "body",
    [
        {"type": "jobs.due"},
        {"type": "other", "predictions": []},
        {"type": "jobs.due", "predictions": [""]},
        {"type": "jobs.due", "predictions": ["eta"] * 1001},
        {"type": "jobs.due", "predictions": "eta"},
    ],
)
def test_a_wakeup_carries_ids_only(body: dict[str, Any]) -> None:
    with pytest.raises(Problem):
        parse(WAKEUP, json.dumps(body).encode())


def test_secrets_of_any_allowed_length_sign() -> None:
    for size in (24, 64):
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(size)).decode()
        assert verify_signature(signed(secret=secret), BODY, (secret,)) == "msg_1"
