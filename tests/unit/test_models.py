"""The registry and the models that tests lean on."""

from __future__ import annotations

import math

import pytest

from rowcast import models
from tests.fakes import FaultyModel


def test_every_registered_name_loads_a_model_of_that_name() -> None:
    assert models.names() == ("echo", "eta", "signin")
    for name in models.names():
        model = models.load(name)
        assert (model.name, bool(model.version)) == (name, True)
        assert list(model.predict([])) == []


def test_a_model_is_loaded_once() -> None:
    assert models.load("echo") is models.load("echo")


def test_an_unknown_name_is_refused_and_the_known_ones_are_named() -> None:
    with pytest.raises(models.UnknownModelError, match=r"no model 'os'; there are: echo, eta"):
        models.load("os")


def test_echo_answers_in_order() -> None:
    answers = models.load("echo").predict([{"x": 3}, {}, {"x": -1.5}])
    assert [a.output for a in answers] == [{"score": 3.0}, {"score": 0.0}, {"score": -1.5}]


@pytest.mark.parametrize("value", ["1", True, math.nan, math.inf, [1]])
def test_echo_refuses_what_is_no_finite_number(value: object) -> None:
    with pytest.raises(models.InputError, match="x is not a finite number") as caught:
        models.load("echo").predict([{"x": 1}, {"x": value}])
    assert caught.value.index == 1


def test_the_faulty_model_fails_as_told() -> None:
    model = FaultyModel()
    assert model.predict([{"x": 2}])[0].output == {"score": 2.0}
    assert math.isnan(model.predict([{"fault": "nan"}])[0].output["score"])
    assert len(model.predict([{}, {"fault": "short"}])) == 1
    with pytest.raises(models.InputError):
        model.predict([{"fault": "input"}])
    with pytest.raises(RuntimeError):
        model.predict([{"fault": "crash"}])
    model.release.set()
    assert len(model.predict([{"fault": "hang"}])) == 1
    assert model.batches == [1, 1, 2, 1, 1, 1]
