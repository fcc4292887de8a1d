"""The gateway of the embedded stack: one origin in front of its parts, as the platform's is.

    /rest/v1/…                PostgREST, prefix removed
    /auth/v1/…  /storage/v1/… Auth and Storage, path unchanged
    /functions/v1/NAME/…      edge functions, which see /NAME/… as they do on the platform
    /realtime/v1/…            the Realtime stand-in in this process (realtime.py)
    /health                   {"status":"ok"} while this process serves; it asks no other part

Keys. `apikey` (header, or query parameter, which is removed) must be a key of this stack:
publishable is role anon, secret is role service_role. A bearer token that is not that key wins and
is passed on; its receiver verifies it. Keyless are only: functions, browser redirects of Auth, and
Storage's public and signed URLs. A key that this stack did not issue is refused everywhere.

Every refusal of the gateway itself is JSON `{"code": TOKEN, "message": SENTENCE}`:
    401 NO_API_KEY, INVALID_API_KEY · 404 NOT_FOUND · 413 PAYLOAD_TOO_LARGE · 400 BAD_REQUEST
    400 TOO_MANY_ARGUMENTS: names that keep PostgREST busy (arguments.py)
    415 UNSUPPORTED_ENCODING: a compressed body, whose size is unknown until it is inflated
    502 UPSTREAM_BROKEN · 503 UPSTREAM_UNAVAILABLE · 504 UPSTREAM_TIMEOUT

The process also hosts the tasks that stand in for Realtime, pg_net and pg_cron. It is a development
default: no TLS, no rate limits of its own.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self
from urllib.parse import unquote_to_bytes
from uuid import uuid4

import aiohttp
import psycopg
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from rowcast.stack import arguments, auth_hooks
from rowcast.stack.lite_repairs import repair_answer, repair_upload
from rowcast.stack.pg_cron import CronWorker
from rowcast.stack.pg_net import NetWorker
from rowcast.stack.realtime import BROADCAST_PATH, Realtime
from rowcast.stack.tokens import Keyring, bearer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

log = logging.getLogger("rowcast.gateway")

MIB = 1024 * 1024
BUFFERED_BYTES = 64 * 1024
CHUNK_BYTES = 64 * 1024
FORM_HEAD_BYTES = 16 * 1024
# PostgREST repeats the query in Content-Location, percent-encoded: three bytes for one of 8190.
ECHOED_BYTES = 32 * 1024
# Shorter than the five seconds after which Node closes an idle connection, or a POST could meet a
# connection that is just being closed.
KEEPALIVE_SECONDS = 4.0
STAND_INS_POLL_SECONDS = 0.1
# The last of the stand-ins that the tasks of this process need.
STAND_INS_PRESENT = "select to_regprocedure('realtime._standin_partitions()') is not null"

HOP_BY_HOP = frozenset(
    (
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
        "te", "trailer", "transfer-encoding", "upgrade", "expect", "host", "content-length",
        "forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip",
        "cf-connecting-ip",
    )
)  # fmt: skip
EXPOSED_HEADERS = (
    "Content-Range, Content-Location, Content-Profile, Content-Encoding, ETag, Location, "
    "Preference-Applied, Range-Unit, Retry-After, X-Request-Id, X-Supabase-Api-Version"
)
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
KEYLESS = re.compile(
    r"/functions/v1/"
    r"|/auth/v1/(verify|callback|authorize|health|\.well-known/)"
    r"|/storage/v1/(object/(public|sign|upload/sign)/|render/image/(public|sign)/)"
)


class Refusal(Exception):  # noqa: N818 - it is an answer, not an error of this process
    """An answer the gateway gives by itself."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    def response(self) -> web.Response:
        """Give it as JSON."""
        return web.json_response({"code": self.code, "message": self.message}, status=self.status)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the gateway is told by its environment (variables GATEWAY_*)."""

    port: int
    rest_url: str
    auth_url: str
    functions_url: str
    db_url: str
    publishable_key: str
    secret_key: str
    jwt_secret: str

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read them all; the process ends with one line naming the first that is missing or bad."""

        def read(name: str) -> str:
            value = env.get(f"GATEWAY_{name}", "")
            if not value:
                raise SystemExit(f"GATEWAY_{name} is not set: start the gateway with `rowcast up`")
            return value

        port = read("PORT")
        if not port.isdecimal() or not 0 < int(port) < 65536:
            raise SystemExit(f"GATEWAY_PORT must be a port number, not {port!r}")
        return cls(
            port=int(port),
            rest_url=read("REST_URL").rstrip("/"),
            auth_url=read("AUTH_URL").rstrip("/"),
            functions_url=read("FUNCTIONS_URL").rstrip("/"),
            db_url=read("DB_URL"),
            publishable_key=read("PUBLISHABLE_KEY"),
            secret_key=read("SECRET_KEY"),
            jwt_secret=read("JWT_SECRET"),
        )


