"""Whatever goes wrong with a server gets its class: the provider's, the batch's or an item's."""

from __future__ import annotations

import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import httpx
import pytest

from rowcast.models import InputError, ProviderFault
from rowcast.remote import Endpoint, Remote, RemoteError, new_client
from rowcast.remote.exchange import retry_after
from tests.remote.conftest import KEYS

if TYPE_CHECKING:
    from tests.remote.conftest import Ask

SECRET = KEYS["main"].get_secret_value()


async def provider_fault(remote: Ask, path: str, seconds: float = 10) -> ProviderFault:
    with pytest.raises(ProviderFault) as caught:
        await remote("plain", path, seconds=seconds).predict([{"x": 1}])
    return caught.value


async def remote_error(remote: Ask, path: str) -> str:
    with pytest.raises(RemoteError) as caught:
        await remote("plain", path).predict([{"x": 1}])
    return str(caught.value)


# -- the provider is away, or wants a pause ----------------------------------------------------


async def test_a_pause_in_seconds_is_kept(remote: Ask) -> None:
    fault = await provider_fault(remote, "/fault/429-seconds")
    assert (str(fault), fault.retry_after) == ("HTTP 429: slow down", 7)


async def test_a_pause_until_a_date_is_kept(remote: Ask) -> None:
    fault = await provider_fault(remote, "/fault/429-date")
    assert str(fault) == "HTTP 429: slow down"
    assert fault.retry_after == pytest.approx(120, abs=5)


async def test_a_pause_without_a_wish_has_none(remote: Ask) -> None:
    fault = await provider_fault(remote, "/fault/429-silent")
    assert (str(fault), fault.retry_after) == ("HTTP 429: no text", None)


async def test_a_pause_is_an_hour_at_most(remote: Ask) -> None:
    assert (await provider_fault(remote, "/fault/503")).retry_after == 3600


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("0", 0),
        ("1.5", 1.5),
        (" 12 ", 12),
        ("9" * 400, 3600),
        ("-5", None),
        ("nan", None),
        ("1e3", None),
        ("soon", None),
        ("", None),
        ("Wed, 99 Foo 2026 07:28:00 GMT", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("Wed, 21 Oct 2015 07:28:00 -0000", 0),
        (format_datetime(datetime.now(UTC) + timedelta(days=9), usegmt=True), 3600),
    ],
)
def test_retry_after_is_read_in_both_forms(header: str | None, seconds: float | None) -> None:
    assert retry_after(header) == seconds


@pytest.mark.parametrize("status", [408, 502, 504])
async def test_a_gateways_trouble_is_the_providers(remote: Ask, status: int) -> None:
    fault = await provider_fault(remote, f"/fault/{status}")
    assert (str(fault), fault.retry_after) == (f"HTTP {status}: status {status}", None)


@pytest.mark.parametrize("status", [401, 402, 403, 404])
async def test_a_wrong_key_or_name_pauses_for_long(remote: Ask, status: int) -> None:
    assert (await provider_fault(remote, f"/fault/{status}")).retry_after == 300


async def test_a_redirect_is_not_followed(remote: Ask) -> None:
    fault = await provider_fault(remote, "/fault/redirect")
    assert "redirects are not followed" in str(fault)
    assert fault.retry_after == 300


async def test_a_server_that_is_not_there_is_the_providers(remote: Ask) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert "ConnectError" in str(await provider_fault(remote, f"http://127.0.0.1:{port}/"))


async def test_a_host_without_an_address_is_the_providers(remote: Ask) -> None:
    unknown = ".".join("a" * 150)  # too long for a name server to be asked about
    assert "ConnectError" in str(await provider_fault(remote, f"http://{unknown}/"))


async def test_a_failed_handshake_is_the_providers(remote: Ask, server_url: str) -> None:
    fault = await provider_fault(remote, server_url.replace("http:", "https:"))
    assert "SSL" in str(fault)


async def test_a_connection_dropped_half_way_is_the_providers(remote: Ask) -> None:
    assert "RemoteProtocolError" in str(await provider_fault(remote, "/fault/torn-off"))


@pytest.mark.parametrize("kind", ["endless", "trickle"])
async def test_the_time_out_is_over_the_whole_call(remote: Ask, kind: str) -> None:
    started = time.monotonic()
    fault = await provider_fault(remote, f"/fault/{kind}", seconds=0.3)
    assert str(fault) == "no answer within 0.3 s"
    assert 0.3 <= time.monotonic() - started < 3


