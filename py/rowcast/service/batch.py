"""One call of a model, and what went wrong with it: rule 6 of the pipeline, without a database."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from rowcast.models import InputError, Model, Prediction, ProviderFault, Reply

Inputs = Sequence[Mapping[str, Any]]

# A thread that hangs cannot be ended. This many, and the model is left alone until a restart.
MAX_HUNG = 4

# A provider's pause as short as this is waited for with the batch in hand, which keeps it whole and
# spares the queue; but not for longer than this for one batch.
SHORT_PAUSE_SECONDS = 2.0
PATIENCE_SECONDS = 10.0


@dataclass(slots=True)
class Outcome:
    """What became of a batch, by position in it.

    `outputs` is the JSON text of all outputs in order, where one call answered all of them.
    """

    done: dict[int, Prediction] = field(default_factory=dict)
    item_faults: dict[int, str] = field(default_factory=dict)
    batch_faults: dict[int, str] = field(default_factory=dict)
    provider_faults: dict[int, ProviderFault] = field(default_factory=dict)
    outputs: str | None = None
    tokens: int | None = None
    version: str | None = None


class Runner(ABC):
    """Calls one model, at most `calls` times at once, and finds out who is to blame for a fault."""

    def __init__(self, name: str, calls: int) -> None:
        self.name = name
        self.calls = calls
        self._free = asyncio.Semaphore(calls)

    @property
    @abstractmethod
    def version(self) -> str:
        """Of the model, where its answers do not name one."""

    @property
    def stuck(self) -> bool:
        """Only a restart would help."""
        return False

    @abstractmethod
    async def call(self, inputs: Inputs, seconds: float) -> Reply:
        """Call the model once, for at most `seconds`; whatever it raises gets out."""

    def close(self) -> None:
        """Let go of what the runner holds."""
        return

    async def run(self, inputs: Inputs, seconds: float) -> Outcome:
        """Predict `inputs`; a failing batch is halved until the item at fault stands alone.

        A poison item costs about 2 log2(n) calls. When more fails than a few such items explain, or
        when several raise and none succeeds, the items are not to blame: a fault of the batch.
        """
        outcome = Outcome()
        raised: list[int] = []
        faults_left = 3 * len(inputs).bit_length() + 3
        patience = PATIENCE_SECONDS
        waiting = deque([list(range(len(inputs)))])
        while waiting:
            positions = waiting.popleft()
            if not positions:
                continue
            fault = await self._try(inputs, positions, seconds, outcome)
            if isinstance(fault, InputError):
                # Every such answer settles an item, so this ends by itself.
                blamed = positions.pop(fault.index)
                outcome.item_faults[blamed] = f"INVALID_INPUT: {fault.message}"
                waiting.appendleft(positions)
            elif isinstance(fault, ProviderFault) and _is_short(fault, patience):
                pause = fault.pause()
                patience -= pause
                await asyncio.sleep(pause)
                waiting.appendleft(positions)
            elif isinstance(fault, ProviderFault):
                outcome.provider_faults.update(dict.fromkeys(positions, fault))
            elif fault is not None:
                faults_left -= 1
                if len(positions) == 1:
                    raised.append(positions[0])
                    outcome.item_faults[positions[0]] = f"{type(fault).__name__}: {fault}"
                elif faults_left <= 0:
                    text = f"TOO_MANY_FAULTS: {fault}"
                    outcome.batch_faults.update(dict.fromkeys(positions, text))
                else:
                    middle = len(positions) // 2
                    waiting.extendleft([positions[middle:], positions[:middle]])
        if len(raised) > 1 and not outcome.done:
            outcome.batch_faults.update({p: outcome.item_faults.pop(p) for p in raised})
        return outcome

    async def _try(
        self, inputs: Inputs, positions: list[int], seconds: float, outcome: Outcome
    ) -> Exception | None:
        """Call the model for these positions; what it raised, else its answers are in `outcome`."""
        wanted = inputs if len(positions) == len(inputs) else [inputs[p] for p in positions]
        try:
            async with self._free:
                reply = await self.call(wanted, seconds)
            answers = reply.predictions
            if len(answers) != len(wanted):
                found = f"{len(answers)} answers to {len(wanted)} inputs"
                return ValueError(f"WRONG_LENGTH: {found}")
        except InputError as fault:
            return fault if 0 <= fault.index < len(positions) else ValueError(str(fault))
        except Exception as fault:  # noqa: BLE001 - a model may raise anything
            return fault
        if reply.tokens is not None:
            outcome.tokens = (outcome.tokens or 0) + reply.tokens
        outcome.version = reply.version or outcome.version
        text = encode(answers)
        if text is not None:
            outcome.done.update(zip(positions, answers, strict=True))
            outcome.outputs = text if wanted is inputs else None
            return None
        for position, answer in zip(positions, answers, strict=True):
            problem = problem_of(answer)
            if problem is None:
                outcome.done[position] = answer
            else:
                outcome.item_faults[position] = problem
        return None


class LocalRunner(Runner):
    """Runs a model in threads of its own, so that a slow one stops nobody else.

    A call's clock starts when it has its thread.
    """

    def __init__(self, model: Model, calls: int) -> None:
        super().__init__(model.name, calls)
        self.model = model
        self.hung = 0
        self._executor = ThreadPoolExecutor(calls + MAX_HUNG, thread_name_prefix=model.name)

    @property
    def version(self) -> str:
        """What the model says of itself."""
        return self.model.version

    @property
    def stuck(self) -> bool:
        """Too many calls hang, and a thread cannot be ended."""
        return self.hung >= MAX_HUNG

    def close(self) -> None:
        """Let idle threads end; one that hangs ends with the process."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def call(self, inputs: Inputs, seconds: float) -> Reply:
        """Call the model in a thread; `TimeoutError` when it is too slow."""
        if self.stuck:
            raise ProviderFault("too many calls of this model hang", retry_after=30)
        loop = asyncio.get_running_loop()
        call = loop.run_in_executor(self._executor, self.model.predict, inputs)
        try:
            return Reply(await asyncio.wait_for(asyncio.shield(call), seconds))
        except (TimeoutError, asyncio.CancelledError) as fault:
            if call.done():
                raise  # the model's own
            self.hung += 1
            call.add_done_callback(self._returned)
            if isinstance(fault, TimeoutError):
                raise TimeoutError(f"no answer within {seconds:g} s") from None
            raise

    def _returned(self, call: asyncio.Future[Sequence[Prediction]]) -> None:
        self.hung -= 1
        if not call.cancelled():
            call.exception()