@dataclass(frozen=True, slots=True)
class Route:
    """Where a path prefix leads. `mint` says that the receiver wants a token made from the key."""

    prefix: str
    name: str
    upstream: str
    removed: str
    limit: int = MIB
    mint: bool = False
    own_cors: bool = False
    repaired: bool = False

    def target(self, raw_path: str) -> URL:
        """Give the upstream URL of a raw path with query."""
        return URL(self.upstream + raw_path[len(self.removed) :], encoded=True)


class Gateway:
    """Routes, checks keys and proxies. `session` is the pool of upstream connections."""

    def __init__(
        self, settings: Settings, session: aiohttp.ClientSession, realtime: Realtime, keys: Keyring
    ) -> None:
        self._session, self._realtime, self._keys = session, realtime, keys
        self._db_url = settings.db_url
        rest, auth, functions = settings.rest_url, settings.auth_url, settings.functions_url
        self._routes = (
            Route("/rest/v1/", "rest", rest, "/rest/v1", mint=True),
            Route("/auth/v1/", "auth", auth, "", mint=True, repaired=True),
            Route("/storage/v1/", "storage", auth, "", 50 * MIB, mint=True, repaired=True),
            Route("/functions/v1/", "functions", functions, "/functions/v1", own_cors=True),
        )

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer any request."""
        cors = _cors_headers(request)
        try:
            return await self._dispatch(request, cors)
        except Refusal as refusal:
            response = refusal.response()
        except ValueError as error:
            response = Refusal(400, "BAD_REQUEST", f"The request is malformed: {error}").response()
        response.headers.update(cors)
        return response

    async def _dispatch(
        self, request: web.BaseRequest, cors: CIMultiDict[str]
    ) -> web.StreamResponse:
        path = request.path
        _require_plain_body(request)
        _require_text(request)
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            return web.Response(status=204, headers=cors)
        for route in self._routes:
            if path.startswith(route.prefix) or path + "/" == route.prefix:
                if "/../" in path or path.endswith("/.."):
                    break
                return await self._proxy(request, route, cors)
        if path == "/health":
            return web.json_response({"status": "ok"}, headers=cors)
        if path == "/realtime/v1/websocket":
            self._require_key(request, path)
            return await self._realtime.websocket(request)
        if path.startswith(BROADCAST_PATH):
            role = self._require_key(request, path) or "anon"
            token = bearer(request.headers.get("Authorization")) or self._keys.mint(role)
            status, body = await self._realtime.broadcast(request, token)
            return web.json_response(body, status=status, headers=cors)
        raise Refusal(404, "NOT_FOUND", "No part of this project answers at this path.")

    def _require_key(self, request: web.BaseRequest, path: str) -> str | None:
        """Give the role of the request's key; None if it needs none and has none."""
        key = request.headers.get("apikey") or request.query.get("apikey")
        token = bearer(request.headers.get("Authorization")) or ""
        for given in (key, token if token.startswith("sb_") else None):
            if given and self._keys.role_of(given) is None:
                raise Refusal(401, "INVALID_API_KEY", "This API key is not one of this project's.")
        if key:
            return self._keys.role_of(key)
        if KEYLESS.match(path):
            return None
        raise Refusal(401, "NO_API_KEY", "Send an API key in the `apikey` header.")

    async def _proxy(
        self, request: web.BaseRequest, route: Route, cors: CIMultiDict[str]
    ) -> web.StreamResponse:
        role = self._require_key(request, request.path)
        headers = self._upstream_headers(request, route, role)
        is_form = request.content_type == "multipart/form-data"
        body = await _body(request, route.limit, repaired=route.repaired and is_form)
        if request.path.startswith(arguments.PREFIX):
            body = await _call_body(request, body)
        if isinstance(body, CountedBody) and body.length is not None:
            headers["Content-Length"] = str(body.length)
        try:
            async with self._session.request(
                request.method,
                route.target(_without_key(request)),
                headers=headers,
                data=body,
                allow_redirects=False,
            ) as upstream:
                if upstream.status == 500 and route.name == "auth":
                    refused = await self._hook_refusal(request, body)
                    if refused is not None:
                        refused.headers.update(cors)
                        refused.headers["X-Request-Id"] = headers["X-Request-Id"]
                        return refused
                if route.name == "auth" and upstream.content_type == "text/html":
                    # The embedded server answers what Auth does not have with its own web page.
                    raise Refusal(404, "NOT_FOUND", "Auth has nothing at this path.")
                return await _relay(request, upstream, route, cors)
        except (aiohttp.ClientError, TimeoutError) as error:
            if isinstance(body, CountedBody) and body.exceeded:
                raise _too_large(route.limit) from error
            raise _upstream_refusal(route, error) from error

    async def _hook_refusal(
        self, request: web.BaseRequest, body: bytes | CountedBody | None
    ) -> web.Response | None:
        """What Auth would have said had it asked the hook; None if the hook had let it pass."""
        version = request.headers.get(auth_hooks.VERSION_HEADER)
        return await auth_hooks.refusal(self._db_url, request.path, body, version)

    def _upstream_headers(
        self, request: web.BaseRequest, route: Route, role: str | None
    ) -> CIMultiDict[str]:
        """Copy what may pass, put the key's token where the client sent none of its own."""
        dropped = HOP_BY_HOP | {
            name.strip().lower() for name in request.headers.get("Connection", "").split(",")
        }
        headers = CIMultiDict(
            (name, value) for name, value in request.headers.items() if name.lower() not in dropped
        )
        # PostgREST obeys each of several, and shows the database the last alone.
        if "Prefer" in headers:
            headers["Prefer"] = ", ".join(headers.popall("Prefer"))
        key = headers.get("apikey") or request.query.get("apikey", "")
        if key:
            headers["apikey"] = key
        token = bearer(headers.get("Authorization"))
        if route.mint and role is not None and (token is None or token == key):
            headers["Authorization"] = f"Bearer {self._keys.mint(role)}"
        headers["X-Forwarded-For"] = request.remote or ""
        headers["X-Forwarded-Host"] = request.headers.get("Host", "")
        headers["X-Forwarded-Proto"] = "http"
        if not REQUEST_ID.match(headers.get("X-Request-Id", "")):
            headers["X-Request-Id"] = uuid4().hex
        return headers


