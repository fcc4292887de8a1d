"""Rule 6 without a database: which fault is whose."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowcast.models import ProviderFault
from rowcast.models.base import InputError, Prediction
from rowcast.service.batch import MAX_HUNG, LocalRunner, Outcome, problem_of
from tests.fakes import FaultyModel
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

pytestmark = pytest.mark.anyio


async def _run(*items: Mapping[str, Any], seconds: float = 5) -> tuple[Outcome, FaultyModel]:
    model = FaultyModel()
    runner = LocalRunner(model, calls=1)
    outcome = await runner.run(items, seconds)
    runner.close()
    return outcome, model


async def test_good_batch_is_one_call_in_order() -> None:
    outcome, model = await _run({"x": 3}, {"x": 1}, {"x": 2})
    assert [outcome.done[i].output["score"] for i in range(3)] == [3, 1, 2]
    assert model.batches == [3]


async def test_one_poison_row_costs_two_calls_a_halving_and_the_others_land() -> None:
    items = [{"x": i, "fault": "crash" if i == 37 else None} for i in range(64)]
    outcome, model = await _run(*items)
    assert list(outcome.item_faults) == [37]
    assert "RuntimeError" in outcome.item_faults[37]
    assert sorted(outcome.done) == [i for i in range(64) if i != 37]
    assert len(model.batches) == 1 + 2 * 6


async def test_a_bad_input_is_named_at_once_and_the_rest_asked_again() -> None:
    outcome, model = await _run({"x": 1}, {"fault": "input"}, {"x": 2})
    assert outcome.item_faults == {1: "INVALID_INPUT: bad, as it was told to be"}
    assert sorted(outcome.done) == [0, 2]
    assert model.batches == [3, 2]


async def test_nan_is_the_items_fault() -> None:
    outcome, _ = await _run({"x": 1}, {"fault": "nan"})
    assert outcome.item_faults[1].startswith("NOT_FINITE")
    assert sorted(outcome.done) == [0]


async def test_wrong_length_is_found() -> None:
    outcome, _ = await _run({"x": 1}, {"fault": "short"}, {"x": 2}, {"x": 3})
    assert outcome.item_faults[1].startswith("ValueError: WRONG_LENGTH")
    assert sorted(outcome.done) == [0, 2, 3]


async def test_when_all_fail_nobody_is_charged_and_the_calls_are_bounded() -> None:
    outcome, model = await _run(*[{"fault": "crash"}] * 256)
    assert not outcome.item_faults
    assert len(outcome.batch_faults) == 256
    assert len(model.batches) <= 2 * (3 * 9 + 3)


async def test_a_single_failing_item_is_charged() -> None:
    outcome, _ = await _run({"fault": "crash"})
    assert list(outcome.item_faults) == [0]


async def test_forty_bad_inputs_do_not_cost_the_good_ones_their_answer() -> None:
    items = [{"x": i, "fault": "input" if i % 2 else None} for i in range(250)]
    outcome, _ = await _run(*items)
    assert sorted(outcome.done) == list(range(0, 250, 2))
    assert sorted(outcome.item_faults) == list(range(1, 250, 2))


async def test_a_hung_model_times_out_and_is_left_alone_after_a_few() -> None:
    model = FaultyModel()
    runner = LocalRunner(model, calls=2)
    for hung in range(1, MAX_HUNG + 1):
        outcome = await runner.run([{"fault": "hang"}], seconds=0.02)
        assert "TimeoutError" in outcome.item_faults[0]
        assert runner.hung == hung
    outcome = await runner.run([{"x": 1}], seconds=5)
    assert list(outcome.provider_faults) == [0]
    model.release.set()
    await until(lambda: runner.hung == 0)
    assert list((await runner.run([{"x": 1}], seconds=5)).done) == [0]
    runner.close()


async def test_a_call_that_nobody_waits_for_any_more_is_counted_too() -> None:
    model = FaultyModel()
    runner = LocalRunner(model, calls=1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(runner.run([{"fault": "hang"}], seconds=60), 0.05)
    assert runner.hung == 1
    model.release.set()
    await until(lambda: runner.hung == 0)
    runner.close()


async def test_waiting_for_a_thread_is_not_the_models_time() -> None:
    model = FaultyModel()
    runner = LocalRunner(model, calls=1)
    first = asyncio.ensure_future(runner.run([{"fault": "hang"}], seconds=5))
    await until(lambda: bool(model.batches))
    second = asyncio.ensure_future(runner.run([{"x": 1}], seconds=0.01))
    done, _ = await asyncio.wait({second}, timeout=0.05)
    assert not done
    model.release.set()
    assert list((await second).done) == [0]
    assert list((await first).done) == [0]
    runner.close()


class _Answers:
    name, version = "answers", "1"

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def predict(self, inputs: Sequence[Mapping[str, Any]]) -> list[Prediction]:
        if isinstance(self._answer, Exception):
            raise self._answer
        return [self._answer] * len(inputs)


async def _ask(answer: Any, count: int) -> Outcome:
    runner = LocalRunner(_Answers(answer), calls=1)
    outcome = await runner.run([{}] * count, seconds=1)
    runner.close()
    return outcome


async def test_a_provider_that_is_away_is_asked_once_and_nobody_is_charged() -> None:
    outcome = await _ask(ProviderFault("429", retry_after=7), 8)
    assert sorted(outcome.provider_faults) == list(range(8))
    assert {fault.retry_after for fault in outcome.provider_faults.values()} == {7}
    assert not outcome.item_faults


class _Limited:
    """Refuses some calls with a pause, then answers."""

    name = "limited"
    version = "1"

    def __init__(self, refusals: int, pause: float) -> None:
        self.refusals = refusals
        self.pause = pause
        self.sizes: list[int] = []

    def predict(self, inputs: Sequence[Mapping[str, Any]]) -> list[Prediction]:
        self.sizes.append(len(inputs))
        if len(self.sizes) <= self.refusals:
            raise ProviderFault("429", self.pause)
        return [Prediction({"score": 1})] * len(inputs)


async def test_a_short_pause_is_waited_for_with_the_whole_batch_in_hand() -> None:
    model = _Limited(refusals=3, pause=0.02)
    runner = LocalRunner(model, calls=1)
    began = time.monotonic()
    outcome = await runner.run([{}] * 8, seconds=1)
    assert time.monotonic() - began >= 3 * 0.02
    runner.close()
    assert sorted(outcome.done) == list(range(8))
    assert not outcome.provider_faults
    assert model.sizes == [8, 8, 8, 8]


async def test_patience_with_short_pauses_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rowcast.service.batch.PATIENCE_SECONDS", 0.05)
    model = _Limited(refusals=1000, pause=0.02)
    runner = LocalRunner(model, calls=1)
    outcome = await runner.run([{}] * 8, seconds=1)
    runner.close()
    assert sorted(outcome.provider_faults) == list(range(8))
    assert len(model.sizes) <= 4


async def test_an_input_error_about_no_item_of_the_batch_is_any_error() -> None:
    outcome = await _ask(InputError(99, "whose?"), 1)
    assert outcome.item_faults[0].startswith("ValueError")


@given(st.lists(st.sampled_from([None, "input", "crash", "nan", "short"]), max_size=40))
async def test_every_item_ends_in_exactly_one_class(faults: list[str | None]) -> None:
    outcome, _ = await _run(*({"x": 1, "fault": fault} for fault in faults))
    ends = [
        *outcome.done,
        *outcome.item_faults,
        *outcome.batch_faults,
        *outcome.provider_faults,
    ]
    assert sorted(ends) == list(range(len(faults)))
    assert all(faults[position] is None for position in outcome.done)


def _deep(levels: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(levels):
        found = {"x": found}
    return found


@pytest.mark.parametrize(
    ("answer", "token"),
    [
        (Prediction({"x": float("inf")}), "NOT_FINITE"),
        (Prediction({"x": 1}, low=float("nan")), "NOT_FINITE"),
        (Prediction({"x": object()}), "WRONG_SHAPE"),
        (Prediction([1]), "WRONG_SHAPE"),  # type: ignore[arg-type]
        (Prediction({"x": 1}, low=2, high=1), "WRONG_SHAPE"),
        (Prediction({"x": 1}, low="5", high=1), "WRONG_SHAPE"),  # type: ignore[arg-type]
        (Prediction(_deep(5000)), "WRONG_SHAPE"),
        (None, "WRONG_SHAPE"),
    ],
)
async def test_what_cannot_be_stored_is_told(answer: Any, token: str) -> None:
    problem = problem_of(answer)
    assert problem is not None
    assert problem.startswith(token)
