"""Waiting for a condition, with a deadline."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_POLL = 0.005


def wait_until(condition: Callable[[], object], seconds: float, what: str) -> float:
    """Return once `condition` holds, with the seconds it took; else `TimeoutError` names it."""
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun > seconds:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        time.sleep(_POLL)
    return time.monotonic() - begun