class CountedBody:
    """A request body passed on in pieces, cut off beyond `limit` bytes.

    A `repaired` one is a form for Storage, which may get a few bytes longer on the way.
    """

    def __init__(self, request: web.BaseRequest, limit: int, *, repaired: bool) -> None:
        self._content, self._limit, self._repaired = request.content, limit, repaired
        self.length = None if repaired else request.content_length
        self.exceeded = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give the pieces; stop with an error where the limit is passed."""
        head, total = b"", 0
        in_head = self._repaired
        while piece := await self._content.read(CHUNK_BYTES):
            total += len(piece)
            if total > self._limit:
                self.exceeded = True
                raise aiohttp.ClientPayloadError("request body over its limit")
            if not in_head:
                yield piece
                continue
            head += piece
            if len(head) >= FORM_HEAD_BYTES:
                yield repair_upload(head)
                in_head = False
        if in_head:
            yield repair_upload(head)


async def _body(
    request: web.BaseRequest, limit: int, *, repaired: bool
) -> bytes | CountedBody | None:
    """Give the body: none, a small one whole, another in pieces; refuse one too long."""
    if not request.body_exists:
        return None
    length = request.content_length
    if length is not None and length > limit:
        raise _too_large(limit)
    if length is not None and length <= BUFFERED_BYTES:
        whole = await request.content.read()
        return repair_upload(whole) if repaired else whole
    return CountedBody(request, limit, repaired=repaired)


async def _call_body(
    request: web.BaseRequest, body: bytes | CountedBody | None
) -> bytes | CountedBody | None:
    """Give the body of a call whole; refuse more names than a function can have."""
    named = [request.path.removeprefix(arguments.PREFIX), *request.query]
    if isinstance(body, CountedBody):
        try:
            body = b"".join([piece async for piece in body])
        except aiohttp.ClientPayloadError as error:
            raise _too_large(MIB) from error
    found = arguments.names_in(request.content_type, body) if body else []
    if found is None or arguments.too_many([*named, *found]):
        raise Refusal(400, "TOO_MANY_ARGUMENTS", "No function has so many arguments.")
    return body


async def _relay(
    request: web.BaseRequest,
    upstream: aiohttp.ClientResponse,
    route: Route,
    cors: CIMultiDict[str],
) -> web.StreamResponse:
    """Pass the answer on, small ones whole, others as they arrive."""
    headers = CIMultiDict(
        (name, value)
        for name, value in upstream.headers.items()
        if name.lower() not in HOP_BY_HOP
        and (route.own_cors or not name.lower().startswith("access-control-"))
    )
    for name, value in cors.items():
        headers.setdefault(name, value)
    headers.setdefault("X-Request-Id", upstream.request_info.headers["X-Request-Id"])
    length = upstream.content_length
    if request.method == "HEAD" or (length is not None and length <= BUFFERED_BYTES):
        body = await upstream.read()
        if route.repaired and upstream.content_type == "application/json":
            body = repair_answer(body)
        response = web.Response(status=upstream.status, headers=headers, body=body)
        if request.method == "HEAD" and length is not None:
            response.headers["Content-Length"] = str(length)
        return response
    stream = web.StreamResponse(status=upstream.status, headers=headers)
    stream.content_length = length
    await stream.prepare(request)
    try:
        async for piece in upstream.content.iter_any():
            await stream.write(piece)
    except (aiohttp.ClientError, TimeoutError) as error:
        # The status is on its way already: cutting the connection is the only honest answer left.
        log.warning("upstream=%s path=%s broke mid-answer: %r", route.name, request.path, error)
        if request.transport is not None:
            request.transport.abort()
    return stream


def _without_key(request: web.BaseRequest) -> str:
    """Give path and query as the client sent them, less `apikey`."""
    raw = request.rel_url.raw_path_qs
    if "apikey=" not in raw:
        return raw
    path, _, query = raw.partition("?")
    kept = [part for part in query.split("&") if part and not part.startswith("apikey=")]
    return path + ("?" + "&".join(kept) if kept else "")


def _cors_headers(request: web.BaseRequest) -> CIMultiDict[str]:
    """Give the CORS headers: any origin may call, since no cookie is ever a credential here."""
    headers = CIMultiDict({"Access-Control-Allow-Origin": "*"})
    if request.method == "OPTIONS":
        wanted = request.headers.get("Access-Control-Request-Headers", "authorization, apikey")
        headers["Access-Control-Allow-Methods"] = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
        headers["Access-Control-Allow-Headers"] = wanted
        headers["Access-Control-Max-Age"] = "3600"
    else:
        headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
    return headers


def _require_plain_body(request: web.BaseRequest) -> None:
    """Refuse a compressed body: a small one may inflate to a thousand times its size."""
    given = ",".join(request.headers.getall("Content-Encoding", ()))
    if {name.strip().lower() for name in given.split(",")} - {"", "identity"}:
        raise Refusal(415, "UNSUPPORTED_ENCODING", "Send the body without Content-Encoding.")


def _require_text(request: web.BaseRequest) -> None:
    """Refuse an address that is no text: the parts behind answer some of those with a 500."""
    try:
        text = unquote_to_bytes(request.rel_url.raw_path_qs).decode()
    except UnicodeDecodeError:
        raise Refusal(400, "BAD_REQUEST", "The address is not UTF-8.") from None
    if "\0" in text:
        raise Refusal(400, "BAD_REQUEST", "The address holds a NUL.")


def _too_large(limit: int) -> Refusal:
    return Refusal(413, "PAYLOAD_TOO_LARGE", f"The body is over {limit // MIB} MiB.")


def _upstream_refusal(route: Route, error: Exception) -> Refusal:
    """Turn a failed call upstream into an answer, and log it in one line."""
    log.warning("upstream=%s failed: %r", route.name, error)
    if isinstance(error, TimeoutError):
        return Refusal(504, "UPSTREAM_TIMEOUT", f"{route.name} did not answer in time.")
    if isinstance(error, aiohttp.ClientConnectorError):
        return Refusal(503, "UPSTREAM_UNAVAILABLE", f"{route.name} is not running.")
    return Refusal(502, "UPSTREAM_BROKEN", f"{route.name} broke off the connection.")


async def _supervise(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Keep a background task alive: log what it dies of, start it again after a second."""
    while True:
        try:
            await run()
        except Exception:
            log.exception("task=%s failed; it starts again in a second", name)
        await asyncio.sleep(1)


