"""What every protocol gives back, and how an answer that is none is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from rowcast.models import Prediction

if TYPE_CHECKING:
    from collections.abc import Sized

AnswerT = TypeVar("AnswerT", bound="Answer")


class RemoteError(Exception):
    """The server refused the batch, or its answer cannot be understood: a fault of the batch."""


class Answer(BaseModel):
    """A response's JSON. Servers may send more than is asked for; NaN and Infinity are let in."""

    model_config = ConfigDict(strict=True, protected_namespaces=())


def parse(shape: type[AnswerT], content: bytes) -> AnswerT:
    """The response as `shape`; raises `RemoteError` that says where it differs."""
    try:
        return shape.model_validate_json(content)
    except ValidationError as fault:
        first = fault.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"])) or "the answer"
        raise RemoteError(f"WRONG_SHAPE: {place}: {first['msg']}") from None


def check_length(answers: Sized, expected: int) -> None:
    """Raises `RemoteError` unless there are as many answers as inputs."""
    if len(answers) != expected:
        raise RemoteError(f"WRONG_LENGTH: {len(answers)} answers to {expected} inputs")


def prediction(fields: dict[str, Any]) -> Prediction:
    """A row's output object; its fields `low` and `high` become the interval."""
    bounds = {}
    for name in ("low", "high"):
        value = fields.pop(name, None)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise RemoteError(f"WRONG_SHAPE: {name} is not a number")
        bounds[name] = value
    return Prediction(fields, **bounds)
