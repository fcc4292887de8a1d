"""Engines that others wrote, as processes: `./rowcast test -m slow tests/remote -s`.

What they answer is what we read; what we ask is what they understand.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from rowcast import models
from rowcast.models import Prediction, ProviderFault
from rowcast.remote import Endpoint, Remote, RemoteError, Reply, new_client
from rowcast.stack.temporary import free_port_block
from tests.remote.environments import python_with

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
ENGINES = Path(__file__).with_name("engines")
EXAMPLE = ROOT / "examples/serving"


@contextmanager
def running(
    command: list[str], ready_url: str, environment: dict[str, str], folder: Path
) -> Iterator[None]:
    """A server in a process of its own, from its first good answer to its end."""
    log = folder / "engine.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **environment}, stdout=output, stderr=output
        )
        try:
            deadline = time.monotonic() + 90
            while not _answers(ready_url):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)  # leaves the processor to the engine
            yield
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=1, trust_env=False).is_success
    except httpx.TransportError:
        return False


async def ask(protocol: str, url: str, options: dict[str, Any], inputs: list[Any]) -> Reply:
    async with new_client() as client:
        endpoint = Endpoint.parse("eta", protocol, url, options, 30)
        return await Remote(endpoint, client, {}).predict(inputs)


# -- MLServer: Open Inference v2 ---------------------------------------------------------------


@pytest.fixture(scope="module")
def mlserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = ENGINES / "mlserver"
    binary = python_with(folder / "requirements.lock").with_name("mlserver")
    port = free_port_block()
    environment = {
        "PYTHONPATH": str(folder),
        "MLSERVER_HOST": "127.0.0.1",
        "MLSERVER_HTTP_PORT": str(port),
        "MLSERVER_GRPC_PORT": str(port + 1),
        "MLSERVER_METRICS_PORT": str(port + 2),
        "MLSERVER_PARALLEL_WORKERS": "0",
    }
    url = f"http://127.0.0.1:{port}"
    here = tmp_path_factory.mktemp("mlserver")
    with running([str(binary), "start", str(folder)], f"{url}/v2/health/ready", environment, here):
        yield url


async def test_mlserver_takes_columns(mlserver: str) -> None:
    rows = [{"a": 1.5, "b": 2}, {"a": -3.25, "b": 4}, {"a": 0.0, "b": 1}]
    reply = await ask("open-inference", mlserver, {"name": "add"}, rows)
    assert reply.predictions == [
        Prediction({"sum": 3.5}, low=1.5),
        Prediction({"sum": 0.75}, low=-3.25),
        Prediction({"sum": 1.0}, low=0.0),
    ]
    assert reply.version == "v7"


async def test_mlserver_takes_a_version_and_set_datatypes(mlserver: str) -> None:
    options = {"name": "add", "version": "v7", "datatypes": {"a": "FP32", "b": "INT32"}}
    reply = await ask("open-inference", mlserver, options, [{"a": 1, "b": 2}])
    assert reply.predictions == [Prediction({"sum": 3}, low=1)]


async def test_mlserver_takes_json_rows(mlserver: str) -> None:
    options = {"name": "rows", "encoding": "json"}
    reply = await ask("open-inference", mlserver, options, [{"x": 1}, {"x": 2.5}])
    assert reply == Reply([Prediction({"score": 2}), Prediction({"score": 5.0})])


async def test_mlserver_without_the_model_is_a_fault_of_the_set_up(mlserver: str) -> None:
    with pytest.raises(ProviderFault, match="HTTP 404: Model gone not found"):
        await ask("open-inference", mlserver, {"name": "gone"}, [{"a": 1}])


async def test_a_model_that_crashes_under_mlserver_is_a_fault_of_the_batch(mlserver: str) -> None:
    options = {"name": "rows", "encoding": "json"}
    with pytest.raises(RemoteError, match="HTTP 500: "):
        await ask("open-inference", mlserver, options, [{"x": 1}, {"y": 1}])


# -- LitServe: embeddings ----------------------------------------------------------------------


async def test_litserve_gives_embeddings(tmp_path: Path) -> None:
    folder = ENGINES / "litserve"
    command = [str(python_with(folder / "requirements.lock")), str(folder / "embed.py")]
    port = free_port_block()
    url = f"http://127.0.0.1:{port}"
    with running(command, f"{url}/health", {"PORT": str(port)}, tmp_path):
        texts = [{"text": "a"}, {"text": "four"}, {"text": "ünï"}]
        reply = await ask("openai", f"{url}/v1", {"model": "m"}, texts)
        assert reply == Reply(
            [Prediction({"embedding": [size, 0.5]}) for size in (1.0, 4.0, 3.0)],
            tokens=0,
            version="m",
        )


# -- Ray Serve: the example --------------------------------------------------------------------


@pytest.fixture
def home() -> Iterator[Path]:
    """A home for Ray's files; its sockets need a short path."""
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def row(latitude: float, longitude: float, hour: int, kind: str) -> dict[str, Any]:
    return {
        "origin_lat": latitude,
        "origin_lng": longitude,
        "dest_lat": 37.8044,
        "dest_lng": -122.2712,
        "kind": kind,
        "requested_at": f"2026-11-{1 + hour % 28:02}T{hour % 24:02}:30:00-08:00",
        "estimate_seconds": None if hour % 2 else 900.5,
    }


