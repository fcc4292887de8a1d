"""Hearing and speaking where one may not, over Realtime."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.stack.support import Person, Phone

if TYPE_CHECKING:
    from rowcast.stack.stack import Status
    from tests.attacks.support import Weakened
    from tests.conftest import Connection

# How an attacker may write a topic that a careless policy takes for the victim's, or for many.
TOPICS = (
    "user:{her}", "USER:{her}", "User:{her}", "user:{HER}", "user:{her} ", " user:{her}",
    "user:{her}\x00", "user:{her}/..", "user::{her}", "user:{her}:x", "user:{her}%", "user:%",
    "user:*", "user:", "user", "*", "%", "_", "", "user:{half}", "user:{half}%", "us\u0435r:{her}",
    "user\uff1a{her}", "user:{her}\u200b", "user:{me},user:{her}", "user:{me}\nuser:{her}",
    "user:{me}' or '1'='1", "realtime:user:{her}", "realtime:*", "null", "user:null",
    "user:00000000-0000-0000-0000-000000000000", "user:" + "a" * 5000,
)  # fmt: skip
POLICY = 'alter policy "people hear their own channel" on realtime.messages using ({0})'
OPEN = (
    POLICY.format("true"),
    POLICY.format(
        "extension = 'broadcast' and topic = (select realtime.topic())"
        " and (select realtime.topic()) = 'user:' || (select auth.uid())::text"
        " and (select private.session_is_live())"
    ),
)


def written(topic: str, me: Person, her: Person) -> str:
    return topic.format(her=her.id, HER=her.id.upper(), me=me.id, half=her.id[:18])


async def join(platform: Status, topic: str, token: str | None) -> str:
    async with Phone(platform) as phone:
        status: str = (await phone.join(topic, token, private=True))["status"]
        return status


@pytest.mark.parametrize("topic", TOPICS)
async def test_joining_the_channel_of_another(
    platform: Status, alice: Person, mallory: Person, topic: str
) -> None:
    assert await join(platform, written(topic, mallory, alice), mallory.token) == "error"


async def test_joining_without_signing_in(platform: Status, alice: Person) -> None:
    assert await join(platform, f"user:{alice.id}", None) == "error"


async def test_joining_is_refused_by_the_policy(
    platform: Status, alice: Person, mallory: Person, weakened: Weakened
) -> None:
    """One's own is joined, and with an open policy the other's too."""
    assert await join(platform, f"user:{mallory.id}", mallory.token) == "ok"
    with weakened(*OPEN):
        assert await join(platform, f"user:{alice.id}", mallory.token) == "ok"


async def test_hearing_what_is_private_on_a_public_channel_of_the_same_name(
    platform: Status, alice: Person, mallory: Person, postgres: Connection
) -> None:
    topic = f"user:{alice.id}"
    async with Phone(platform) as thief, Phone(platform) as owner:
        await thief.join(topic, mallory.token)
        await owner.join(topic, alice.token, private=True)
        postgres.execute("select realtime.send('{\"n\": 1}', 'prediction', %s, true)", [topic])
        await owner.hear("broadcast")
        await thief.say(topic, "phx_leave", {})
        assert (await thief.ws.receive_json(timeout=10))["event"] == "phx_reply"


@pytest.mark.parametrize("whose", ["her", "me"])
def test_speaking_on_a_private_channel(
    platform: Status, alice: Person, mallory: Person, postgres: Connection, whose: str
) -> None:
    """A forged `prediction` event would be believed by the victim's screen."""
    topic = f"user:{alice.id if whose == 'her' else mallory.id}"
    count = "select count(*) from realtime.messages where topic = %s"
    before = postgres.execute(count, [topic]).fetchone()
    answer = httpx.post(
        f"{platform.api_url}/realtime/v1/api/broadcast",
        headers={"apikey": platform.publishable_key, "Authorization": f"Bearer {mallory.token}"},
        json={
            "messages": [{"topic": topic, "event": "prediction", "payload": {}, "private": True}]
        },
        timeout=20,
    )
    assert answer.status_code < 500
    assert postgres.execute(count, [topic]).fetchone() == before


async def test_speaking_into_a_private_channel_through_a_socket(
    platform: Status, alice: Person, mallory: Person
) -> None:
    topic = f"user:{alice.id}"
    message = {"type": "broadcast", "event": "prediction", "payload": {"status": "done"}}
    async with Phone(platform) as owner, Phone(platform) as thief:
        await owner.join(topic, alice.token, private=True)
        await thief.join(topic, mallory.token)  # the public channel of that name
        await thief.say(topic, "broadcast", message)
        await owner.say(topic, "phx_leave", {})
        assert (await owner.ws.receive_json(timeout=10))["event"] == "phx_reply"
