"""Frames of the Phoenix channel protocol as Supabase Realtime speaks it, versions 1.0.0 and 2.0.0.

Version 1 is a JSON object with topic, event, payload, ref and join_ref. Version 2 is the JSON array
[join_ref, ref, topic, event, payload], and broadcasts may be binary: one byte says the kind, one
byte each gives the lengths of the header fields, one says whether the body is JSON, then fields and
body.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

PUSH_KIND = 3
JSON_BODY = 1


class FrameError(ValueError):
    """Bytes that are no frame of this protocol."""


@dataclass(slots=True)
class Frame:
    """One message; `join_ref` and `ref` are the client's own marks, given back in replies."""

    topic: str
    event: str
    payload: dict[str, Any] = field(default_factory=dict)
    ref: str | None = None
    join_ref: str | None = None


def encode(frame: Frame, vsn: str) -> str:
    """Give the text frame of `frame` for a client of protocol version `vsn`."""
    if vsn.startswith("2"):
        parts = [frame.join_ref, frame.ref, frame.topic, frame.event, frame.payload]
        return json.dumps(parts, separators=(",", ":"))
    parts_by_name = {
        "topic": frame.topic,
        "event": frame.event,
        "payload": frame.payload,
        "ref": frame.ref,
        "join_ref": frame.join_ref,
    }
    return json.dumps(parts_by_name, separators=(",", ":"))


def decode(data: str | bytes) -> Frame:
    """Read a client's frame of either version.

    Raises:
        FrameError: if it is none.
    """
    if isinstance(data, bytes):
        return _decode_push(data)
    try:
        message = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FrameError("not JSON") from error
    if isinstance(message, list) and len(message) == 5:
        join_ref, ref, topic, event, payload = message
    elif isinstance(message, dict):
        join_ref, ref = message.get("join_ref"), message.get("ref")
        topic, event, payload = message.get("topic"), message.get("event"), message.get("payload")
    else:
        raise FrameError("neither an object nor an array of five")
    if not isinstance(topic, str) or not isinstance(event, str):
        raise FrameError("topic and event must be strings")
    if not isinstance(payload, dict):
        payload = {}
    return Frame(topic, event, payload, _mark(ref), _mark(join_ref))


def _mark(value: object) -> str | None:
    """Keep a ref as the short string it should be."""
    if value is None:
        return None
    if isinstance(value, str | int) and len(str(value)) <= 255:
        return str(value)
    raise FrameError("ref is not a short string")


def _decode_push(data: bytes) -> Frame:
    """Read a binary broadcast: what realtime-js sends for `channel.send` in version 2."""
    if len(data) < 7 or data[0] != PUSH_KIND:
        raise FrameError("unknown kind of binary frame")
    lengths, is_json = data[1:6], data[6] == JSON_BODY
    texts, offset = [], 7
    for length in lengths:
        texts.append(data[offset : offset + length])
        offset += length
    if offset > len(data) or not is_json:
        raise FrameError("binary broadcasts must carry JSON")
    try:
        join_ref, ref, topic, event, _metadata = (text.decode() for text in texts)
        body = json.loads(data[offset:])
    except (ValueError, RecursionError) as error:
        raise FrameError("binary frame does not decode") from error
    payload = {"type": "broadcast", "event": event, "payload": body}
    return Frame(topic, "broadcast", payload, ref or None, join_ref or None)
