"""A stack in a temporary folder on free ports, for tests and for commands that need a database."""

from __future__ import annotations

import random
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rowcast.errors import RowcastError
from rowcast.stack.stack import Stack, port_is_free
from rowcast.stack.state import Ports

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Below the range from which systems hand out ports for outgoing connections.
_CANDIDATES = range(20000, 32000, 10)


def free_port_block() -> int:
    """The first port of a block in which nothing listens."""
    for base in random.sample(_CANDIDATES, 200):
        if all(port_is_free(port) for port in Ports(base).all()):
            return base
    raise RowcastError("no block of seven free ports was found between 20000 and 32000")


@contextmanager
def temporary_home() -> Iterator[Path]:
    """A folder for one stack, removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="rowcast-"))
    folder.chmod(0o711)  # PostgreSQL's account must be able to enter
    try:
        yield folder / "home"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def temporary_stack(
    service: bool = True, service_environment: Mapping[str, str] | None = None
) -> Iterator[Stack]:
    """A running stack that is stopped and removed at the end."""
    with temporary_home() as home:
        stack = Stack(home, free_port_block(), service_environment)
        try:
            stack.start(service=service)
            yield stack
        finally:
            stack.stop()
