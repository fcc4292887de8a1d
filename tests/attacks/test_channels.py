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


async def test_joining_the_channel_of_another(
    platform: Status, alice: Person, mallory: Person
) -> None:
    """However its name is written. One's own is joined by the same request."""
    for topic in TOPICS:
        said = await join(platform, written(topic, mallory, alice), mallory.token)
        assert said == "error", topic
    assert await join(platform, f"user:{mallory.id}", mallory.token) == "ok"


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


OPEN_WRITE = (
    (
        'create policy "attack: open" on realtime.messages for insert to authenticated'
        " with check (true)"
    ),
    'drop policy "attack: open" on realtime.messages',
)


def broadcast(platform: Status, mallory: Person, topic: str) -> int:
    """A forged `prediction` event, over HTTP."""
    message = {"topic": topic, "event": "prediction", "payload": {"n": 1}, "private": True}
    return httpx.post(
        f"{platform.api_url}/realtime/v1/api/broadcast",
        headers={"apikey": platform.publishable_key, "Authorization": f"Bearer {mallory.token}"},
        json={"messages": [message]},
        timeout=20,
    ).status_code


async def heard(phone: Phone, topic: str) -> list[str]:
    """Events that came before the answer to leaving the channel."""
    await phone.say(topic, "phx_leave", {})
    events = []
    while (event := (await phone.ws.receive_json(timeout=10))["event"]) != "phx_reply":
        events.append(event)
    return events


@pytest.mark.parametrize("whose", ["her", "me"])
async def test_speaking_on_a_private_channel(
    platform: Status, alice: Person, mallory: Person, weakened: Weakened, whose: str
) -> None:
    """A forged `prediction` event would be believed by the victim's screen."""
    owner = alice if whose == "her" else mallory
    topic = f"user:{owner.id}"
    async with Phone(platform) as phone:
        await phone.join(topic, owner.token, private=True)
        assert broadcast(platform, mallory, topic) < 500
        assert "broadcast" not in await heard(phone, topic)
        await phone.join(topic, owner.token, private=True)
        with weakened(*OPEN_WRITE):
            assert broadcast(platform, mallory, topic) == 202
            assert (await phone.hear("broadcast"))["payload"]["event"] == "prediction"


async def test_speaking_into_a_private_channel_through_a_socket(
    platform: Status, alice: Person, mallory: Person
) -> None:
    """On the public channel of that name it is heard, and on the private one it is not."""
    topic = f"user:{alice.id}"
    message = {"type": "broadcast", "event": "prediction", "payload": {"status": "done"}}
    async with Phone(platform) as owner, Phone(platform) as thief, Phone(platform) as public:
        await owner.join(topic, alice.token, private=True)
        await public.join(topic, mallory.token)
        await thief.join(topic, mallory.token)
        await thief.say(topic, "broadcast", message)
        await public.hear("broadcast")
        assert "broadcast" not in await heard(owner, topic)
