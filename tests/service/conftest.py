"""A database of the test's own with a faulty model attached, and the service on it."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest

from rowcast import models
from rowcast.service.app import Service, create_app
from rowcast.settings import Settings
from rowcast.stack.temporary import free_port_block

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractAsyncContextManager
    from typing import TypeAlias

    from rowcast.stack.stack import Stack

    Start: TypeAlias = Callable[..., AbstractAsyncContextManager[tuple[httpx.AsyncClient, Service]]]
    Launch: TypeAlias = Callable[[], subprocess.Popen[bytes]]

ROOT = Path(__file__).parents[2]
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

# Another table, whose model is well.
ECHOES = """
create table public.echoes (id bigint primary key, x numeric, score numeric);
create function public.apply_echo(p_row_keys text[], p_outputs jsonb[], p_version text)
returns void language sql set search_path = '' as $$
  update public.echoes as e set score = (o.output ->> 'score')::numeric
  from unnest(p_row_keys, p_outputs) as o (row_key, output) where e.id = o.row_key::bigint
$$;
select ml.attach(
  'echo_score', 'public.echoes', 'echo', 'to_jsonb(t)', array['x'], 'public.apply_echo'
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


@pytest.fixture
def service_log(tmp_path: Path) -> Path:
    """What the services said."""
    return tmp_path / "service.log"


@pytest.fixture
def launch(service_url: str, service_log: Path) -> Iterator[Launch]:
    """Start a service in a process of its own; all that are left at the end are killed."""
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT / 'py'}:{ROOT}",
        "ROWCAST_DB_URL": service_url,
        "ROWCAST_SECRET_KEY": SECRET_KEY,
        "ROWCAST_WEBHOOK_SECRETS": WEBHOOK_SECRET,
        "ROWCAST_DATABASE_WEBHOOK_SECRET": DATABASE_SECRET,
        "ROWCAST_MODELS": "faulty",
        "ROWCAST_HEARTBEAT_SECONDS": "0.1",
        "ROWCAST_POLL_SECONDS": "0.1",
        "ROWCAST_DRAIN_SECONDS": "1",
    }
    with ExitStack() as stack, service_log.open("ab") as log:

        def run() -> subprocess.Popen[bytes]:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.service.faulty_service"],
                cwd=ROOT,
                env={**environment, "ROWCAST_PORT": str(free_port_block())},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        yield run
