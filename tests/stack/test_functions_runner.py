"""The runner of edge functions, on functions of the tests' own."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from rowcast.stack import paths
from tests.stack.support import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNNER = paths.CHECKOUT / "py/rowcast/stack/functions.ts"
COMMAND: list[str | Path] = [
    "run", "--quiet", "--no-prompt", "--allow-net", "--allow-env", "--allow-read",
    "--no-remote", "--node-modules-dir=manual", RUNNER,
]  # fmt: skip


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the runner wrote."""
    return tmp_path_factory.mktemp("functions") / "log"


@pytest.fixture(scope="module")
def functions(log: Path) -> Iterator[httpx.Client]:
    """A client of a runner that serves tests/stack/functions."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "FUNCTIONS_PORT": str(port),
        "FUNCTIONS_DIR": str(Path(__file__).parent / "functions"),
        "SUPABASE_URL": "http://127.0.0.1:1",
        "SUPABASE_ANON_KEY": "sb_publishable_x",
        "DENO_NO_UPDATE_CHECK": "1",
    }
    with (
        log.open("wb") as out,
        subprocess.Popen(
            [paths.binary("deno"), *COMMAND], env=environment, stderr=out, cwd=paths.CHECKOUT
        ) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        try:
            eventually(lambda: process.poll() is None and _answers(client))
            yield client
        finally:
            process.terminate()


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/_health").status_code == 200
    except httpx.TransportError:
        return False


def test_health_names_the_functions_that_run(functions: httpx.Client) -> None:
    assert functions.get("/_health").json() == {
        "status": "ok",
        "functions": ["boom", "exported", "hello"],
    }


@pytest.mark.parametrize("prefix", ["", "/functions/v1"])
def test_a_function_sees_its_own_path_as_on_the_platform(
    functions: httpx.Client, prefix: str
) -> None:
    answer = functions.post(f"{prefix}/hello/a/b?c=1", content="body").json()
    assert answer == {
        "greeting": "hello",
        "path": "/hello/a/b?c=1",
        "method": "POST",
        "body": "body",
        "from": "function",
    }


def test_an_exported_fetch_serves_and_streams(functions: httpx.Client) -> None:
    assert functions.get("/exported").text == "one two three"


@pytest.mark.parametrize("path", ["/", "/none", "/_shared", "/..%2fboom", "/__proto__"])
def test_what_is_no_function_is_not_found(functions: httpx.Client, path: str) -> None:
    answer = functions.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "FUNCTION_NOT_FOUND")


def test_a_function_that_fails_does_not_take_the_others_along(
    functions: httpx.Client, log: Path
) -> None:
    for method in ("GET", "DELETE"):
        answer = functions.request(method, "/boom")
        assert (answer.status_code, answer.json()["code"]) == (500, "FUNCTION_FAILED")
        assert "purpose" not in answer.text, "the reason is for the log"
    eventually(lambda: "left behind" in log.read_text())
    assert "on purpose" in log.read_text()
    assert functions.post("/hello").status_code == 200


@pytest.mark.parametrize("name", ["broken", "silent"])
def test_a_function_that_does_not_load_says_so(functions: httpx.Client, name: str) -> None:
    answer = functions.get(f"/{name}")
    assert (answer.status_code, answer.json()["code"]) == (503, "FUNCTION_NOT_LOADED")


def test_a_missing_setting_is_named() -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("FUNCTIONS_")}
    done = subprocess.run(
        [paths.binary("deno"), *COMMAND],
        env=environment,
        cwd=paths.CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "FUNCTIONS_PORT is not set" in done.stderr
