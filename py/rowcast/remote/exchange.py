"""One HTTP request to a model's server, and the class of whatever goes wrong with it."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

import httpx
from pydantic_core import from_json

from rowcast.models import ProviderFault
from rowcast.remote.answers import RemoteError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LARGEST_ANSWER = 64 * 2**20
LONGEST_ERROR = 300
# Enough to find the message in; the rest of an error page is not even read.
_LARGEST_ERROR_PAGE = 64 * 2**10

_AWAY = {408, 429, 502, 503, 504}
# The row or the key is wrong, not the inputs: asking again at once cannot help.
_SET_UP_WRONG = {401, 402, 403, 404}
_LONG_PAUSE = 300.0
_LONGEST_PAUSE = 3600.0


def new_client(connections: int = 64) -> httpx.AsyncClient:
    """The one client of a process; its connections are kept alive and shared by all models."""
    client = httpx.AsyncClient(
        follow_redirects=False,
        # No proxy, netrc or certificate file from the environment: a model's place is its row.
        trust_env=False,
        # Every call has a time-out of its own, over the whole of it.
        timeout=httpx.Timeout(None),
        # Servers drop an idle connection after 5 s or more; ours goes first, so nobody meets a
        # connection that the other side is closing.
        limits=httpx.Limits(
            max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=4
        ),
        # Compressed answers could be far larger than what was counted on the wire.
        headers={"user-agent": "rowcast", "accept": "application/json",
                 "accept-encoding": "identity"},
    )  # fmt: skip
    client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return client


async def post(
    client: httpx.AsyncClient,
    url: str,
    body: Mapping[str, Any],
    headers: Mapping[str, str],
    seconds: float,
    clean: Callable[[str], str],
) -> bytes:
    """The body of a 200; raises `ProviderFault` or `RemoteError`, whose text went through `clean`.

    Raises `ValueError` for a body that is no JSON, such as one with NaN in it.
    """
    request = client.build_request("POST", url, json=body, headers=headers)
    try:
        async with asyncio.timeout(seconds):
            response = await client.send(request, stream=True)
            try:
                if response.status_code != httpx.codes.OK:
                    page, _ = await _read(response, _LARGEST_ERROR_PAGE)
                    raise _refusal(response, page, clean)
                content, whole = await _read(response, LARGEST_ANSWER)
            finally:
                await response.aclose()
    except TimeoutError:
        raise ProviderFault(f"no answer within {seconds:g} s") from None
    except httpx.TransportError as fault:
        # Refused, reset, dropped half-way, unknown host, TLS.
        raise ProviderFault(clean(f"{type(fault).__name__}: {fault}")) from None
    except httpx.RequestError as fault:
        raise RemoteError(clean(f"{type(fault).__name__}: {fault}")) from None
    if not whole:
        raise RemoteError(f"the answer is larger than {LARGEST_ANSWER // 2**20} MiB")
    return content


async def _read(response: httpx.Response, limit: int) -> tuple[bytes, bool]:
    """Up to `limit` bytes, and whether that was all."""
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > limit:
            return bytes(content[:limit]), False
    return bytes(content), True


def _refusal(
    response: httpx.Response, page: bytes, clean: Callable[[str], str]
) -> ProviderFault | RemoteError:
    status = response.status_code
    text = clean(f"HTTP {status}: {error_text(page)}")
    wish = retry_after(response.headers.get("retry-after"))
    if status in _AWAY:
        return ProviderFault(text, wish)
    if status in _SET_UP_WRONG:
        return ProviderFault(text, _LONG_PAUSE if wish is None else wish)
    if response.is_redirect:
        said = clean(f"HTTP {status}: redirects are not followed; the url in ml.models is wrong")
        return ProviderFault(said, _LONG_PAUSE)
    return RemoteError(text)


def retry_after(value: str | None) -> float | None:
    """Seconds from now, 0 to an hour, by a Retry-After of either form; None if it says nothing."""
    if value is None:
        return None
    if re.fullmatch(r"\d+(\.\d+)?", value.strip(), re.ASCII):
        seconds = float(value)
    else:
        try:
            when = parsedate_to_datetime(value)
        except ValueError:
            return None
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        seconds = (when - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), _LONGEST_PAUSE)


def error_text(page: bytes) -> str:
    """The sentence in an error page: the usual places in JSON, else the page itself."""
    try:
        found = from_json(page)
    except ValueError:
        return page.decode(errors="replace").strip() or "no text"
    for name in ("error", "message", "detail"):
        if isinstance(found, dict) and name in found:
            found = found[name]
    return str(found)


def cleaner(secret: str | None) -> Callable[[str], str]:
    """A function that makes a server's words fit to store: no key, no control characters, short."""

    def clean(text: str) -> str:
        if secret:
            text = text.replace(secret, "***")
        text = "".join(letter if letter.isprintable() else " " for letter in text)
        return text if len(text) <= LONGEST_ERROR else text[: LONGEST_ERROR - 1] + "\u2026"

    return clean