def _is_short(fault: ProviderFault, patience: float) -> bool:
    wish = fault.retry_after
    return wish is not None and wish <= min(SHORT_PAUSE_SECONDS, patience)


def encode(answers: Sequence[Prediction]) -> str | None:
    """The outputs as the text of a JSON array, or None when any answer cannot be stored."""
    try:
        plain = all(
            type(answer.output) is dict and answer.low is None and answer.high is None
            for answer in answers
        )
        if plain or all(problem_of(answer) is None for answer in answers):
            return json.dumps([answer.output for answer in answers], allow_nan=False)
    except Exception:  # noqa: BLE001 - whatever a model put there; problem_of finds out
        return None
    return None


def problem_of(answer: Prediction) -> str | None:
    """Why an answer cannot be stored, or None: it must be a JSON object of finite numbers."""
    if not isinstance(answer, Prediction) or not isinstance(answer.output, dict):
        return "WRONG_SHAPE: the output is not an object"
    try:
        json.dumps([answer.output, answer.low, answer.high], allow_nan=False)
        if answer.low is not None and answer.high is not None and answer.low > answer.high:
            return "WRONG_SHAPE: the interval is upside down"
    except ValueError:
        return "NOT_FINITE: the output holds NaN or infinity"
    except Exception as fault:  # noqa: BLE001 - whatever a model put there
        return f"WRONG_SHAPE: {fault}"
    return None
