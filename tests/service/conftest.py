"""A database of the test's own with a faulty model attached, and the service on it."""

from __future__ import annotations

import base64
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest

from rowcast import models
from rowcast.service.app import Service, create_app
from rowcast.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from typing import TypeAlias

    from rowcast.stack.stack import Stack

    Start: TypeAlias = Callable[..., AbstractAsyncContextManager[tuple[httpx.AsyncClient, Service]]]

SECRET_KEY = "sb_secret_for_tests_only"
WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
DATABASE_SECRET = "a secret of database webhooks"

NOTES = """
create table public.notes (
  id bigint generated always as identity primary key,
  owner_id uuid, x numeric, fault text, remark text,
  score numeric check (score < 1000), scored_by text
);
create function public.apply_note_score(p_row_keys text[], p_outputs jsonb[], p_model_version text)
returns void language sql set search_path = '' as $$
  update public.notes as n set score = (o.output ->> 'score')::numeric, scored_by = p_model_version
  from unnest(p_row_keys, p_outputs) as o (row_key, output)
  where n.id = o.row_key::bigint
$$;
insert into ml.models (name, batch_size, timeout_ms, lease_seconds, max_attempts, backoff_seconds)
values ('faulty', 64, 2000, 1, 2, 0.05);
select ml.attach(
  'note_score', 'public.notes', 'faulty',
  $$jsonb_build_object('x', t.x, 'fault', t.fault)$$, array['x', 'fault'],
  'public.apply_note_score', 'owner_id'
);
"""


@pytest.fixture
def notes(fresh_db: str) -> str:
    """URL, as role postgres, of a database whose table `notes` is scored by the model `faulty`."""
    with psycopg.connect(fresh_db) as connection:
        connection.execute(NOTES)
    return fresh_db


@pytest.fixture
def service_url(notes: str, stack: Stack) -> str:
    """The same database, as role rowcast_service."""
    database = str(psycopg.conninfo.conninfo_to_dict(notes)["dbname"])
    state = stack.state
    return state.database_url("rowcast_service", state.service_password, database)


@pytest.fixture
def start(service_url: str, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Run the application in this process; its worker claims from `notes`."""
    monkeypatch.setitem(models._CLASSES, "faulty", "tests.fakes:FaultyModel")
    models.load.cache_clear()

    @asynccontextmanager
    async def run(**other: Any) -> AsyncIterator[tuple[httpx.AsyncClient, Service]]:
        values: dict[str, Any] = {
            "db_url": service_url,
            "secret_key": SECRET_KEY,
            "webhook_secrets": WEBHOOK_SECRET,
            "database_webhook_secret": DATABASE_SECRET,
            "models": "echo faulty",
            "heartbeat_seconds": 0.2,
            "poll_seconds": 0.5,
            "drain_seconds": 2,
        }
        app = create_app(Settings(**{**values, **other}))
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://service") as client,
        ):
            yield client, app.state.service

    return run
