"""The picture of `rowcast train signin --plot`: which attacks are found, and at what price."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from rowcast.models.signin_score import FALSE_ALARMS, curve, threshold

if TYPE_CHECKING:
    from pathlib import Path

    from rowcast.models.signin_train import Judged, Result

_COLOURS = {"rule": "#8a8a8a", "isolation forest": "#d9730d", "scorecard": "#1f5fa8",
            "boosting": "#3a8f4d"}  # fmt: skip


def draw(result: Result, kinds: tuple[str, ...], path: Path) -> Path:
    """Write the picture as SVG; equal results give an equal file. Needs matplotlib (group dev)."""
    mpl: Any = import_module("matplotlib")
    mpl.use("Agg")
    plt: Any = import_module("matplotlib.pyplot")
    style = {"svg.hashsalt": "rowcast", "font.size": 9, "axes.spines.top": False,
             "axes.spines.right": False, "svg.fonttype": "none"}  # fmt: skip
    with mpl.rc_context(style):
        figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
        judged = next(iter(result.judged.values()))
        _curves(left, judged)
        _kinds(right, judged, kinds)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None, "Creator": None})
        plt.close(figure)
    return path


def _curves(axes: Any, judged: Judged) -> None:
    for name, values in judged.values.items():
        alarms, found = curve(values, judged.sign_ins.attack)
        axes.plot(100 * alarms, 100 * found, color=_COLOURS[name], lw=1.5, label=name)
    axes.axvline(100 * FALSE_ALARMS, color="#8a8a8a", lw=1, ls=":")
    axes.set(xlim=(0, 5), ylim=(0, 100), xlabel="ordinary sign-ins that raise an alarm, %",
             ylabel="attacks found, %", title="Held-out people, later weeks")  # fmt: skip
    axes.legend(frameon=False, fontsize=8, loc="lower right")


def _kinds(axes: Any, judged: Judged, kinds: tuple[str, ...]) -> None:
    attack, kind = judged.sign_ins.attack, judged.sign_ins.kind
    places, width = np.arange(len(kinds) - 1), 0.8 / len(judged.values)
    for row, (name, values) in enumerate(judged.values.items()):
        alarm = values >= threshold(values, attack)
        found = [100 * float(alarm[kind == k].mean()) if (kind == k).any() else 0.0
                 for k in range(1, len(kinds))]  # fmt: skip
        axes.bar(places + row * width, found, width, color=_COLOURS[name], label=name)
    labels = [f"{name}\n({int((kind == k).sum())})" for k, name in enumerate(kinds) if k]
    axes.set_xticks(places + 0.4 - width / 2, [label.replace(" ", "\n", 1) for label in labels])
    axes.set(ylim=(0, 100), ylabel="found at 1 % false alarms, %", title="By kind of attack")
