"""The main job through clients that nobody here wrote, over the gateway."""

from __future__ import annotations

import asyncio
import json
import subprocess
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from rowcast.stack import install
from tests.e2e.riders import PASSWORD, Rider, invoke, new_rider, stopped

if TYPE_CHECKING:
    from rowcast.stack.stack import Stack

pytestmark = pytest.mark.anyio

HERE = Path(__file__).parent
PLACES = {
    "p_origin_lat": 37.7749,
    "p_origin_lng": -122.4194,
    "p_dest_lat": 37.8044,
    "p_dest_lng": -122.2712,
}


async def listen(rider: Rider) -> asyncio.Queue[dict[str, Any]]:
    """What the user's private channel brings."""
    heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    joined = asyncio.get_running_loop().create_future()
    await rider.client.realtime.set_auth(rider.token)
    channel = rider.client.channel(
        f"user:{rider.id}", {"config": {"private": True, "broadcast": None, "presence": None}}
    )
    channel.on_broadcast("prediction", lambda message: heard.put_nowait(message["payload"]))
    await channel.subscribe(
        lambda state, error: None if joined.done() else joined.set_result((state.value, error))
    )
    assert await asyncio.wait_for(joined, 5) == ("SUBSCRIBED", None)
    return heard


async def row_of(rider: Rider, pickup: str) -> dict[str, Any]:
    row: Any = (await rider.client.rpc("get_pickup", {"p_id": pickup}).execute()).data
    return dict(row)


async def test_supabase_py_sees_a_pickup_predict_itself(stack: Stack) -> None:
    async with new_rider(stack) as rider:
        heard = await listen(rider)

        first: Any = (
            await rider.client.rpc("request_pickup", {**PLACES, "p_kind": "ride"}).execute()
        ).data
        assert first["user_id"] == rider.id
        assert first["eta_source"] == "estimate"
        assert first["eta_low_seconds"] is None

        event = await asyncio.wait_for(heard.get(), 5)
        assert (event["row_key"], event["status"]) == (first["id"], "done")

        row = await row_of(rider, first["id"])
        assert row["eta_source"] == "model"
        assert row["eta_low_seconds"] <= row["eta_seconds"] <= row["eta_high_seconds"]
        assert row["estimate_seconds"] == first["eta_seconds"]

        receipts: Any = (await rider.client.table("predictions").select("*").execute()).data
        assert [(r["row_key"], r["status"]) for r in receipts] == [(first["id"], "done")]
        assert receipts[0]["output"]["eta_seconds"] == row["eta_seconds"]


async def test_supabase_js_sees_the_same(stack: Stack) -> None:
    status = stack.status()
    script = (HERE / "rider.mjs").read_text()
    command = [str(install.node_binary()), "--input-type=module", "-", status.api_url]
    done = await asyncio.to_thread(
        subprocess.run,
        [*command, status.publishable_key],
        input=script,
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    saw = json.loads(done.stdout.splitlines()[-1])
    assert saw["first"]["eta_source"] == "estimate"
    assert saw["event"]["row_key"] == saw["first"]["id"]
    assert saw["row"]["eta_source"] == "model"
    assert [receipt["status"] for receipt in saw["receipts"]] == ["done"]
    assert saw["profile"]["id"] == saw["user"]
    assert saw["refused"] == {"status": 422, "details": "COORDINATE_OUT_OF_RANGE"}
    assert saw["predicted"]["predictions"][0]["output"]["eta_seconds"] > 0


async def test_without_the_service_the_estimate_stands_and_the_prediction_follows(
    stack: Stack,
) -> None:
    async with new_rider(stack) as rider:
        heard = await listen(rider)
        with stopped(stack, "service"):
            first: Any = (await rider.client.rpc("request_pickup", PLACES).execute()).data
            assert (first["eta_source"], first["eta_seconds"] > 0) == ("estimate", True)
            refused = await invoke(stack, rider.token, {"model": "eta", "inputs": [{}]})
            assert (refused.status_code, refused.json()["details"]) == (503, "SERVICE_UNAVAILABLE")
        event = await asyncio.wait_for(heard.get(), 30)
        assert event["row_key"] == first["id"]
        assert (await row_of(rider, first["id"]))["eta_source"] == "model"


async def test_bad_pickups_are_refused_with_a_token_and_write_nothing(stack: Stack) -> None:
    async with new_rider(stack) as rider:
        status = stack.status()
        headers = {"apikey": status.publishable_key, "authorization": f"Bearer {rider.token}"}
        refused: list[tuple[dict[str, Any], int, str]] = [
            ({"p_origin_lat": 90.1}, 422, "COORDINATE_OUT_OF_RANGE"),
            ({"p_dest_lng": -180.1}, 422, "COORDINATE_OUT_OF_RANGE"),
            ({"p_origin_lat": "NaN"}, 422, "COORDINATE_OUT_OF_RANGE"),
            ({"p_origin_lat": "Infinity"}, 422, "COORDINATE_OUT_OF_RANGE"),
            ({"p_origin_lat": None}, 422, "COORDINATE_OUT_OF_RANGE"),
            ({"p_dest_lat": -37.8, "p_dest_lng": 57.6}, 422, "TRIP_TOO_LONG"),
            ({"p_client_key": ""}, 422, "CLIENT_KEY_OUT_OF_RANGE"),
            ({"p_client_key": "k" * 101}, 422, "CLIENT_KEY_OUT_OF_RANGE"),
        ]
        async with httpx.AsyncClient(base_url=status.api_url, headers=headers) as http:
            for change, code, expected in refused:
                answer = await http.post("/rest/v1/rpc/request_pickup", json={**PLACES, **change})
                assert (answer.status_code, answer.json()["details"]) == (code, expected), change
            for body in ({**PLACES, "p_kind": "rocket"}, {**PLACES, "p_origin_lat": "north"}):
                assert (
                    await http.post("/rest/v1/rpc/request_pickup", json=body)
                ).status_code == 400
            forged = {**PLACES, "user_id": str(uuid.uuid4())}
            assert (await http.post("/rest/v1/rpc/request_pickup", json=forged)).status_code == 404
            assert (await http.get("/rest/v1/rpc/my_pickups")).json() == []


async def test_the_same_key_is_the_same_pickup(stack: Stack) -> None:
    async with new_rider(stack) as rider:
        asked = {**PLACES, "p_client_key": "once"}
        answers: list[Any] = [
            a.data
            for a in await asyncio.gather(
                *(rider.client.rpc("request_pickup", asked).execute() for _ in range(8))
            )
        ]
        assert len({answer["id"] for answer in answers}) == 1
        mine: Any = (await rider.client.rpc("my_pickups").execute()).data
        assert len(mine) == 1


async def test_the_name_given_at_sign_up_is_in_the_profile(stack: Stack) -> None:
    status = stack.status()
    async with httpx.AsyncClient(base_url=status.api_url) as http:
        http.headers["apikey"] = status.publishable_key
        body = {
            "email": f"named-{uuid.uuid4()}@example.com",
            "password": PASSWORD,
            "data": {"display_name": "Ann"},
        }
        session = (await http.post("/auth/v1/signup", json=body)).json()
        http.headers["authorization"] = f"Bearer {session['access_token']}"
        first = (await http.post("/rest/v1/rpc/me")).json()
        assert first["display_name"] == "Ann"
        assert (await http.post("/rest/v1/rpc/sync_profile")).json() == first
        again = {"email": body["email"], "password": PASSWORD}
        signed_in = await http.post("/auth/v1/token?grant_type=password", json=again)
        assert signed_in.json()["user"]["user_metadata"]["display_name"] == "Ann"
