"""A sign-in through Auth is noted, judged by the service, and shown to its owner."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from postgrest.exceptions import APIError

from tests.e2e.riders import Rider, new_rider

if TYPE_CHECKING:
    from rowcast.stack.stack import Stack

pytestmark = pytest.mark.anyio


async def judged(rider: Rider) -> list[dict[str, Any]]:
    """The rider's sign-ins, once the model has answered for each."""
    deadline = time.monotonic() + 20
    while True:
        rows: Any = (await rider.client.rpc("my_sign_ins", {"p_limit": 10}).execute()).data
        if rows and all(row["risk"] is not None for row in rows):
            return list(rows)
        assert time.monotonic() < deadline, rows
        await asyncio.sleep(0.05)


async def test_a_sign_in_gets_a_risk(stack: Stack) -> None:
    async with new_rider(stack) as rider:
        rows = await judged(rider)
        assert len(rows) == 2  # the sign-up's session, and the sign-in's
        for row in rows:
            assert (row["user_id"], row["succeeded"]) == (rider.id, True)
            assert 0 < row["risk"] < 1
            assert row["model_version"].startswith("sim-")
            assert row["alarmed"] is False

        done: Any = (
            await rider.client.rpc(
                "report_sign_in", {"p_id": rows[1]["id"], "p_was_me": False}
            ).execute()
        ).data
        assert done["confirmed"] is False
        for row in rows:  # this very session, and one that was there before it
            with pytest.raises(APIError) as caught:
                await rider.client.rpc(
                    "report_sign_in", {"p_id": row["id"], "p_was_me": True}
                ).execute()
            assert caught.value.details == "SESSION_UNDER_SUSPICION"

        async with new_rider(stack) as other:
            mine = (await other.client.table("login_events").select("user_id").execute()).data
            assert {row["user_id"] for row in mine} == {other.id}  # type: ignore[index, call-overload]
