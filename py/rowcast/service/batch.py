"""One call of a model, and what went wrong with it: rule 6 of the pipeline, without a database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

from rowcast.models import InputError, Model, Prediction


class ProviderFault(Exception):  # noqa: N818 - the pipeline says faults
    """The model's provider is away or asks for a pause; nobody is charged.

    `retry_after` is its wish in seconds, where it named one.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(slots=True)
class Outcome:
    """What became of a batch, by position in it."""

    done: dict[int, Prediction] = field(default_factory=dict)
    item_faults: dict[int, str] = field(default_factory=dict)
    batch_faults: dict[int, str] = field(default_factory=dict)
    provider_faults: dict[int, ProviderFault] = field(default_factory=dict)


@dataclass(slots=True)
class _Search:
    """The hunt for the items at fault in one batch."""

    model: Model
    inputs: Sequence[Mapping[str, Any]]
    seconds: float
    calls_left: int
    outcome: Outcome = field(default_factory=Outcome)
    raised: list[int] = field(default_factory=list)


class Runner:
    """Runs models in threads, so that a slow one does not stop heartbeats and webhooks."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self.hung = 0

    async def run(
        self, model: Model, inputs: Sequence[Mapping[str, Any]], seconds: float
    ) -> Outcome:
        """Predict `inputs`; a failing batch is halved until the item at fault stands alone.

        A few poison items cost a few times log2(n) calls. When more fails than that can find, or
        when several raise and none succeeds, the items are not to blame: a fault of the batch.
        """
        size = len(inputs)
        search = _Search(model, inputs, seconds, calls_left=4 * size.bit_length() + 4)
        await self._halve(search, list(range(size)))
        outcome = search.outcome
        if len(search.raised) > 1 and not outcome.done:
            outcome.batch_faults.update(
                {position: outcome.item_faults.pop(position) for position in search.raised}
            )
        return outcome

    async def _halve(self, search: _Search, positions: list[int]) -> None:
        if not positions:
            return
        outcome = search.outcome
        if search.calls_left == 0:
            gave_up = "TOO_MANY_FAULTS: gave up halving"
            outcome.batch_faults.update(dict.fromkeys(positions, gave_up))
            return
        search.calls_left -= 1
        try:
            answers = await self._call(
                search.model, [search.inputs[p] for p in positions], search.seconds
            )
        except InputError as fault:
            blamed = positions[fault.index]
            outcome.item_faults[blamed] = f"INVALID_INPUT: {fault.message}"
            await self._halve(search, [p for p in positions if p != blamed])
        except ProviderFault as fault:
            outcome.provider_faults.update(dict.fromkeys(positions, fault))
        except Exception as fault:  # noqa: BLE001 - a model may raise anything
            if len(positions) == 1:
                outcome.item_faults[positions[0]] = f"{type(fault).__name__}: {fault}"
                search.raised.append(positions[0])
                return
            middle = len(positions) // 2
            await self._halve(search, positions[:middle])
            await self._halve(search, positions[middle:])
        else:
            for position, answer in zip(positions, answers, strict=True):
                problem = problem_of(answer)
                if problem is None:
                    outcome.done[position] = answer
                else:
                    outcome.item_faults[position] = problem

    async def _call(
        self, model: Model, inputs: list[Mapping[str, Any]], seconds: float
    ) -> Sequence[Prediction]:
        call = asyncio.get_running_loop().run_in_executor(self._executor, model.predict, inputs)
        try:
            answers = await asyncio.wait_for(asyncio.shield(call), seconds)
        except TimeoutError:
            # A thread cannot be killed. It is counted, and /health tells when too many are lost.
            self.hung += 1
            call.add_done_callback(self._returned)
            raise TimeoutError(f"no answer within {seconds:g} s") from None
        if len(answers) != len(inputs):
            raise ValueError(f"WRONG_LENGTH: {len(answers)} answers to {len(inputs)} inputs")
        return answers

    def _returned(self, call: asyncio.Future[Sequence[Prediction]]) -> None:
        self.hung -= 1
        if not call.cancelled():
            call.exception()


def problem_of(answer: Prediction) -> str | None:
    """Why an answer cannot be stored, or None: it must be a JSON object of finite numbers."""
    if not isinstance(answer, Prediction) or not isinstance(answer.output, dict):
        return "WRONG_SHAPE: the output is not an object"
    try:
        json.dumps([answer.output, answer.low, answer.high], allow_nan=False)
    except ValueError:
        return "NOT_FINITE: the output holds NaN or infinity"
    except TypeError as fault:
        return f"WRONG_SHAPE: {fault}"
    if answer.low is not None and answer.high is not None and answer.low > answer.high:
        return "WRONG_SHAPE: the interval is upside down"
    return None
