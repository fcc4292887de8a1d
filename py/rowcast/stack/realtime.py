"""Stand-in for Supabase Realtime: broadcast over WebSockets, decided by row-level security.

A client joins topics over one socket (protocol in phoenix.py). A public topic needs a valid key or
token. A private one needs rights on realtime.messages: reading is asked by showing the role a probe
row, writing by letting it insert one, both in a transaction that is rolled back. Rows that the
database adds to realtime.messages, by realtime.send() or otherwise, go to those who joined their
topic; a private row only to private joins, and the reverse.

Not here: postgres_changes (a join that asks for it is refused), presence (accepted and ignored),
replay, binary payloads. Rows added while the database connection was lost are fetched when it is
back, if they are younger than CATCH_UP_SECONDS; a client that was away itself gets nothing it
missed.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from aiohttp import WSMsgType, web

from rowcast.stack.phoenix import Frame, FrameError, decode, encode
from rowcast.stack.realtime_rows import EVERYTHING, Feed, Rights, RightsDesk, RightsUnknownError
from rowcast.stack.tokens import Identity, Keyring, TokenError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

MAX_MESSAGE_BYTES: Final = 1024 * 1024
MAX_CHANNELS: Final = 100
MAX_QUEUED: Final = 1000
MAX_TOPIC_CHARS: Final = 255
TOPIC_PREFIX: Final = "realtime:"
BROADCAST_PATH: Final = "/realtime/v1/api/broadcast"


@dataclass(slots=True)
class Channel:
    """One joined topic of one socket. `topic` is as the database knows it, without prefix."""

    topic: str
    join_ref: str | None
    private: bool
    identity: Identity
    rights: Rights
    wants_own: bool = False
    wants_ack: bool = False
    expiry: asyncio.TimerHandle | None = None

    @property
    def full_topic(self) -> str:
        """Give the topic as the client knows it."""
        return TOPIC_PREFIX + self.topic


@dataclass(slots=True, eq=False)
class Socket:
    """One client: its channels, and a bounded queue of frames on their way out."""

    vsn: str
    key: str
    channels: dict[str, Channel] = field(default_factory=dict)
    outbox: asyncio.Queue[str | None] = field(
        default_factory=lambda: asyncio.Queue(maxsize=MAX_QUEUED)
    )
    overrun: bool = False

    def send(self, frame: Frame) -> None:
        """Queue a frame; a client too slow to take what is queued is cut off."""
        try:
            self.outbox.put_nowait(encode(frame, self.vsn))
        except asyncio.QueueFull:
            self.overrun = True

    def reply(self, to: Frame, status: str, response: dict[str, Any]) -> None:
        """Answer a frame."""
        payload = {"status": status, "response": response}
        self.send(Frame(to.topic, "phx_reply", payload, to.ref, to.join_ref))


class Refused(Exception):  # noqa: N818 - an answer to a client, not an error of this process
    """A join, token or broadcast that is not allowed; `reason` goes to the client.

    `status` and `code` are for clients that came by HTTP.
    """

    def __init__(self, reason: str, status: int = 403, code: str = "FORBIDDEN") -> None:
        super().__init__(reason)
        self.status, self.code, self.reason = status, code, reason


class Realtime:
    """All sockets of this process."""

    def __init__(self, db_url: str, keys: Keyring) -> None:
        self._keys = keys
        self._desk = RightsDesk(db_url)
        self._feed = Feed(db_url, self._publish_row)
        self._sockets: set[Socket] = set()
        self._members: dict[tuple[str, bool], set[Socket]] = {}
        self._events: dict[str, Callable[[Socket, Channel, Frame], Awaitable[None]]] = {
            "access_token": self._refresh,
            "broadcast": self._broadcast_from,
        }

    async def run(self) -> None:
        """Feed the sockets from the database for ever."""
        await self._desk.open()
        await self._feed.run()

    async def close(self) -> None:
        """Tell every client to go, and give the database connections back."""
        for socket in list(self._sockets):
            if not socket.outbox.full():
                socket.outbox.put_nowait(None)
        await self._desk.close()

    # --- sockets -------------------------------------------------------------------------------

    async def websocket(self, request: web.BaseRequest) -> web.WebSocketResponse:
        """Serve one client until it leaves."""
        ws = web.WebSocketResponse(max_msg_size=MAX_MESSAGE_BYTES, heartbeat=60, compress=False)
        await ws.prepare(request)
        key = request.query.get("apikey") or request.headers.get("apikey") or ""
        socket = Socket(vsn=request.query.get("vsn", "1.0.0"), key=key)
        self._sockets.add(socket)
        writer = asyncio.create_task(_write(ws, socket))
        try:
            async for message in ws:
                if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY) or socket.overrun:
                    break
                await self._receive(socket, message.data)
        finally:
            self._sockets.discard(socket)
            for full_topic in list(socket.channels):
                self._leave(socket, full_topic)
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            await ws.close()
        return ws

    async def _receive(self, socket: Socket, data: str | bytes) -> None:
        try:
            frame = decode(data)
        except FrameError as error:
            socket.send(_system("phoenix", "", f"MalformedMessage: {error}"))
            return
        try:
            await self._dispatch(socket, frame)
        except Refused as refused:
            socket.reply(frame, "error", {"reason": refused.reason})

    async def _dispatch(self, socket: Socket, frame: Frame) -> None:
        if frame.event == "heartbeat":
            socket.reply(frame, "ok", {})
        elif frame.event == "phx_join":
            await self._join(socket, frame)
        elif frame.event == "phx_leave":
            self._leave(socket, frame.topic)
            socket.reply(frame, "ok", {})
            socket.send(Frame(frame.topic, "phx_close", {}, frame.join_ref, frame.join_ref))
        elif frame.topic not in socket.channels:
            raise Refused("unmatched topic")
        elif frame.event in self._events:
            await self._events[frame.event](socket, socket.channels[frame.topic], frame)
        elif frame.ref is not None:
            # Presence, and whatever else a client may know: accepted, without effect.
            socket.reply(frame, "ok", {})

    async def _join(self, socket: Socket, frame: Frame) -> None:
        topic = frame.topic.removeprefix(TOPIC_PREFIX)
        if topic == frame.topic or not 0 < len(topic) <= MAX_TOPIC_CHARS or "\0" in topic:
            raise Refused("TopicNameRequired: a topic is realtime: and 1 to 255 characters")
        self._leave(socket, frame.topic)
        if len(socket.channels) >= MAX_CHANNELS:
            raise Refused(f"ChannelRateLimitReached: a socket has at most {MAX_CHANNELS} channels")
        config = _dict(frame.payload.get("config"))
        if config.get("postgres_changes"):
            raise Refused(
                "PostgresChangesNotSupported: the embedded stack has no postgres_changes; send "
                "from a trigger with realtime.send() or realtime.broadcast_changes()"
            )
        identity = self._identity(frame.payload.get("access_token") or socket.key)
        private = config.get("private") is True
        rights = await self._rights(identity, topic, private=private)
        if not rights.read:
            raise Refused(
                "Unauthorized: You do not have permissions to read from this Channel topic: "
                + topic
            )
        self._enter(socket, frame, Channel(topic, frame.join_ref, private, identity, rights))

    def _enter(self, socket: Socket, frame: Frame, channel: Channel) -> None:
        config = _dict(frame.payload.get("config"))
        broadcast = _dict(config.get("broadcast"))
        channel.wants_own = broadcast.get("self") is True
        channel.wants_ack = broadcast.get("ack") is True
        channel.join_ref = channel.join_ref or frame.ref
        socket.channels[frame.topic] = channel
        self._members.setdefault((channel.topic, channel.private), set()).add(socket)
        self._watch_expiry(socket, channel)
        socket.reply(frame, "ok", {"postgres_changes": []})
        if _dict(config.get("presence")).get("enabled") is True:
            socket.send(Frame(frame.topic, "presence_state", {}))

    def _leave(self, socket: Socket, full_topic: str) -> None:
        channel = socket.channels.pop(full_topic, None)
        if channel is None:
            return
        if channel.expiry is not None:
            channel.expiry.cancel()
        members = self._members[channel.topic, channel.private]
        members.discard(socket)
        if not members:
            del self._members[channel.topic, channel.private]

    async def _refresh(self, socket: Socket, channel: Channel, frame: Frame) -> None:
        """Take a fresh token, or close the channel if it is not one or no longer suffices."""
        try:
            identity = self._identity(frame.payload.get("access_token"))
            rights = await self._rights(identity, channel.topic, private=channel.private)
        except Refused as refused:
            self._expel(socket, channel, refused.reason)
            return
        if not rights.read:
            self._expel(socket, channel, "Unauthorized: the new token may not read this topic")
            return
        channel.identity, channel.rights = identity, rights
        self._watch_expiry(socket, channel)

    async def _broadcast_from(self, socket: Socket, channel: Channel, frame: Frame) -> None:
        if not channel.rights.write:
            raise Refused(
                "Unauthorized: You do not have permissions to write to this Channel topic: "
                + channel.topic
            )
        event = frame.payload.get("event")
        if not isinstance(event, str):
            raise Refused("BroadcastEventRequired: a broadcast has an event")
        content = {"type": "broadcast", "event": event, "payload": frame.payload.get("payload")}
        self._publish(channel.topic, content, private=channel.private, sender=socket)
        if channel.wants_ack and frame.ref is not None:
            socket.reply(frame, "ok", {})

    # --- rights and tokens ---------------------------------------------------------------------

    def _identity(self, token: object) -> Identity:
        try:
            return self._keys.verify(token if isinstance(token, str) else "")
        except TokenError as error:
            raise Refused(f"InvalidJWTToken: {error}", 401, "INVALID_TOKEN") from error

    async def _rights(self, identity: Identity, topic: str, *, private: bool) -> Rights:
        if not private:
            return EVERYTHING
        try:
            return await self._desk.rights(identity, topic)
        except RightsUnknownError as error:
            reason = "DatabaseConnectionIssue: the database did not answer"
            raise Refused(reason, 503, "UPSTREAM_UNAVAILABLE") from error

    def _watch_expiry(self, socket: Socket, channel: Channel) -> None:
        """Close the channel when its token expires; an API key never does."""
        if channel.expiry is not None:
            channel.expiry.cancel()
            channel.expiry = None
        seconds = channel.identity.expires_at - time.time()
        if seconds < float("inf"):
            reason = "InvalidJWTToken: token has expired"
            channel.expiry = asyncio.get_running_loop().call_later(
                max(seconds, 0), self._expel, socket, channel, reason
            )

    def _expel(self, socket: Socket, channel: Channel, reason: str) -> None:
        if socket.channels.get(channel.full_topic) is not channel:
            return
        self._leave(socket, channel.full_topic)
        socket.send(_system(channel.full_topic, channel.topic, reason))
        mark = channel.join_ref
        socket.send(Frame(channel.full_topic, "phx_close", {}, mark, mark))

    # --- what is sent --------------------------------------------------------------------------

    def _publish_row(self, row: Any) -> None:
        content = {
            "type": "broadcast",
            "event": row.event or "",
            "payload": row.payload if row.payload is not None else {},
            "meta": {"id": str(row.id)},
        }
        self._publish(row.topic, content, private=bool(row.private))

    def _publish(
        self, topic: str, content: dict[str, Any], *, private: bool, sender: Socket | None = None
    ) -> None:
        if not isinstance(content["payload"], dict):
            content["payload"] = {"payload": content["payload"]}
        frame = Frame(TOPIC_PREFIX + topic, "broadcast", content)
        for socket in self._members.get((topic, private), ()):
            if socket is not sender or socket.channels[frame.topic].wants_own:
                socket.send(frame)

    async def broadcast(self, request: web.BaseRequest, token: str) -> tuple[int, dict[str, Any]]:
        """Serve POST /realtime/v1/api/broadcast[/TOPIC/events/EVENT]; give status and body."""
        try:
            identity = self._identity(token)
            messages = _messages(request, await _read_json(request))
            rights = {
                topic: await self._rights(identity, topic, private=True)
                for topic in {message.topic for message in messages if message.private}
            }
        except Refused as refused:
            return refused.status, {"code": refused.code, "message": refused.reason}
        if not all(right.write for right in rights.values()):
            return 403, {"code": "FORBIDDEN", "message": "You may not write to this topic."}
        for message in messages:
            self._publish(message.topic, message.content, private=message.private)
        return 202, {}


@dataclass(frozen=True, slots=True)
class Message:
    """One broadcast that came by HTTP."""

    topic: str
    content: dict[str, Any]
    private: bool


def _invalid(reason: str) -> Refused:
    return Refused(reason, 422, "INVALID_BROADCAST")


async def _read_json(request: web.BaseRequest) -> Any:
    if request.method != "POST":
        raise Refused("Use POST.", 405, "METHOD_NOT_ALLOWED")
    body = bytearray()
    async for piece in request.content.iter_chunked(65536):
        body += piece
        if len(body) > MAX_MESSAGE_BYTES:
            raise Refused("The body is over 1 MiB.", 413, "PAYLOAD_TOO_LARGE")
    try:
        return json.loads(bytes(body))
    except (ValueError, RecursionError) as error:
        raise _invalid("The body is not JSON.") from error


def _messages(request: web.BaseRequest, body: Any) -> list[Message]:
    """Read the messages of either form of the call."""
    single = request.path.removeprefix(BROADCAST_PATH).strip("/")
    if single:
        topic, separator, event = single.rpartition("/events/")
        if not separator:
            raise _invalid("The path is TOPIC/events/EVENT.")
        private = request.query.get("private") == "true"
        entries: Any = [{"topic": topic, "event": event, "payload": body, "private": private}]
    else:
        entries = _dict(body).get("messages")
    if not isinstance(entries, list) or len(entries) > MAX_QUEUED:
        raise _invalid(f"`messages` is a list of at most {MAX_QUEUED}.")
    return [_message(_dict(entry)) for entry in entries]


def _message(entry: dict[str, Any]) -> Message:
    topic, event = entry.get("topic"), entry.get("event")
    if not isinstance(topic, str) or not 0 < len(topic) <= MAX_TOPIC_CHARS:
        raise _invalid("`topic` is a string of 1 to 255 characters.")
    if not isinstance(event, str):
        raise _invalid("`event` is a string.")
    content = {"type": "broadcast", "event": event, "payload": entry.get("payload") or {}}
    return Message(topic, content, entry.get("private") is True)


async def _write(ws: web.WebSocketResponse, socket: Socket) -> None:
    """Send what is queued; end the connection when the queue overran or holds None."""
    while not socket.overrun:
        text = await socket.outbox.get()
        if text is None:
            break
        try:
            await ws.send_str(text)
        except ConnectionError:
            return
    await ws.close(code=1013 if socket.overrun else 1001)


def _system(full_topic: str, topic: str, reason: str) -> Frame:
    payload = {"status": "error", "extension": "system", "channel": topic, "message": reason}
    return Frame(full_topic, "system", payload)


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
