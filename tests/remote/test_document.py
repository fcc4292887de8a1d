"""What docs/how-to/remote-models.md shows of a protocol is what goes out and comes in."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from rowcast.remote import PROTOCOLS, Endpoint
from rowcast.remote.options import Options

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs/how-to/remote-models.md").read_text()
INPUTS: dict[str, list[dict[str, Any]]] = {
    "open-inference": [{"a": 1, "b": 2.5}, {"a": 4, "b": -1}],
    "openai": [{"body": "hello"}, {"body": "good night"}],
    "plain": [{"amount": 12}, {"amount": 900}],
}


def section(protocol: str) -> str:
    return DOCUMENT.split(f"\n## {protocol}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("name", INPUTS)
def test_the_documents_examples_are_true(name: str) -> None:
    text = section(name)
    statement, request, answer, outputs = re.findall(
        r"^```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL
    )
    columns = dict(re.findall(r"(\w+) = '(.*?)'", statement))
    options = json.loads(columns.get("options", "{}"))
    endpoint = Endpoint.parse(columns["name"], columns["protocol"], columns["url"], options, 5)
    protocol = PROTOCOLS[name](endpoint.model, endpoint.url, endpoint.parsed_options())

    line, body = request.split("\n\n")
    assert line == f"POST {httpx.URL(protocol.url).path}"
    assert protocol.body(INPUTS[name]) == json.loads(body)
    for item in INPUTS[name]:
        assert f"`{json.dumps(item)}`" in text

    reply = protocol.reply(answer.encode(), len(INPUTS[name]))
    shown = [{"low": None, "high": None, **one} for one in json.loads(outputs)]
    assert [{"output": p.output, "low": p.low, "high": p.high} for p in reply.predictions] == shown


@pytest.mark.parametrize("name", INPUTS)
def test_every_option_is_in_the_document(name: str) -> None:
    listed = set(re.findall(r"^\| `(\w+)` \|", section(name) + section("Keys"), re.MULTILINE))
    assert listed == set(PROTOCOLS[name].Options.model_fields)
    assert {"key", "auth_header"} == set(Options.model_fields)


def test_the_example_runs_the_model_on_the_services_packages() -> None:
    ours = (ROOT / "requirements-service.lock").read_text()
    pins = (ROOT / "examples/serving/requirements.in").read_text().split()
    assert len(pins) > 1
    for pin in pins:
        assert pin.startswith("ray") or f"{pin} " in ours, pin
