"""Plain JSON: the protocol for a server that you write yourself.

Asked:    POST {url}  {"model": "eta", "inputs": [{…}, {…}]}
Answered: {"predictions": [{"output": {…}, "low": 1, "high": 2}, {"error": "x is missing"}],
           "version": "7", "tokens": 12}     version, tokens, low and high may be left out
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rowcast.models import InputError, Prediction, Reply
from rowcast.remote import options as common
from rowcast.remote.answers import Answer, check_length, parse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class _Item(Answer):
    output: Any = None
    """Judged with the in-process models' outputs, so that a bad one costs its own item only."""
    low: float | None = None
    high: float | None = None
    error: str | None = None


class _Answer(Answer):
    predictions: list[_Item]
    version: str | None = None
    tokens: int | None = None


class Plain:
    """The protocol `plain`."""

    Options = common.Options

    def __init__(self, model: str, url: str, _options: common.Options) -> None:
        self._model = model
        self.url = url

    def body(self, inputs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The request for a batch."""
        return {"model": self._model, "inputs": list(inputs)}

    def reply(self, content: bytes, count: int) -> Reply:
        """What the server answered; raises `InputError` for the first item that it blames."""
        answer = parse(_Answer, content)
        check_length(answer.predictions, count)
        for index, item in enumerate(answer.predictions):
            if item.error is not None:
                raise InputError(index, item.error)
        predictions = [Prediction(i.output, i.low, i.high) for i in answer.predictions]
        return Reply(predictions, answer.tokens, answer.version)
