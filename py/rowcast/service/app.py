"""The ASGI application: webhooks in, health and metrics out, and the worker beside them."""

from __future__ import annotations

import asyncio
import hmac
import os
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import uuid4

import psycopg
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from rowcast import __version__, models
from rowcast.service.batch import LocalRunner, Runner
from rowcast.service.database import Database
from rowcast.service.logs import get_logger
from rowcast.service.metrics import Metrics
from rowcast.service.problems import Problem, problem_from_database
from rowcast.service.remote import Remotes
from rowcast.service.webhooks import (
    DATABASE_CHANGE,
    WAKEUP,
    parse,
    verify_shared_secret,
    verify_signature,
)
from rowcast.service.worker import DATABASE_AWAY, Worker
from rowcast.settings import Settings

log = get_logger("rowcast.http")

MAX_BODY_BYTES = 1_048_576
MAX_PREDICT_INPUTS = 256
PREDICT_SECONDS = 10.0


class PredictRequest(BaseModel):
    """Body of POST /predict/{model}."""

    model_config = ConfigDict(extra="forbid")

    inputs: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MAX_PREDICT_INPUTS)]


PREDICT = TypeAdapter(PredictRequest)


@dataclass(slots=True)
class Service:
    """Everything one application owns."""

    settings: Settings
    name: str
    runners: dict[str, Runner]
    remotes: Remotes
    database: Database
    worker: Worker
    metrics: Metrics
    loop: asyncio.Task[None] | None = None

    @property
    def trouble(self) -> str | None:
        """Why only a restart would help, or None."""
        if self.loop is not None and self.loop.done() and not self.worker.stopping:
            return "stopped"
        if any(runner.stuck for runner in self.runners.values()):
            return "stuck"
        return None


def build_service(settings: Settings) -> Service:
    """Load the models and wire the parts; nothing is started yet."""
    name = f"rowcast@{socket.gethostname()}:{os.getpid()}"
    runners: dict[str, Runner] = {
        model: LocalRunner(models.load(model), settings.concurrency) for model in settings.models
    }
    remotes = Remotes(settings.remote_keys, settings.concurrency)
    # The star says that this replica asks remote models, too.
    versions = {"*": "remote"} | {model: runner.version for model, runner in runners.items()}
    url = settings.db_url.get_secret_value()
    size = settings.concurrency * max(2, len(runners)) + 2
    database = Database(url, name, versions, size=size, pooled=not settings.listen)
    metrics = Metrics()
    worker = Worker(
        database,
        runners,
        metrics,
        remote=remotes.runner,
        claim_limit=settings.claim_limit,
        poll_seconds=settings.poll_seconds,
        heartbeat_seconds=settings.heartbeat_seconds,
    )
    return Service(settings, name, runners, remotes, database, worker, metrics)


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Start the worker with the application; at the end stop claiming, drain, release."""
    settings: Settings = app.state.settings
    service = await asyncio.to_thread(build_service, settings)
    app.state.service = service
    worker = service.worker
    async with service.database, service.remotes:
        listen_url = settings.db_url.get_secret_value() if settings.listen else None
        loop = asyncio.create_task(worker.run(listen_url, service.name))
        service.loop = loop
        beating = asyncio.create_task(worker.beat())
        log.info("started", worker=service.name, models=sorted(service.runners))
        try:
            yield
        finally:
            worker.stop()
            await asyncio.wait({loop}, timeout=10)
            loop.cancel()
            await worker.drain(settings.drain_seconds)
            await asyncio.wait({loop, beating}, timeout=5)
            log.info("stopped", worker=service.name)
    for runner in service.runners.values():
        runner.close()


# -- routes --------------------------------------------------------------------------------


async def post_jobs(request: Request) -> Response:
    """A signed wake-up. Its id is stored with the claim that it causes, so a replay is refused."""
    service: Service = request.app.state.service
    body = await read_body(request)
    secrets = tuple(secret.get_secret_value() for secret in service.settings.webhook_secrets)
    webhook_id = verify_signature(request.headers, body, secrets)
    parse(WAKEUP, body)
    return await claim_for_webhook(request, "jobs", webhook_id, None)


async def post_database(request: Request) -> Response:
    """A Supabase Database Webhook; the same change again merges or is skipped by its hash."""
    service: Service = request.app.state.service
    verify_shared_secret(
        request.headers.get("x-rowcast-webhook-secret"),
        service.settings.database_webhook_secret.get_secret_value(),
    )
    change = parse(DATABASE_CHANGE, await read_body(request)).change()
    return await claim_for_webhook(request, "database", None, change)


async def claim_for_webhook(
    request: Request, kind: str, webhook_id: str | None, change: dict[str, Any] | None
) -> Response:
    """Claim what the webhook is about, and answer 202."""
    service: Service = request.app.state.service
    if service.worker.stopping:
        raise Problem(503, "STOPPING", "The service is stopping.", "Send it again.")
    claimed = await service.worker.claim(request.state.request_id, webhook_id, change)
    service.metrics.webhooks.labels(kind, "accepted").inc()
    return JSONResponse({"claimed": claimed}, status_code=202)


async def post_predict(request: Request) -> Response:
    """Answer directly, for back ends that hold the secret key; nothing is stored."""
    service: Service = request.app.state.service
    expected = service.settings.secret_key.get_secret_value().encode()
    if not hmac.compare_digest(request.headers.get("apikey", "").encode(), expected):
        raise Problem(401, "INVALID_API_KEY", "The header apikey must hold the secret key.")
    runner = service.runners.get(request.path_params["model"])
    if runner is None:
        known = ", ".join(sorted(service.runners))
        raise Problem(404, "UNKNOWN_MODEL", "No such model is served here.", known)
    inputs = parse(PREDICT, await read_body(request)).inputs
    try:
        outcome = await asyncio.wait_for(runner.run(inputs, PREDICT_SECONDS), PREDICT_SECONDS)
    except TimeoutError:
        outcome = None
    if outcome is None or outcome.provider_faults:
        raise Problem(503, "MODEL_UNAVAILABLE", "The model is away or busy.", "Try again later.")
    faults = outcome.item_faults | outcome.batch_faults
    for position, reason in sorted(faults.items()):
        if reason.startswith("INVALID_INPUT"):
            raise Problem(422, "INVALID_INPUT", f"inputs.{position}: {reason.partition(': ')[2]}")
        log.error("prediction failed", model=runner.name, position=position, error=reason)
        raise Problem(502, "PREDICTION_FAILED", f"inputs.{position}: the model failed.")
    answers = [
        {"output": answer.output, "low": answer.low, "high": answer.high}
        for _, answer in sorted(outcome.done.items())
    ]
    return JSONResponse({"model": runner.name, "version": runner.version, "predictions": answers})


async def get_health(request: Request) -> Response:
    """Alive; 503 when only a restart would help."""
    service: Service = request.app.state.service
    body = {
        "status": service.trouble or "ok",
        "service": "rowcast",
        "version": __version__,
        "models": {name: runner.version for name, runner in service.runners.items()},
    }
    return JSONResponse(body, status_code=503 if service.trouble else 200)


async def get_ready(request: Request) -> Response:
    """Able to work: the database answers."""
    service: Service = request.app.state.service
    try:
        await asyncio.wait_for(service.database.ping(), 3)
    except (*DATABASE_AWAY, TimeoutError):
        raise Problem(503, "DATABASE_UNAVAILABLE", "The database does not answer.") from None
    return JSONResponse({"status": "ready"})


async def get_metrics(request: Request) -> Response:
    """Prometheus' text format; without the queue while the database is away."""
    service: Service = request.app.state.service

    async def ask() -> list[dict[str, Any]] | None:
        try:
            return await asyncio.wait_for(service.database.queue_stats(), 3)
        except (*DATABASE_AWAY, TimeoutError) as error:
            log.warning("the queue is not known", error=str(error).strip())
            return None

    await service.metrics.queue.refresh(ask)
    return Response(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_LATEST)


