"""The service's routes: who may call them, and what bad input gets."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from structlog.testing import capture_logs

from tests.service.conftest import DATABASE_SECRET, SECRET_KEY, WEBHOOK_SECRET
from tests.unit.test_webhooks import signed
from tests.waiting import execute, wait_for_row

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from tests.service.conftest import Start

pytestmark = pytest.mark.anyio

BIG = b'{"x": "' + b"a" * 10_000_000 + b'"}'
KEY = {"apikey": SECRET_KEY}
SHARED = {"x-rowcast-webhook-secret": DATABASE_SECRET}


def change(table: str, record: Any, kind: str = "INSERT") -> dict[str, Any]:
    return {
        "type": kind,
        "table": table,
        "schema": "public",
        "record": record,
        "old_record": None,
    }


def wakeup(webhook_id: str = "wake_1") -> dict[str, Any]:
    body = b'{"type":"jobs.due","predictions":["note_score"]}'
    return {
        "content": body,
        "headers": signed(body, secret=WEBHOOK_SECRET, webhook_id=webhook_id),
    }


def token_of(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["details"]


@pytest.fixture
async def client(start: Start) -> AsyncIterator[httpx.AsyncClient]:
    async with start() as (http, _):
        yield http


async def test_health_ready_and_metrics_answer_anybody(client: httpx.AsyncClient) -> None:
    assert (await client.get("/health")).json()["status"] == "ok"
    assert (await client.get("/ready")).json() == {"status": "ready"}
    metrics = (await client.get("/metrics")).text
    assert "rowcast_batches_running" in metrics


async def test_a_request_id_comes_back_and_reaches_the_database(
    client: httpx.AsyncClient, notes: str
) -> None:
    # A row without input: the webhook's own claim writes its receipt.
    execute(notes, "alter table public.notes disable trigger user")
    execute(notes, "insert into public.notes (x) values (null)")
    execute(
        notes,
        "select ml.attach('note_score', 'public.notes', 'faulty',"
        " 'case when t.x is not null then to_jsonb(t.x) end', array['x'],"
        " 'public.apply_note_score')",
    )
    # A changed input is a backfill, which answers the row without a request.
    idle = "select 1 where not exists (select from ml.queue)"
    await asyncio.to_thread(wait_for_row, notes, idle)
    headers = {**SHARED, "x-request-id": "from-the-test"}
    body = change("notes", {"id": 1})
    response = await client.post("/webhooks/database", json=body, headers=headers)
    assert response.headers["x-request-id"] == "from-the-test"
    receipts = execute(
        notes,
        "select status, error, request_id from public.predictions where request_id is not null",
    )
    assert receipts == [("superseded", "NO_INPUT", "from-the-test")]


async def test_a_mangled_request_id_is_replaced(client: httpx.AsyncClient) -> None:
    response = await client.get("/health", headers={"x-request-id": "a b\tc"})
    assert len(response.headers["x-request-id"]) == 36


async def test_a_signed_wakeup_is_accepted_once(client: httpx.AsyncClient, notes: str) -> None:
    assert (await client.post("/webhooks/jobs", **wakeup())).status_code == 202
    assert token_of(await client.post("/webhooks/jobs", **wakeup())) == (409, "WEBHOOK_REPLAYED")
    assert execute(notes, "select id from ml.webhook_deliveries") == [("wake_1",)]


async def test_a_misigned_wakeup_writes_nothing(client: httpx.AsyncClient, notes: str) -> None:
    request = wakeup()
    request["headers"]["webhook-signature"] = "v1,AAAA"
    assert token_of(await client.post("/webhooks/jobs", **request)) == (401, "INVALID_SIGNATURE")
    assert execute(notes, "select id from ml.webhook_deliveries") == []


async def test_a_database_webhook_owes_its_row_and_again_costs_nothing(
    client: httpx.AsyncClient, notes: str
) -> None:
    # Our own triggers are off, so that only the webhook can be the cause.
    execute(notes, "alter table public.notes disable trigger user")
    execute(notes, "insert into public.notes (x) values (4)")
    body = change("notes", {"id": 1, "x": 4})
    assert (await client.post("/webhooks/database", json=body, headers=SHARED)).status_code == 202
    await asyncio.to_thread(wait_for_row, notes, "select 1 from public.notes where score = 4")
    await client.post("/webhooks/database", json=body, headers=SHARED)
    await asyncio.to_thread(wait_for_row, notes, "select 1 where not exists (select from ml.jobs)")
    assert execute(notes, "select count(*) from public.predictions") == [(1,)]


async def test_a_record_that_names_no_row_does_nothing(
    client: httpx.AsyncClient, notes: str
) -> None:
    for record in (None, {}, {"id": "x'; drop table notes"}, {"id": 99}, {"id": [1]}):
        body = change("notes", record)
        response = await client.post("/webhooks/database", json=body, headers=SHARED)
        assert (response.status_code, response.json()) == (202, {"claimed": 0}), record
    assert execute(notes, "select count(*) from ml.jobs") == [(0,)]


async def test_a_table_that_is_not_attached_is_refused(client: httpx.AsyncClient) -> None:
    for table in ("profiles", "nowhere", 'no"tes; --', "pg_class"):
        body = change(table, {"id": 1})
        response = await client.post("/webhooks/database", json=body, headers=SHARED)
        assert token_of(response) == (404, "TABLE_NOT_ATTACHED"), table


async def test_a_database_webhook_without_the_secret_is_refused(client: httpx.AsyncClient) -> None:
    response = await client.post("/webhooks/database", json=change("notes", {"id": 1}))
    assert token_of(response) == (401, "INVALID_WEBHOOK_SECRET")


async def test_a_body_of_ten_megabytes_is_refused(client: httpx.AsyncClient) -> None:
    paths = {"/webhooks/jobs": {}, "/webhooks/database": SHARED, "/predict/echo": KEY}
    for path, headers in paths.items():
        response = await client.post(path, content=BIG, headers=headers)
        assert token_of(response) == (413, "PAYLOAD_TOO_LARGE"), path


async def test_predict_answers_in_order(client: httpx.AsyncClient) -> None:
    body = {"inputs": [{"x": 2}, {"x": 1}]}
    answer = (await client.post("/predict/echo", json=body, headers=KEY)).json()
    assert answer["model"] == "echo"
    assert [p["output"]["score"] for p in answer["predictions"]] == [2, 1]


ONE: dict[str, Any] = {"inputs": [{}]}
REFUSED: list[tuple[str, Any, dict[str, str], tuple[int, str]]] = [
    ("/predict/echo", ONE, {}, (401, "INVALID_API_KEY")),
    ("/predict/echo", ONE, {"apikey": "sb_publishable_x"}, (401, "INVALID_API_KEY")),
    ("/predict/echo", ONE, {"authorization": f"Bearer {SECRET_KEY}"}, (401, "INVALID_API_KEY")),
    ("/predict/nothing", ONE, KEY, (404, "UNKNOWN_MODEL")),
    ("/predict/..%2Fhealth", ONE, KEY, (404, "NOT_FOUND")),
    ("/predict/echo", {"inputs": []}, KEY, (422, "INVALID_PAYLOAD")),
    ("/predict/echo", {"inputs": [{}] * 257}, KEY, (422, "INVALID_PAYLOAD")),
    ("/predict/echo", {"inputs": [1]}, KEY, (422, "INVALID_PAYLOAD")),
    ("/predict/echo", {}, KEY, (422, "INVALID_PAYLOAD")),
    ("/predict/faulty", {"inputs": [{"fault": "input"}]}, KEY, (422, "INVALID_INPUT")),
    ("/predict/faulty", {"inputs": [{"fault": "nan"}]}, KEY, (502, "PREDICTION_FAILED")),
    ("/predict/faulty", {"inputs": [{"fault": "crash"}]}, KEY, (502, "PREDICTION_FAILED")),
    ("/nowhere", {}, KEY, (404, "NOT_FOUND")),
    ("/health", {}, KEY, (405, "METHOD_NOT_ALLOWED")),
]


async def test_what_predict_refuses(client: httpx.AsyncClient) -> None:
    for path, body, headers, expected in REFUSED:
        response = await client.post(path, json=body, headers=headers)
        assert token_of(response) == expected, (path, body, headers)


async def test_every_refusal_is_one_log_line(client: httpx.AsyncClient) -> None:
    with capture_logs() as lines:
        await client.post("/predict/nothing", json={"inputs": [{}]}, headers=KEY)
    assert [(line["status"], line["token"]) for line in lines] == [(404, "UNKNOWN_MODEL")]


async def test_ready_says_when_the_database_is_away(start: Start, notes: str) -> None:
    async with start() as (client, _):
        database = psycopg.conninfo.conninfo_to_dict(notes)["dbname"]
        with psycopg.connect(notes, dbname="template1", autocommit=True) as connection:
            connection.execute(f'alter database "{database}" allow_connections false'.encode())
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s",
                [database],
            )
            response = await client.get("/ready")
            connection.execute(f'alter database "{database}" allow_connections true'.encode())
        assert token_of(response) == (503, "DATABASE_UNAVAILABLE")
