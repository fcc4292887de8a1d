"""Median and absolute error of a mixture of log-normal laws that share one sigma."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

if TYPE_CHECKING:
    from rowcast.models.eta_closed_form import Floats

_BISECTIONS = 60


def mixture_median(medians: Floats, weights: Floats, sigma: float) -> Floats:
    """The mixtures' medians; `medians` and `weights` are (components, n), the answer is (n,)."""
    logs = np.log(medians)
    low, high = logs.min(axis=0), logs.max(axis=0)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        below = (weights * ndtr((middle - logs) / sigma)).sum(axis=0) < 0.5
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray(np.exp((low + high) / 2))


def mixture_absolute_error(guess: Floats, medians: Floats, weights: Floats, sigma: float) -> Floats:
    """The expected |X - guess| for X of each mixture, shapes as in `mixture_median`."""
    apart = (np.log(guess) - np.log(medians)) / sigma
    mean = medians * np.exp(sigma**2 / 2)
    error = guess * (2 * ndtr(apart) - 1) + mean * (1 - 2 * ndtr(apart - sigma))
    return np.asarray((weights * error).sum(axis=0))
