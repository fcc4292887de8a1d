"""A model server in a process of its own: each protocol by its specification, and every fault.

`python tests/remote/server.py` prints the port it listens on and serves until its stdin ends. Its
Open Inference and embeddings routes refuse what those specifications do not allow.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import socket
import sys
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request

# -- Open Inference v2 -------------------------------------------------------------------------

TYPES: dict[str, tuple[type, ...]] = {
    "BOOL": (bool,),
    "INT64": (int,),
    "FP64": (int, float),
    "FP32": (int, float),
    "BYTES": (str,),
}


def why_no_tensor(tensor: dict[str, Any]) -> str | None:
    if not set(tensor) >= {"name", "shape", "datatype", "data"}:
        return "a tensor has a name, a shape, a datatype and data"
    if len(tensor["data"]) != math.prod(tensor["shape"]):
        return f"{tensor['name']}: the data do not have the shape"
    allowed = TYPES[tensor["datatype"]]
    for value in tensor["data"]:
        if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
            return f"{tensor['name']}: {value!r} is no {tensor['datatype']}"
    return None


def tensor(name: str, datatype: str, shape: list[int], data: list[Any]) -> dict[str, Any]:
    return {"name": name, "shape": shape, "datatype": datatype, "data": data}


def add(columns: dict[str, list[Any]], n: int) -> list[dict[str, Any]]:
    """The sum of the numbers a and b, and what else can be told of them."""
    a, b = columns["a"], columns["b"]
    both = list(zip(a, b, strict=True))
    return [
        tensor("sum", "FP64", [n], [x + y for x, y in both]),
        tensor("pair", "FP64", [n, 2], [value for pair in both for value in pair]),
        tensor("nested", "FP64", [n, 2], [list(pair) for pair in both]),
        tensor("larger", "BYTES", [n, 1], ["a" if x > y else "b" for x, y in both]),
        tensor("low", "FP64", [n], [min(pair) for pair in both]),
        tensor("high", "FP64", [n], [max(pair) for pair in both]),
    ]


def types(columns: dict[str, list[Any]], n: int) -> list[dict[str, Any]]:
    """The datatypes that were received; `seen` is what `infer` noted."""
    return [tensor("output", "BYTES", [n], [json.dumps(columns["seen"][0])] * n)]


def rows(columns: dict[str, list[Any]], n: int) -> list[dict[str, Any]]:
    """A JSON text per row in, a JSON text per row out: the row itself, with bounds."""
    texts = [
        json.dumps({"row": json.loads(text), "low": 1, "high": 2}) for text in columns["input"]
    ]
    return [tensor("output", "BYTES", [n, 1], texts)]


def labels(columns: dict[str, list[Any]], n: int) -> list[dict[str, Any]]:
    """No JSON in the first row of `output`."""
    return [tensor("output", "BYTES", [n], ["cat", *['{"ok": true}'] * (n - 1)])]


def short(columns: dict[str, list[Any]], n: int) -> list[dict[str, Any]]:
    return [tensor("sum", "FP64", [n - 1], [0.0] * (n - 1))]


def torn(columns: dict[str, list[Any]], n: int) -> list[dict[str, Any]]:
    """Says a shape that its data do not have."""
    return [tensor("sum", "FP64", [n, 3], [0.0] * n)]


def hollow(columns: dict[str, list[Any]], n: int) -> list[dict[str, Any]]:
    return [tensor("sum", "FP64", [n, 0], [])]


def cube(columns: dict[str, list[Any]], n: int) -> list[dict[str, Any]]:
    return [tensor("sum", "FP64", [n, 1, 1], [0.0] * n)]


def scalar(columns: dict[str, list[Any]], n: int) -> list[dict[str, Any]]:
    return [tensor("sum", "FP64", [], [0.0])]


def ragged(columns: dict[str, list[Any]], n: int) -> list[dict[str, Any]]:
    return [tensor("sum", "FP64", [n, 2], [[0.0] * 3, [0.0]])]


def nothing(columns: dict[str, list[Any]], n: int) -> list[dict[str, Any]]:
    return []


WRONG = (short, torn, hollow, cube, scalar, ragged, nothing)
MODELS = {model.__name__: model for model in (add, types, rows, labels, *WRONG)}


async def infer(request: Request) -> Response:
    name, version = request.path_params["name"], request.path_params.get("version", "1")
    if name not in MODELS or version not in ("1", "2"):
        return JSONResponse({"error": f"there is no model {name} {version}"}, 404)
    body = await request.json()
    for received in body["inputs"]:
        if (problem := why_no_tensor(received)) is not None:
            return JSONResponse({"error": problem}, 400)
    columns = {received["name"]: received["data"] for received in body["inputs"]}
    n = body["inputs"][0]["shape"][0]
    if name == "add" and set(columns) != {"a", "b"}:
        return JSONResponse({"error": "add takes a and b"}, 400)
    if name == "types":
        columns["seen"] = [{received["name"]: received["datatype"] for received in body["inputs"]}]
    outputs = MODELS[name](columns, n)
    return JSONResponse({"model_name": name, "model_version": version, "outputs": outputs})


# -- embeddings --------------------------------------------------------------------------------


async def embeddings(request: Request) -> Response:
    """A vector that tells its text, given back in the wrong order, as the specification allows."""
    body = await request.json()
    if body.get("encoding_format") != "float" or not isinstance(body.get("model"), str):
        return JSONResponse({"error": {"message": "not an embeddings request"}}, 400)
    if not all(isinstance(text, str) and text for text in body["input"]):
        return JSONResponse({"error": {"message": "input is empty"}}, 400)
    size = 3 if body["model"] == "ignores-dimensions" else body.get("dimensions", 3)
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": ([float(len(text)), 0.5] * size)[:size],
        }
        for index, text in enumerate(body["input"])
    ]
    if body["model"] == "twice":
        data[1]["index"] = 0
    if body["model"] == "short":
        data.pop()
    tokens = sum(len(text.split()) for text in body["input"])
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    answer = {"object": "list", "data": data[::-1], "model": f"{body['model']}-2", "usage": usage}
    return JSONResponse(answer)


# -- plain JSON --------------------------------------------------------------------------------


def one(item: dict[str, Any]) -> dict[str, Any]:
    if "blame" in item:
        return {"error": item["blame"]}
    x = item["x"]
    return {"output": {"score": x}, "low": x - 1, "high": x + 1}


async def plain(request: Request) -> Response:
    body = await request.json()
    predictions = [one(item) for item in body["inputs"]]
    return JSONResponse({"predictions": predictions, "version": "v3", "tokens": 7})


async def mirror(request: Request) -> Response:
    """What was received, as the output: headers, body, the client's port, the address asked."""
    seen = {
        "headers": dict(request.headers),
        "body": await request.json(),
        "port": request.client.port if request.client else None,
        "target": str(request.url).removeprefix(str(request.base_url)),
    }
    response = JSONResponse({"predictions": [{"output": seen}]})
    response.set_cookie("session", "of-this-server")
    return response


