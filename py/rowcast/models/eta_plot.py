"""The picture of `rowcast train eta --plot`: is the model right, and does its interval hold?"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from rowcast.models.eta_features import closed_form, local_hour_of_week

if TYPE_CHECKING:
    from pathlib import Path

    from rowcast.models.eta_closed_form import Floats
    from rowcast.models.eta_train import HeldOut, Result

_BLUE, _ORANGE, _GREY = "#1f5fa8", "#d9730d", "#8a8a8a"
_TARGET = (78, 83)


def draw(result: Result, timezone: str, path: Path) -> Path:
    """Write the picture as SVG; equal results give an equal file. Needs matplotlib (group dev)."""
    mpl: Any = import_module("matplotlib")
    mpl.use("Agg")
    plt: Any = import_module("matplotlib.pyplot")
    style = {"svg.hashsalt": "rowcast", "font.size": 9, "axes.spines.top": False,
             "axes.spines.right": False, "svg.fonttype": "none"}  # fmt: skip
    with mpl.rc_context(style):
        figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
        _answers(left, result.held_out["held_out_weeks"])
        _coverage(right, result.held_out, timezone)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None, "Creator": None})
        plt.close(figure)
    return path


def _answers(axes: Any, part: HeldOut) -> None:
    """Trips in twenty bins by the model's answer: what they really took, and what was said."""
    said = part.interval.median / 60
    edges = np.quantile(said, np.linspace(0, 1, 21))
    bins = np.clip(np.digitize(said, edges) - 1, 0, 19)
    took, base = part.trips.seconds / 60, closed_form(part.trips.requests) / 60

    def binned(values: Floats, q: float = 0.5) -> list[float]:
        return [float(np.quantile(values[bins == b], q)) for b in range(20)]

    x = binned(said)
    axes.plot(x, x, color=_GREY, lw=1, ls=":", label="perfect")
    axes.fill_between(x, binned(took, 0.1), binned(took, 0.9), color=_BLUE, alpha=0.15, lw=0,
                      label="80 % of the trips")  # fmt: skip
    axes.plot(x, binned(took), "o", ms=4, color=_BLUE, label="median trip")
    ends = (part.interval.low / 60, part.interval.high / 60)
    for end, label in zip(ends, ("model's interval", None), strict=True):
        axes.plot(x, binned(end), color=_BLUE, lw=1, ls="--", label=label)
    axes.plot(x, binned(base), "x", ms=4, color=_ORANGE, label="closed form's answer")
    axes.set(xlabel="model's answer, minutes", ylabel="minutes", title="Held-out weeks")
    axes.legend(frameon=False, fontsize=8)


def _coverage(axes: Any, held_out: Any, timezone: str) -> None:
    """The share of trips inside the interval, by local hour; it should be 80 % everywhere."""
    axes.axhspan(*_TARGET, color=_GREY, alpha=0.15, lw=0, label="target, 78 to 83 %")
    axes.axhline(80, color=_GREY, lw=1, ls=":")
    names = {
        "held_out_weeks": ("held-out weeks", _BLUE),
        "held_out_zones": ("held-out zones", _ORANGE),
    }
    for name, (label, colour) in names.items():
        if name not in held_out:
            continue
        part = held_out[name]
        took = part.trips.seconds
        inside = (took >= part.interval.low) & (took <= part.interval.high)
        hour = local_hour_of_week(part.trips.requests.requested_at, timezone) % 24 // 2
        hours = np.unique(hour)
        shares = [100 * float(inside[hour == h].mean()) for h in hours]
        total = part.scores.coverage_percent
        axes.plot(2 * hours + 1, shares, "o-", ms=4, lw=1, color=colour,
                  label=f"{label}, {total:.1f} % in all")  # fmt: skip
    axes.set(xlabel="local hour of the request", ylabel="trips inside the interval, %",
             ylim=(60, 100), xticks=range(0, 25, 4))  # fmt: skip
    axes.set_title("Coverage of the 80 % interval")
    axes.legend(frameon=False, fontsize=8)
