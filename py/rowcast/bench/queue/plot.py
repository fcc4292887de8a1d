"""The picture of `results.json`: a panel for each case, a bar for each system."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rowcast.bench.queue.report import MORE_IS_BETTER, number
from rowcast.bench.queue.systems import OURS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rowcast.bench.queue.report import Summary

_OURS, _OTHER, _INK = "#1f5fa8", "#b9c2cc", "#333333"
_LEFT_OUT = {"p95 ms", "backends, % of a core"}
_COLUMNS = 3
_UP, _DOWN = "\u2191", "\u2193"


def draw(summaries: Sequence[Summary], note: str, path: Path) -> Path:
    """Write the picture (SVG or PNG, by the suffix); needs matplotlib (group dev)."""
    mpl: Any = import_module("matplotlib")
    mpl.use("Agg")
    plt: Any = import_module("matplotlib.pyplot")
    panels = _panels(summaries)
    lines = [panels[start : start + _COLUMNS] for start in range(0, len(panels), _COLUMNS)]
    slots = [max(3, *(len(bars) for _, bars in line)) for line in lines]
    heights = [slot + 2.2 for slot in slots]  # title and axis take the room of two bars
    style = {"svg.hashsalt": "rowcast", "font.size": 8, "svg.fonttype": "none",
             "axes.spines.top": False, "axes.spines.right": False}  # fmt: skip
    with mpl.rc_context(style):
        figure, axes = plt.subplots(
            len(lines), _COLUMNS, figsize=(12, 0.4 + 0.26 * sum(heights)), layout="constrained",
            squeeze=False, height_ratios=heights,
        )  # fmt: skip
        for line, row, slot in zip(lines, axes, slots, strict=True):
            for place, (title, bars) in zip(row, line, strict=False):
                _panel(place, title, bars, slot)
            for place in row[len(line) :]:
                place.axis("off")
        figure.suptitle(
            f"{note}. {_UP} more is better, {_DOWN} less is better.",
            fontsize=9,
            x=0.01,
            ha="left",
            color=_INK,
        )
        figure.savefig(path, dpi=150)
        plt.close(figure)
    return path


def _panels(summaries: Sequence[Summary]) -> list[tuple[str, list[Summary]]]:
    panels: dict[str, list[Summary]] = {}
    for summary in summaries:
        if summary.metric not in _LEFT_OUT:
            arrow = _UP if summary.metric in MORE_IS_BETTER else _DOWN
            title = f"{summary.figure}: {summary.case}, {summary.metric} {arrow}"
            panels.setdefault(title, []).append(summary)
    return list(panels.items())


def _panel(axes: Any, title: str, bars: list[Summary], slots: int) -> None:
    """Bars from zero, so that their lengths compare; the figure itself stands beside each."""
    longest = max(bar.high for bar in bars)
    for place, bar in enumerate(bars):
        colour = _OURS if bar.system == OURS else _OTHER
        axes.barh(place, bar.median, color=colour, height=0.65)
        if bar.runs > 1:
            axes.plot([bar.low, bar.high], [place, place], color=_INK, lw=1.2, marker="|", ms=4)
        axes.text(bar.high + 0.02 * longest, place, number(bar.median), va="center", color=_INK)
    axes.set_yticks(range(len(bars)), [bar.system for bar in bars])
    axes.set(xlim=(0, 1.22 * longest), ylim=(slots - 0.4, -0.6))
    axes.set_title(title, fontsize=8.5, loc="left")
    axes.xaxis.set_major_locator(import_module("matplotlib.ticker").MaxNLocator(4))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.6g}")
    axes.tick_params(axis="y", length=0)
