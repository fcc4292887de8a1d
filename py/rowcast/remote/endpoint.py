"""Where a model is: the checked form of a row of `ml.models`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
from pydantic import ValidationError

from rowcast.errors import RowcastError
from rowcast.remote.open_inference import OpenInference
from rowcast.remote.openai import OpenAI
from rowcast.remote.plain import Plain

if TYPE_CHECKING:
    from rowcast.remote.options import Options

PROTOCOLS: Mapping[str, type[OpenInference | OpenAI | Plain]] = {
    "open-inference": OpenInference,
    "openai": OpenAI,
    "plain": Plain,
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A model's place. Two equal endpoints are asked in the same way."""

    model: str
    protocol: str
    url: str
    options: Mapping[str, Any]
    timeout_seconds: float
    """Longest that one call may take, from the first byte sent to the last one read."""

    @classmethod
    def parse(
        cls, model: str, protocol: object, url: object, options: object, timeout_seconds: object
    ) -> Endpoint:
        """The columns of a row, checked; raises `RowcastError` with a sentence that names it."""
        try:
            if not isinstance(protocol, str) or protocol not in PROTOCOLS:
                known = ", ".join(PROTOCOLS)
                raise ValueError(f"protocol {protocol!r} is not one of {known}")
            endpoint = cls(model, protocol, _url(url), _options(options), _seconds(timeout_seconds))
            endpoint.parsed_options()
        except ValueError as fault:
            hint = "Correct its row in ml.models; docs/how-to/remote-models.md lists the options."
            raise RowcastError(f"model {model}: {fault}", hint) from None
        return endpoint

    def parsed_options(self) -> Options:
        """The options as the protocol's own type; raises `ValueError` for one that is no good."""
        try:
            return PROTOCOLS[self.protocol].Options.model_validate(dict(self.options))
        except ValidationError as fault:
            found = fault.errors(include_input=False, include_url=False)[0]
            name = ".".join(map(str, found["loc"]))
            if found["type"] == "extra_forbidden":
                raise ValueError(f"protocol {self.protocol} has no option {name!r}") from None
            said = found["msg"].removeprefix("Value error, ")
            raise ValueError(f"option {name!r}: {said}") from None


def _url(value: object) -> str:
    url = _http_url(value)
    if url is None:
        raise ValueError("the url is not an http:// or https:// address")
    if url.userinfo:
        raise ValueError("the url holds a user name or password; name a key in the options instead")
    if url.fragment:
        raise ValueError("the url holds a fragment (#), which is never sent")
    return str(value)


def _http_url(value: object) -> httpx.URL | None:
    """Read by the client's own parser: what is checked here is what is asked later."""
    try:
        url = httpx.URL(str(value))
        good = url.scheme in ("http", "https") and bool(url.host) and (url.port or 0) < 2**16
    except (httpx.InvalidURL, ValueError):  # the second from a host that cannot be encoded
        return None
    return url if good else None


def _options(value: object) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError("the options are not a JSON object")
    return value


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("the time-out is not a number of seconds")
    if not 0 < value < math.inf:
        raise ValueError("the time-out is not above 0 seconds")
    return float(value)