async def read_body(request: Request) -> bytes:
    """The body, at most a mebibyte of it; raises `Problem` 413 PAYLOAD_TOO_LARGE."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise Problem(413, "PAYLOAD_TOO_LARGE", "A body takes at most 1 MiB.")
    return bytes(body)


# -- around the routes ---------------------------------------------------------------------


class RequestLog:
    """Gives each request an id that reaches its log line, the database and the response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        request_id = given if re.fullmatch(r"[\w.:-]{1,100}", given, re.ASCII) else str(uuid4())
        scope.setdefault("state", {})["request_id"] = request_id
        status = 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append((b"x-request-id", request_id.encode()))
            await send(message)

        with bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_id)
            finally:
                if scope["path"] not in ("/health", "/ready", "/metrics") or status >= 500:
                    log.info(
                        "request",
                        method=scope["method"],
                        path=scope["path"],
                        status=status,
                        token=scope["state"].get("problem"),
                    )


async def on_problem(request: Request, error: Exception) -> Response:
    """Refusals of ours."""
    assert isinstance(error, Problem)
    return _refuse(request, error)


async def on_database_error(request: Request, error: Exception) -> Response:
    """Refusals of the database keep their token; a database that is away is a 503."""
    assert isinstance(error, psycopg.Error)
    problem = problem_from_database(error)
    if problem is None:
        log.error("database error", error=str(error).strip())
        problem = Problem(
            503, "DATABASE_UNAVAILABLE", "The database could not do this now.", "Try again."
        )
    return _refuse(request, problem)


def _refuse(request: Request, problem: Problem) -> Response:
    request.state.problem = problem.token
    kind = request.url.path.removeprefix("/webhooks/")
    if kind in ("jobs", "database"):
        service: Service = request.app.state.service
        service.metrics.webhooks.labels(kind, problem.token).inc()
    return problem.response()


async def on_http_error(request: Request, error: Exception) -> Response:
    """Unknown paths and methods, in the same shape."""
    status = getattr(error, "status_code", 500)
    token = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}.get(status, "BAD_REQUEST")
    return _refuse(request, Problem(status, token, "There is nothing here that answers this."))


async def on_crash(request: Request, error: Exception) -> Response:
    """A defect of ours: said in the log, not to the client."""
    if isinstance(error, ClientDisconnect):
        return _refuse(request, Problem(400, "CLIENT_GONE", "The client hung up."))
    log.error("defect", exc_info=error)
    return _refuse(request, Problem(500, "INTERNAL", "A defect here; it is in the log."))


def create_app(settings: Settings) -> Starlette:
    """The application; `rowcast.service.asgi` makes it for any ASGI server."""
    app = Starlette(
        lifespan=lifespan,
        routes=[
            Route("/webhooks/jobs", post_jobs, methods=["POST"]),
            Route("/webhooks/database", post_database, methods=["POST"]),
            Route("/predict/{model}", post_predict, methods=["POST"]),
            Route("/health", get_health),
            Route("/ready", get_ready),
            Route("/metrics", get_metrics),
        ],
        exception_handlers={
            Problem: on_problem,
            psycopg.Error: on_database_error,
            404: on_http_error,
            405: on_http_error,
            Exception: on_crash,
        },
    )
    app.state.settings = settings
    app.add_middleware(RequestLog)
    return app
