"""What every model promises: a batch in, one prediction per item out, in the same order."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(slots=True)  # not frozen: that would triple what making one costs
class Prediction:
    """One answer.

    `output` is JSON-serialisable and is what the row and its receipt receive; `low` and `high`
    bound the main figure (same unit) where the model has an interval.
    """

    output: dict[str, Any]
    low: float | None = None
    high: float | None = None


class InputError(ValueError):
    """One item of a batch is unusable; the other items are not to blame.

    `index` is the item's place in the batch, so a caller can fail that item alone.
    """

    def __init__(self, index: int, message: str) -> None:
        super().__init__(f"item {index}: {message}")
        self.index = index
        self.message = message


class ProviderFault(Exception):  # noqa: N818 - the pipeline says faults
    """The model's provider is away or asks for a pause; nobody is charged.

    `retry_after` is its wish in seconds, where it named one.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.raised_at = monotonic()

    def pause(self, otherwise: float = 0.0) -> float:
        """What is left of the wish, or of `otherwise` where there is none; seconds."""
        wish = otherwise if self.retry_after is None else self.retry_after
        return max(0.0, self.raised_at + wish - monotonic())


@dataclass(frozen=True, slots=True)
class Reply:
    """What one call gave: a prediction per input, in order.

    `tokens` and `version` where a server tells them.
    """

    predictions: Sequence[Prediction]
    tokens: int | None = None
    version: str | None = None


class UnknownModelError(LookupError):
    """No model is registered under the name asked for."""


class Model(Protocol):
    """A model that the service can run.

    Implementations hold no per-call state, so one instance serves several threads.
    """

    @property
    def name(self) -> str:
        """The name it is registered under."""

    @property
    def version(self) -> str:
        """What exactly answered; receipts keep it."""

    def predict(self, inputs: Sequence[Mapping[str, Any]]) -> Sequence[Prediction]:
        """Answer every input, same length and order; raise `InputError` for a bad item."""