# -- faults: POST /fault/{kind} ----------------------------------------------------------------


async def endless(_: Request) -> Response:
    await asyncio.Event().wait()
    raise AssertionError


async def trickle() -> AsyncIterator[bytes]:
    """Never silent for long, and never done."""
    while True:
        yield b" "
        await asyncio.sleep(0.02)


async def torn_off() -> AsyncIterator[bytes]:
    yield b'{"predictions": ['
    raise ConnectionError("dropped by the test")


async def huge() -> AsyncIterator[bytes]:
    """Seventy MiB of a JSON answer that would be valid in the end."""
    yield b'{"predictions": [{"output": {}}], "padding": "'
    for _ in range(70):
        yield b"x" * 2**20
    yield b'"}'


def said(content: bytes, status: int = 200, **headers: str) -> Callable[[], Response]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda: Response(content, status, named, "application/json")


def in_two_minutes() -> Response:
    when = format_datetime(datetime.now(UTC) + timedelta(minutes=2), usegmt=True)
    return Response("slow down", 429, {"retry-after": when})


FAULTS: dict[str, Callable[[], Response]] = {
    "429-seconds": said(b'{"error": {"message": "slow down"}}', 429, retry_after="7"),
    "429-date": in_two_minutes,
    "429-silent": said(b"", 429),
    "503": said(b"starting", 503, retry_after="99999999"),
    "404": said(b'{"error": "there is no such model"}', 404),
    "422": said(b'{"detail": "inputs: wrong"}', 422),
    "500": said(b"Traceback: it crashed", 500),
    "long-text": said(b"x" * 100_000, 400),
    "control-text": said(b'{"error": "a\\u0000b\\nc"}', 400),
    "trickle": lambda: StreamingResponse(trickle()),
    "torn-off": lambda: StreamingResponse(torn_off()),
    "huge": lambda: StreamingResponse(huge()),
    "redirect": lambda: RedirectResponse("/plain", 307),
    "no-json": said(b"<html>welcome</html>"),
    "other-json": said(b'{"result": 1}'),
    "deep-json": said(b"[" * 100_000),
    "short": said(b'{"predictions": []}'),
    "long": said(b'{"predictions": [{"output": {}}, {"error": "of no item"}]}'),
    "nan": said(b'{"predictions": [{"output": {"score": NaN}, "low": -Infinity}]}'),
    "no-object": said(b'{"predictions": [{"output": "seven"}]}'),
    "text-as-low": said(b'{"predictions": [{"output": {}, "low": "1"}]}'),
}


async def fault(request: Request) -> Response:
    kind = request.path_params["kind"]
    if kind.isdigit() and kind not in FAULTS:
        return Response(f"status {kind}", int(kind))
    return FAULTS[kind]()


async def refuse_and_repeat(request: Request) -> Response:
    """An error page that repeats the caller's key."""
    seen = {**request.headers}
    return JSONResponse({"error": f"bad key {seen.get('authorization')} {seen.get('x-key')}"}, 401)


async def blame_and_repeat(request: Request) -> Response:
    message = f"item refused for {request.headers['authorization']}"
    return JSONResponse({"predictions": [{"error": message}]})


POST = ["POST"]
app = Starlette(
    routes=[
        Route("/v2/models/{name}/infer", infer, methods=POST),
        Route("/v2/models/{name}/versions/{version}/infer", infer, methods=POST),
        Route("/v1/embeddings", embeddings, methods=POST),
        Route("/plain", plain, methods=POST),
        Route("/mirror", mirror, methods=POST),
        Route("/fault/endless", endless, methods=POST),
        Route("/fault/key", refuse_and_repeat, methods=POST),
        Route("/fault/blame-key", blame_and_repeat, methods=POST),
        Route("/fault/{kind}", fault, methods=POST),
    ]
)


def main() -> None:
    # Whoever started this holds the other end of stdin: it ends with them, however they end.
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
    server.run(sockets=[listener])


if __name__ == "__main__":
    main()
