"""A remote model: asks its endpoint, and gives back what a model in the process would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rowcast.errors import RowcastError
from rowcast.models import InputError, Reply
from rowcast.remote.answers import RemoteError
from rowcast.remote.endpoint import PROTOCOLS
from rowcast.remote.exchange import cleaner, post
from rowcast.remote.options import AUTHORIZATION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import httpx
    from pydantic import SecretStr

    from rowcast.remote.endpoint import Endpoint

# Receipts keep the version; a server may send any text for it.
_LONGEST_VERSION = 100


class Remote:
    """One endpoint behind the process's client. It keeps no state of a call."""

    def __init__(
        self, endpoint: Endpoint, client: httpx.AsyncClient, keys: Mapping[str, SecretStr]
    ) -> None:
        """Raises `RowcastError` when `keys` lacks the entry that the endpoint's options name."""
        self.endpoint = endpoint
        self._client = client
        options = endpoint.parsed_options()
        self._protocol = PROTOCOLS[endpoint.protocol](endpoint.model, endpoint.url, options)
        secret = _secret(endpoint.model, options.key, keys)
        bearer = options.auth_header == AUTHORIZATION
        self._headers = (
            {options.auth_header: f"Bearer {secret}" if bearer else secret} if secret else {}
        )
        self._clean = cleaner(secret)

    async def predict(self, inputs: Sequence[Mapping[str, Any]]) -> Reply:
        """Ask once, for all inputs.

        Raises `InputError` for an item at fault, `ProviderFault` when the server is away or wants a
        pause, and `RemoteError` for any other refusal or answer.
        """
        if not inputs:
            return Reply([])
        body = self._protocol.body(inputs)
        url, seconds = self._protocol.url, self.endpoint.timeout_seconds
        content = await post(self._client, url, body, self._headers, seconds, self._clean)
        try:
            reply = self._protocol.reply(content, len(inputs))
        except InputError as fault:
            raise InputError(fault.index, self._clean(fault.message)) from None
        except RemoteError as fault:
            raise RemoteError(self._clean(str(fault))) from None
        version = reply.version and self._clean(reply.version)[:_LONGEST_VERSION]
        return Reply(reply.predictions, reply.tokens, version or None)


def _secret(model: str, name: str | None, keys: Mapping[str, SecretStr]) -> str | None:
    if name is None:
        return None
    if name not in keys:
        raise RowcastError(
            f"model {model}: there is no key named {name!r}",
            "Add it to the JSON object in ROWCAST_REMOTE_KEYS and start the service again.",
        )
    return keys[name].get_secret_value()
