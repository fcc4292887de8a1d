"""A row of `ml.models` is checked before anything is asked."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from rowcast.errors import RowcastError
from rowcast.remote import Endpoint, Remote

URL = "http://127.0.0.1:8000/v1"


def test_a_good_row_is_taken_as_it_is() -> None:
    endpoint = Endpoint.parse("eta", "openai", URL, {"model": "m", "dimensions": 8}, 5)
    assert (endpoint.model, endpoint.protocol, endpoint.url) == ("eta", "openai", URL)
    assert endpoint.options == {"model": "m", "dimensions": 8}
    assert endpoint.timeout_seconds == 5.0
    assert endpoint == Endpoint.parse("eta", "openai", URL, {"dimensions": 8, "model": "m"}, 5)


def test_no_options_are_no_options() -> None:
    assert Endpoint.parse("eta", "plain", URL, None, 5).options == {}


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"protocol": "grpc"}, "protocol 'grpc' is not one of open-inference, openai, plain"),
        ({"protocol": None}, "protocol None is not one of"),
        ({"url": "ftp://127.0.0.1/"}, "the url is not an http:// or https:// address"),
        ({"url": "file:///etc/passwd"}, "the url is not an http:// or https:// address"),
        ({"url": "http:///v1"}, "the url is not an http:// or https:// address"),
        ({"url": "127.0.0.1:8000"}, "the url is not an http:// or https:// address"),
        ({"url": "http://127.0.0.1/\nhost: x"}, "the url is not an http:// or https:// address"),
        ({"url": "http://127.0.0.1:99999/"}, "the url is not an http:// or https:// address"),
        ({"url": "http://xn--/"}, "the url is not an http:// or https:// address"),
        ({"url": None}, "the url is not an http:// or https:// address"),
        ({"url": "http://ann:s3cret@127.0.0.1/"}, "the url holds a user name or password"),
        ({"url": "http://127.0.0.1/#part"}, "the url holds a fragment"),
        ({"options": []}, "the options are not a JSON object"),
        ({"options": {"dimension": 8}}, "protocol openai has no option 'dimension'"),
        ({"options": {"dimensions": "8"}}, "option 'dimensions': Input should be a valid integer"),
        ({"options": {"dimensions": 0}}, "option 'dimensions': Input should be greater than"),
        ({"options": {"field": 3}}, "option 'field': Input should be a valid string"),
        ({"options": {"auth_header": "Content-Length"}}, "not a header that may carry a key"),
        ({"options": {"auth_header": "x: y\r\nz"}}, "not a header that may carry a key"),
        ({"protocol": "plain", "options": {"field": "t"}}, "plain has no option 'field'"),
        (
            {"protocol": "open-inference", "options": {"encoding": "xml"}},
            "option 'encoding': Input should be 'columns' or 'json'",
        ),
        (
            {"protocol": "open-inference", "options": {"datatypes": {"x": "float"}}},
            "option 'datatypes.x'",
        ),
        ({"timeout_seconds": 0}, "the time-out is not above 0 seconds"),
        ({"timeout_seconds": float("nan")}, "the time-out is not above 0 seconds"),
        ({"timeout_seconds": "5"}, "the time-out is not a number of seconds"),
    ],
)
def test_a_row_that_is_no_good_is_refused_with_a_sentence(
    row: dict[str, Any], sentence: str
) -> None:
    good = {"protocol": "openai", "url": URL, "options": {}, "timeout_seconds": 5}
    with pytest.raises(RowcastError) as refused:
        Endpoint.parse("eta", **{**good, **row})
    assert refused.value.message.startswith("model eta: ")
    assert sentence in refused.value.message
    assert "s3cret" not in refused.value.message


async def test_a_key_that_is_not_set_is_named() -> None:
    endpoint = Endpoint.parse("eta", "plain", URL, {"key": "absent"}, 5)
    async with httpx.AsyncClient() as client:
        with pytest.raises(RowcastError, match="there is no key named 'absent'") as refused:
            Remote(endpoint, client, {})
    assert "ROWCAST_REMOTE_KEYS" in refused.value.hint
