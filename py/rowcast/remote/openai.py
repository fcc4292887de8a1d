"""Embeddings in the style of OpenAI's API, which many servers of text models speak.

Asked:    POST {url}/embeddings  {"model": "m", "input": ["a", "b"], "encoding_format": "float"}
Answered: {"data": [{"index": 0, "embedding": [0.1, …]}, …], "model": "m-2",
           "usage": {"total_tokens": 8}}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pydantic import Field

from rowcast.models import InputError, Prediction, Reply
from rowcast.remote import options as common
from rowcast.remote.addresses import below
from rowcast.remote.answers import Answer, RemoteError, check_length, parse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class OpenAIOptions(common.Options):
    """Options of the protocol `openai`."""

    model: str | None = Field(default=None, min_length=1)
    """The server's name for the model; by default ours."""
    field: str = "text"
    """Field of the input that holds the text."""
    dimensions: int | None = Field(default=None, ge=1)
    """Length of the vectors, for models that can shorten them."""


class _Embedding(Answer):
    index: int
    embedding: list[float]


class _Usage(Answer):
    total_tokens: int | None = None


class _Answer(Answer):
    data: list[_Embedding]
    model: str | None = None
    usage: _Usage | None = None


class OpenAI:
    """The protocol `openai`; a row's output is `{"embedding": […]}`."""

    Options = OpenAIOptions

    def __init__(self, model: str, url: str, options: common.Options) -> None:
        self._options = cast("OpenAIOptions", options)
        self._model = self._options.model or model
        self.url = below(url, "embeddings")

    def body(self, inputs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The request for a batch; raises `InputError` for an item without text."""
        texts = [self._text(index, item) for index, item in enumerate(inputs)]
        body: dict[str, Any] = {"model": self._model, "input": texts, "encoding_format": "float"}
        if self._options.dimensions is not None:
            body["dimensions"] = self._options.dimensions
        return body

    def _text(self, index: int, item: Mapping[str, Any]) -> str:
        text = item.get(self._options.field)
        if not isinstance(text, str) or not text.strip():
            raise InputError(index, f"{self._options.field} is missing, empty or not a text")
        return text

    def reply(self, content: bytes, count: int) -> Reply:
        """The vectors, put in the order of the inputs."""
        answer = parse(_Answer, content)
        check_length(answer.data, count)
        ordered = sorted(answer.data, key=lambda item: item.index)
        if [item.index for item in ordered] != list(range(count)):
            raise RemoteError("WRONG_SHAPE: the indexes are not those of the inputs")
        wanted = self._options.dimensions
        for item in ordered:
            if wanted is not None and len(item.embedding) != wanted:
                raise RemoteError(f"WRONG_SHAPE: {len(item.embedding)} dimensions, not {wanted}")
        tokens = None if answer.usage is None else answer.usage.total_tokens
        predictions = [Prediction({"embedding": item.embedding}) for item in ordered]
        return Reply(predictions, tokens, answer.model)
