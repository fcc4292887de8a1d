"""A notification reaches its owner's channel, and nobody else's."""

from __future__ import annotations

import asyncio
import os
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rowcast.stack import install
from tests.e2e.riders import PASSWORD, Rider, new_rider
from tests.waiting import execute

if TYPE_CHECKING:
    from rowcast.stack.stack import Stack

pytestmark = pytest.mark.anyio

CHECKOUT = Path(__file__).parents[2]

Heard = asyncio.Queue[tuple[str, dict[str, Any]]]


async def listen(rider: Rider) -> Heard:
    """The events of notifications on the person's private channel."""
    heard: Heard = asyncio.Queue()
    joined = asyncio.get_running_loop().create_future()
    await rider.client.realtime.set_auth(rider.token)
    channel = rider.client.channel(
        f"user:{rider.id}", {"config": {"private": True, "broadcast": None, "presence": None}}
    )

    def note(event: str, message: dict[str, Any]) -> None:
        heard.put_nowait((event, message["payload"]))

    for event in ("notification", "notifications_read"):
        channel.on_broadcast(event, partial(note, event))
    await channel.subscribe(
        lambda state, error: None if joined.done() else joined.set_result((state.value, error))
    )
    assert await asyncio.wait_for(joined, 10) == ("SUBSCRIBED", None)
    return heard


async def test_the_owner_hears_it_and_another_person_does_not(stack: Stack) -> None:
    async with new_rider(stack) as owner, new_rider(stack) as other:
        hers, his = await listen(owner), await listen(other)
        send = "select private.notify('{}', 'announcement', '{{}}', '{}')"
        execute(stack.status().db_url, send.format(owner.id, "for her"))
        execute(stack.status().db_url, send.format(other.id, "for him"))
        event, first = await asyncio.wait_for(hers.get(), 10)
        assert (event, first["title"]) == ("notification", "for her")
        # His own came after hers, so hers would have been here by now.
        assert (await asyncio.wait_for(his.get(), 10))[1]["title"] == "for him"

        marked: Any = (
            await owner.client.rpc("mark_notifications_read", {"p_ids": [first["id"]]}).execute()
        ).data
        assert marked == 1
        event, payload = await asyncio.wait_for(hers.get(), 10)
        assert (event, payload["ids"]) == ("notifications_read", [first["id"]])

        # The next page, as the reference says: after a last row that was made this very moment.
        execute(stack.status().db_url, send.format(owner.id, "next"))
        rows = owner.client.table("notifications").select("id,created_at,read_at")
        newest: Any = (await rows.order("created_at", desc=True).limit(1).execute()).data[0]
        page = owner.client.table("notifications").select("id,read_at")
        page = page.lte("created_at", newest["created_at"])
        page = page.or_(f"created_at.lt.{newest['created_at']},id.lt.{newest['id']}")
        listed: Any = (
            await page.order("created_at", desc=True).order("id", desc=True).limit(20).execute()
        ).data
        assert [(row["id"], row["read_at"] is None) for row in listed] == [(first["id"], False)]
        assert (await other.client.rpc("unread_count").execute()).data == 1
        assert his.empty()


async def test_the_documents_javascript_hears_and_marks(stack: Stack) -> None:
    document = (CHECKOUT / "docs/how-to/notify.md").read_text()
    kind, send = re.findall(r"^```sql\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)
    (script,) = re.findall(r"^```js\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)
    status = stack.status()
    execute(status.db_url, kind)
    async with new_rider(stack) as rider:
        found = await rider.client.auth.get_user()
        assert found is not None
        email = str(found.user.email)
        process = await asyncio.create_subprocess_exec(
            str(install.node_binary()), "--input-type=module", "-",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=CHECKOUT,
            env={
                **os.environ, "SUPABASE_URL": status.api_url, "EMAIL": email, "PASSWORD": PASSWORD,
                "SUPABASE_PUBLISHABLE_KEY": status.publishable_key,
            },
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(script.encode())
            process.stdin.close()
            line = process.stdout.readline
            assert await asyncio.wait_for(line(), 20) == b"unread: 0\n"
            for _ in range(2):  # the second is the same under its key
                execute(status.db_url, send.replace("ann@example.com", email))
            assert await asyncio.wait_for(line(), 10) == b"new: Your pickup is here\n"
            assert await asyncio.wait_for(line(), 10) == b"read: 1\n"
        finally:
            process.kill()
            await process.wait()
        assert (await rider.client.rpc("unread_count").execute()).data == 0