async def _database_tasks(settings: Settings, realtime: Realtime) -> None:
    """Run what stands in for the platform's workers, once there is what they work on."""
    await _stand_ins(settings.db_url)
    workers = {
        "realtime": realtime.run,
        "pg_net": NetWorker(settings.db_url).run,
        "pg_cron": CronWorker(settings.db_url).run,
    }
    async with asyncio.TaskGroup() as group:
        for name, run in workers.items():
            group.create_task(_supervise(name, run))


async def _stand_ins(db_url: str) -> None:
    """Wait for the stand-ins in the database; on a first start both come after this process."""
    while True:
        with suppress(psycopg.OperationalError):
            async with await psycopg.AsyncConnection.connect(db_url, autocommit=True) as conn:
                if await (await conn.execute(STAND_INS_PRESENT)).fetchone() == (True,):
                    return
        await asyncio.sleep(STAND_INS_POLL_SECONDS)


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    keys = Keyring(settings.publishable_key, settings.secret_key, settings.jwt_secret)
    connector = aiohttp.TCPConnector(limit=256, keepalive_timeout=KEEPALIVE_SECONDS)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=150)
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        max_field_size=ECHOED_BYTES,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
    ) as session:
        realtime = Realtime(settings.db_url, keys)
        gateway = Gateway(settings, session, realtime, keys)
        # What is refused is still read to its end, but never inflated.
        server = web.Server(
            gateway.handle, access_log=None, keepalive_timeout=75, auto_decompress=False
        )
        runner = web.ServerRunner(server)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", settings.port).start()
        except OSError as error:
            raise SystemExit(f"port {settings.port} cannot be used: {error.strerror}") from error
        log.info("listening on http://127.0.0.1:%d", settings.port)
        tasks = asyncio.create_task(_database_tasks(settings, realtime))
        await stop.wait()
        tasks.cancel()
        await asyncio.gather(tasks, return_exceptions=True)
        await realtime.close()
        await runner.cleanup()


def main() -> None:
    """Run the gateway with what the environment says."""
    form = "%(asctime)s %(levelname)s %(name)s %(message)s"
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format=form)
    settings = Settings.from_env(os.environ)
    try:
        import uvloop
    except ImportError:
        asyncio.run(serve(settings))
    else:
        uvloop.run(serve(settings))


if __name__ == "__main__":
    main()
