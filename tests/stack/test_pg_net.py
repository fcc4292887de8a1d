"""pg_net's stand-in: what SQL asks for is sent, once, and the answer can be read."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from aiohttp import web

from tests.stack.support import SECONDS, eventually, web_site

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    Connection = psycopg.Connection[tuple[Any, ...]]


class Receiver:
    """A web site that notes what it gets."""

    def __init__(self) -> None:
        self.url = ""
        self.got: asyncio.Queue[tuple[str, str, dict[str, str], bytes]] = asyncio.Queue()
        self.release = asyncio.Event()

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Note a request; /slow answers when released, /big with two megabytes."""
        await self.got.put(
            (request.method, request.raw_path, dict(request.headers), await request.read())
        )
        if request.path == "/slow":
            await self.release.wait()
        if request.path == "/moved":
            return web.Response(status=302, headers={"Location": "/elsewhere"})
        if request.path == "/big":
            return web.Response(body=b"x" * 2 * 1024 * 1024)
        return web.Response(status=201, text="th\0ank you", headers={"X-Receipt": "7"})

    async def next(self) -> tuple[str, str, dict[str, str], bytes]:
        """Give the next request."""
        return await asyncio.wait_for(self.got.get(), SECONDS)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A running receiver."""
    site = Receiver()
    async with web_site(site.handle) as url:
        site.url = url
        yield site
        site.release.set()


def ask(db: Connection, query: str, *params: Any) -> int:
    row = db.execute(query, params).fetchone()
    assert row is not None
    assert isinstance(row[0], int)
    return row[0]


async def answer(db: Connection, request: int) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        cursor = db.execute("select * from net._http_response where id = %s", (request,))
        row, columns = cursor.fetchone(), cursor.description
        return {c.name: v for c, v in zip(columns or (), row, strict=True)} if row else None

    found = await asyncio.to_thread(eventually, look)
    assert isinstance(found, dict)
    return found


async def test_a_post_is_delivered_and_its_answer_kept(
    receiver: Receiver, postgres: Connection
) -> None:
    request = ask(
        postgres,
        "select net.http_post(%s, %s::jsonb, %s::jsonb, %s::jsonb)",
        receiver.url + "/a?b=1",
        '{"é": [1, null]}',
        '{"q": "ü &=", "z": 1}',
        '{"X-Secret": "s"}',
    )
    method, path, headers, body = await receiver.next()
    assert (method, path) == ("POST", "/a?b=1&q=%C3%BC%20%26%3D&z=1")
    assert (headers["X-Secret"], headers["Content-Type"]) == ("s", "application/json")
    assert body.decode() == '{"é": [1, null]}'
    got = await answer(postgres, request)
    assert (got["status_code"], got["content"], got["timed_out"]) == (201, "thank you", False)
    assert got["headers"]["X-Receipt"] == "7"
    assert got["error_msg"] is None


async def test_get_and_delete(receiver: Receiver, postgres: Connection) -> None:
    ask(postgres, "select net.http_get(%s)", receiver.url + "/g")
    assert (await receiver.next())[:2] == ("GET", "/g")
    ask(postgres, "select net.http_delete(%s, body => '{}')", receiver.url + "/d")
    method, path, _, body = await receiver.next()
    assert (method, path, body) == ("DELETE", "/d", b"{}")


async def test_nothing_is_sent_by_a_transaction_that_rolls_back(
    receiver: Receiver, postgres: Connection
) -> None:
    with postgres.transaction(force_rollback=True):
        ask(postgres, "select net.http_get(%s)", receiver.url + "/never")
    ask(postgres, "select net.http_get(%s)", receiver.url + "/then")
    assert (await receiver.next())[1] == "/then"


async def test_each_request_is_sent_once(receiver: Receiver, postgres: Connection) -> None:
    postgres.execute(
        "select net.http_get(%s || n) from generate_series(1, 250) as n", (receiver.url + "/",)
    )
    paths = [(await receiver.next())[1] for _ in range(250)]
    assert sorted(paths) == sorted(f"/{n}" for n in range(1, 251))
    assert receiver.got.empty()
    left = postgres.execute("select count(*) from net.http_request_queue").fetchone()
    assert left == (0,)


async def test_a_redirect_is_an_answer_and_is_not_followed(
    receiver: Receiver, postgres: Connection
) -> None:
    request = ask(postgres, "select net.http_get(%s)", receiver.url + "/moved")
    assert (await answer(postgres, request))["status_code"] == 302
    assert receiver.got.qsize() == 1


async def test_a_time_out_is_recorded(receiver: Receiver, postgres: Connection) -> None:
    query = "select net.http_get(%s, timeout_milliseconds => 100)"
    got = await answer(postgres, ask(postgres, query, receiver.url + "/slow"))
    assert (got["timed_out"], got["status_code"]) == (True, None)
    assert "100 ms" in got["error_msg"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "not a url", "file:///etc/passwd", ""])
async def test_what_cannot_be_sent_is_recorded(postgres: Connection, url: str) -> None:
    got = await answer(postgres, ask(postgres, "select net.http_get(%s)", url))
    assert got["timed_out"] is False
    assert got["error_msg"]


async def test_an_answer_is_cut_at_a_megabyte(receiver: Receiver, postgres: Connection) -> None:
    got = await answer(postgres, ask(postgres, "select net.http_get(%s)", receiver.url + "/big"))
    assert len(got["content"]) == 1024 * 1024


async def test_a_header_with_a_line_break_is_not_sent(
    receiver: Receiver, postgres: Connection
) -> None:
    query = "select net.http_get(%s, headers => %s::jsonb)"
    smuggled = r'{"X-A": "b\r\nX-Injected: c"}'
    got = await answer(postgres, ask(postgres, query, receiver.url + "/x", smuggled))
    assert got["status_code"] is None
    assert receiver.got.empty()


def test_post_insists_on_json(postgres: Connection) -> None:
    query = "select net.http_post('http://x', headers => '{\"content-type\": \"text/plain\"}')"
    with pytest.raises(psycopg.errors.RaiseException, match="application/json"):
        postgres.execute(query)
    with pytest.raises(psycopg.errors.RaiseException, match="body must not be null"):
        postgres.execute("select net.http_post('http://x', body => null)")


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role"])
@pytest.mark.parametrize("table", ["http_request_queue", "_http_response"])
def test_clients_read_no_headers_of_others(db: Connection, role: str, table: str) -> None:
    db.execute(f"set local role {role}")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        db.execute(f"select from net.{table}")
