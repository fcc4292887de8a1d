"""Rule 6 without a database: which fault is whose."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rowcast.models.base import Prediction
from rowcast.service.batch import Outcome, ProviderFault, Runner, problem_of
from tests.fakes import FaultyModel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

pytestmark = pytest.mark.anyio


@pytest.fixture
def runner() -> Iterator[Runner]:
    executor = ThreadPoolExecutor(max_workers=4)
    yield Runner(executor)
    executor.shutdown()


async def _run(runner: Runner, *items: Mapping[str, Any]) -> tuple[Outcome, FaultyModel]:
    model = FaultyModel()
    return await runner.run(model, items, seconds=5), model


async def test_good_batch_is_one_call_in_order(runner: Runner) -> None:
    outcome, model = await _run(runner, {"x": 3}, {"x": 1}, {"x": 2})
    assert [outcome.done[i].output["score"] for i in range(3)] == [3, 1, 2]
    assert model.batches == [3]


async def test_one_poison_row_costs_two_calls_a_halving_and_the_others_land(runner: Runner) -> None:
    items = [{"x": i, "fault": "crash" if i == 37 else None} for i in range(64)]
    outcome, model = await _run(runner, *items)
    assert list(outcome.item_faults) == [37]
    assert "RuntimeError" in outcome.item_faults[37]
    assert sorted(outcome.done) == [i for i in range(64) if i != 37]
    assert len(model.batches) == 1 + 2 * 6


async def test_a_bad_input_is_named_at_once_and_the_rest_asked_again(runner: Runner) -> None:
    outcome, model = await _run(runner, {"x": 1}, {"fault": "input"}, {"x": 2})
    assert outcome.item_faults == {1: "INVALID_INPUT: bad, as it was told to be"}
    assert sorted(outcome.done) == [0, 2]
    assert model.batches == [3, 2]


async def test_nan_is_the_items_fault(runner: Runner) -> None:
    outcome, _ = await _run(runner, {"x": 1}, {"fault": "nan"})
    assert outcome.item_faults[1].startswith("NOT_FINITE")
    assert sorted(outcome.done) == [0]


async def test_wrong_length_is_found(runner: Runner) -> None:
    outcome, _ = await _run(runner, {"x": 1}, {"fault": "short"}, {"x": 2}, {"x": 3})
    assert outcome.item_faults[1].startswith("ValueError: WRONG_LENGTH")
    assert sorted(outcome.done) == [0, 2, 3]


async def test_when_all_fail_nobody_is_charged_and_the_calls_are_bounded(runner: Runner) -> None:
    outcome, model = await _run(runner, *[{"fault": "crash"}] * 256)
    assert not outcome.item_faults
    assert len(outcome.batch_faults) == 256
    assert len(model.batches) <= 4 * 9 + 4


async def test_a_single_failing_item_is_charged(runner: Runner) -> None:
    outcome, _ = await _run(runner, {"fault": "crash"})
    assert list(outcome.item_faults) == [0]


async def test_a_hung_model_times_out_and_is_counted(runner: Runner) -> None:
    model = FaultyModel()
    outcome = await runner.run(model, [{"fault": "hang"}], seconds=0.05)
    assert "TimeoutError" in outcome.item_faults[0]
    assert runner.hung == 1
    model.release.set()


class _Away:
    name, version = "away", "1"

    def predict(self, inputs: Sequence[Mapping[str, Any]]) -> list[Prediction]:
        raise ProviderFault("429", retry_after=7)


async def test_a_provider_that_is_away_is_asked_once_and_nobody_is_charged(runner: Runner) -> None:
    outcome = await runner.run(_Away(), [{}] * 8, seconds=1)
    assert sorted(outcome.provider_faults) == list(range(8))
    assert {fault.retry_after for fault in outcome.provider_faults.values()} == {7}
    assert not outcome.item_faults


@given(st.lists(st.sampled_from([None, "input", "crash", "nan", "short"]), max_size=40))
async def test_every_item_ends_in_exactly_one_class(faults: list[str | None]) -> None:
    with ThreadPoolExecutor(max_workers=1) as executor:
        items = [{"x": 1, "fault": fault} for fault in faults]
        outcome = await Runner(executor).run(FaultyModel(), items, seconds=5)
    ends = [
        *outcome.done,
        *outcome.item_faults,
        *outcome.batch_faults,
        *outcome.provider_faults,
    ]
    assert sorted(ends) == list(range(len(faults)))
    assert all(faults[position] is None for position in outcome.done)


@pytest.mark.parametrize(
    ("answer", "token"),
    [
        (Prediction({"x": float("inf")}), "NOT_FINITE"),
        (Prediction({"x": 1}, low=float("nan")), "NOT_FINITE"),
        (Prediction({"x": object()}), "WRONG_SHAPE"),
        (Prediction([1]), "WRONG_SHAPE"),  # type: ignore[arg-type]
        (Prediction({"x": 1}, low=2, high=1), "WRONG_SHAPE"),
        (None, "WRONG_SHAPE"),
    ],
)
async def test_what_cannot_be_stored_is_told(answer: Any, token: str) -> None:
    problem = problem_of(answer)
    assert problem is not None
    assert problem.startswith(token)