# Inside the model's domain, and at its far side.
ROWS = [
    row(37.70 + 0.002 * i, -122.50 + 0.003 * i, i, ("ride", "parcel", "pool")[i % 3])
    for i in range(60)
] + [row(-33.9, 151.2, 3, "ride")]


def shape(answer: dict[str, Any]) -> tuple[list[str], dict[str, Any], list[list[str]]]:
    """What does not change with a training: the fields, the tensor, the rows' fields."""
    (tensor,) = answer["outputs"]
    rows = [sorted(json.loads(text)) for text in tensor.pop("data")]
    return sorted(answer), tensor, rows


async def test_the_example_answers_as_the_model_in_the_process_does(home: Path) -> None:
    readme = (EXAMPLE / "README.md").read_text()
    switch = re.search(
        r"update ml.models set protocol = '(.*)', url = '(.*)', options = '(.*)' where", readme
    )
    assert switch is not None
    protocol, url, options = switch.groups()
    start = re.search(r"^PORT=(\d+) PYTHONPATH=py \S+/python (\S+)$", readme, re.MULTILINE)
    assert start is not None
    assert url.endswith(f":{start[1]}")
    python, port = python_with(EXAMPLE / "requirements.lock"), free_port_block()
    url = url.replace(start[1], str(port))
    environment = {
        "PORT": str(port),
        "PYTHONPATH": str(ROOT / "py"),
        "HOME": str(home),
        "RAY_TMPDIR": str(home),
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    shown = re.search(r"-d '(.*?)'\n```\n\n```json\n(.*?)```", readme, re.DOTALL)
    assert shown is not None
    ready = f"{url}/openapi.json"  # served by the replica, so the model is loaded
    with running([str(python), str(ROOT / start[2])], ready, environment, home):
        reply = await ask(protocol, url, json.loads(options), ROWS)
        async with httpx.AsyncClient(trust_env=False) as client:
            asked = f"{url}/v2/models/eta/infer"
            there = (await client.post(asked, json=json.loads(shown[1]))).json()
        assert shape(there) == shape(json.loads(shown[2]))
        with pytest.raises(RemoteError, match="HTTP 400: item 1: kind is not one of"):
            await ask(protocol, url, json.loads(options), [ROWS[0], {**ROWS[0], "kind": "boat"}])
    here = models.load("eta")
    assert reply.version == here.version
    assert {one.output["in_domain"] for one in reply.predictions} == {True, False}
    for there, local in zip(reply.predictions, here.predict(ROWS), strict=True):
        assert there.output == pytest.approx(local.output, abs=1e-6)
        assert (there.low, there.high) == pytest.approx((local.low, local.high), abs=1e-6)
