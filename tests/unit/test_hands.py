"""How many batches a worker takes at once."""

from __future__ import annotations

from rowcast.service.worker import AHEAD_SECONDS, MOST_BATCHES, Hands


def test_a_model_that_is_not_known_yet_gets_one_batch() -> None:
    assert Hands(2).batches == 1


def test_a_quick_model_gets_what_fits_into_the_time_ahead() -> None:
    hands = Hands(1)
    hands.note(AHEAD_SECONDS / 5)
    assert hands.batches == 5


def test_a_slow_model_gets_one_batch_so_that_nothing_waits_behind_it() -> None:
    hands = Hands(1)
    hands.note(5)
    assert hands.batches == 1


def test_a_model_that_becomes_slow_is_noticed() -> None:
    hands = Hands(1)
    for seconds in (0.001, 0.001, 1):
        hands.note(seconds)
    assert hands.batches == 1


def test_there_is_an_end_to_it() -> None:
    hands = Hands(1)
    hands.note(0)
    assert hands.batches == MOST_BATCHES


def test_without_a_free_hand_nothing_is_claimed() -> None:
    assert Hands(0).batches == 0