async def test_a_call_that_timed_out_leaves_the_client_usable(remote: Ask) -> None:
    for _ in range(70):  # more than the client has connections
        await provider_fault(remote, "/fault/endless", seconds=0.005)
    assert len((await remote("plain", "/plain").predict([{"x": 1}])).predictions) == 1


# -- the batch is refused, or the answer is none -----------------------------------------------


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/fault/422", "HTTP 422: inputs: wrong"),
        ("/fault/400", "HTTP 400: status 400"),
        ("/fault/413", "HTTP 413: status 413"),
        ("/fault/500", "HTTP 500: Traceback: it crashed"),
        ("/fault/204", "HTTP 204: no text"),
        ("/fault/no-json", "WRONG_SHAPE: the answer: Invalid JSON"),
        ("/fault/deep-json", "WRONG_SHAPE: the answer: Invalid JSON"),
        ("/fault/other-json", "WRONG_SHAPE: predictions: Field required"),
        ("/fault/text-as-low", "WRONG_SHAPE: predictions.0.low: Input should be a valid number"),
        ("/fault/short", "WRONG_LENGTH: 0 answers to 1 inputs"),
        ("/fault/long", "WRONG_LENGTH: 2 answers to 1 inputs"),
        ("/fault/huge", "the answer is larger than 64 MiB"),
    ],
)
async def test_a_refusal_or_a_bad_answer_is_a_fault_of_the_batch(
    remote: Ask, path: str, text: str
) -> None:
    assert (await remote_error(remote, path)).startswith(text)


async def test_a_servers_words_are_cut_and_made_printable(remote: Ask) -> None:
    assert len(await remote_error(remote, "/fault/long-text")) == 300
    assert await remote_error(remote, "/fault/control-text") == "HTTP 400: a b c"


async def test_an_unknown_open_inference_model_is_a_fault_of_the_set_up(remote: Ask) -> None:
    with pytest.raises(ProviderFault, match="HTTP 404: there is no model gone 1"):
        await remote("open-inference", options={"name": "gone"}).predict([{"a": 1}])


async def test_a_refused_tensor_is_a_fault_of_the_batch(remote: Ask) -> None:
    with pytest.raises(RemoteError, match="HTTP 400: add takes a and b"):
        await remote("open-inference", options={"name": "add"}).predict([{"a": 1}])


# -- keys --------------------------------------------------------------------------------------


async def test_the_key_goes_out_as_a_bearer(remote: Ask) -> None:
    (answer,) = (await remote("plain", "/mirror", {"key": "main"}).predict([{}])).predictions
    assert answer.output["headers"]["authorization"] == f"Bearer {SECRET}"
    assert SECRET not in answer.output["target"] + str(answer.output["body"])


async def test_the_key_goes_out_in_a_header_of_its_own(remote: Ask) -> None:
    options = {"key": "main", "auth_header": "X-Key"}
    (answer,) = (await remote("plain", "/mirror", options).predict([{}])).predictions
    assert answer.output["headers"]["x-key"] == SECRET
    assert "authorization" not in answer.output["headers"]


async def test_a_key_that_the_server_repeats_is_not_in_the_fault(remote: Ask) -> None:
    with pytest.raises(ProviderFault) as refused:
        await remote("plain", "/fault/key", {"key": "main"}).predict([{}])
    assert str(refused.value) == "HTTP 401: bad key Bearer *** None"
    with pytest.raises(InputError) as blamed:
        await remote("plain", "/fault/blame-key", {"key": "main"}).predict([{}])
    assert blamed.value.message == "item refused for Bearer ***"


async def test_the_environments_proxy_is_not_asked(
    remote: Ask, server_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with new_client() as client:
        endpoint = Endpoint.parse("eta", "plain", f"{server_url}/plain", None, 10)
        assert (await Remote(endpoint, client, {}).predict([{"x": 1}])).tokens == 7


async def test_a_key_is_not_shown_by_a_client_that_fails(remote: Ask) -> None:
    with pytest.raises(ProviderFault) as away:
        await remote("plain", "http://127.0.0.1:1/", {"key": "main"}).predict([{}])
    assert SECRET not in str(away.value)
    assert away.value.__cause__ is None
    assert isinstance(away.value.__context__, httpx.ConnectError)
