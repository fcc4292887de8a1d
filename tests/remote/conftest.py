"""A model server as a process of its own, and remotes that ask it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from rowcast.remote import Endpoint, Remote, new_client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from typing import TypeAlias

    Ask: TypeAlias = Callable[..., Remote]

KEYS = {"main": SecretStr("sk-a-secret-of-the-test")}


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """Address of tests/remote/server.py."""
    command = [sys.executable, str(Path(__file__).with_name("server.py"))]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


@pytest.fixture
async def remote(server_url: str) -> AsyncIterator[Ask]:
    """`remote(protocol, path, options)`: a model on the server, with one client for all."""
    async with new_client() as client:

        def make(
            protocol: str,
            path: str = "",
            options: dict[str, Any] | None = None,
            seconds: float = 10,
        ) -> Remote:
            url = path if "://" in path else server_url + path
            endpoint = Endpoint.parse("eta", protocol, url, options, seconds)
            return Remote(endpoint, client, KEYS)

        yield make
