"""A TCP proxy before PostgreSQL that can fall silent without closing anything.

What it swallows is gone, as on a path that lost its state; neither end hears of it. The peers'
kernels still exchange acknowledgements with the proxy, so no keep-alive and no TCP time-out helps:
only whoever sets a limit to its own waiting gets out.
"""

from __future__ import annotations

import asyncio
import re
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LISTEN = re.compile(rb"\blisten\s+(\w+)", re.IGNORECASE)


@dataclass(slots=True, eq=False)
class Link:
    """One connection through the proxy."""

    channel: bytes | None = None
    """What it listens to: the connection of a sleeper."""
    silent: bool = False
    notified: int = 0
    """Chunks from the server that named the channel: notifications that arrived."""
    writers: list[asyncio.StreamWriter] = field(default_factory=list)


class Proxy:
    """Forwards `port` to PostgreSQL's; faults are turned on and off from any thread."""

    def __init__(self, upstream: int) -> None:
        self.port = 0
        self._upstream = upstream
        self._links: set[Link] = set()
        self._silent = False
        self._call: Callable[[Callable[[], None]], object] = lambda _: None

    def silence_sleepers(self) -> int:
        """Swallow everything on the connections that LISTEN; how many there are."""
        found = [link for link in list(self._links) if link.channel and not link.silent]
        for link in found:
            link.silent = True
        return len(found)

    def silence_all(self) -> None:
        """Swallow everything, on new connections too."""
        self._silent = True
        for link in list(self._links):
            link.silent = True

    def heal(self) -> None:
        """Forward what comes over new connections; those that fell silent stay so."""
        self._silent = False

    def cut(self) -> None:
        """Close what fell silent, on both sides."""
        self._call(self._cut)

    def _cut(self) -> None:
        for link in list(self._links):
            if link.silent:
                for writer in link.writers:
                    writer.transport.abort()

    def notifications(self) -> int:
        """How many were forwarded on connections that are not silent."""
        return sum(link.notified for link in list(self._links) if not link.silent)

    async def serve(self, started: threading.Event, stop: asyncio.Event) -> None:
        """Run until `stop`."""
        self._call = asyncio.get_running_loop().call_soon_threadsafe
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        await stop.wait()
        server.close()
        for link in list(self._links):
            for writer in link.writers:
                writer.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(silent=self._silent, writers=[writer])
        self._links.add(link)
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._upstream)
            link.writers.append(up_writer)
            await asyncio.gather(
                self._pump(link, reader, up_writer, from_client=True),
                self._pump(link, up_reader, writer, from_client=False),
            )
        except (OSError, asyncio.CancelledError):
            # Also at the end, when the loop gives up on whoever never said farewell.
            pass
        finally:
            self._links.discard(link)
            for each in link.writers:
                each.close()

    async def _pump(
        self,
        link: Link,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        from_client: bool,
    ) -> None:
        while chunk := await reader.read(65536):
            if link.silent:
                continue
            if from_client and (found := _LISTEN.search(chunk)):
                link.channel = found[1]
            elif not from_client and link.channel and link.channel in chunk:
                link.notified += 1
            writer.write(chunk)
            await writer.drain()
        # A farewell is swallowed like anything else.
        if not link.silent:
            writer.close()


@contextmanager
def proxied(upstream: int) -> Iterator[Proxy]:
    """A proxy at work in a thread of its own."""
    proxy = Proxy(upstream)
    started = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    def run() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(proxy.serve(started, stop))
        for task in asyncio.all_tasks(loop):
            task.cancel()
            with suppress(asyncio.CancelledError):
                loop.run_until_complete(task)
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
