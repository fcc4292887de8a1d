"""Medians, ranges and ratios to ours; as tables and as JSON."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from rowcast.bench.queue.systems import OURS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from rowcast.bench.queue.plan import Sample
    from rowcast.bench.queue.systems import System

_TIMES, _DASH = "\u00d7", "\u2013"

MORE_IS_BETTER = {"jobs/s", "tps", "first jobs/s", "last jobs/s", "kept %"}
HEADINGS = {
    "drain": "drain: 20,000 preloaded jobs",
    "latency": "latency: from commit to visible score",
    "insert": "insert: single rows",
    "bulk": "bulk: one INSERT",
    "unrelated": "unrelated: update of a column that nothing depends on",
    "backlog": "backlog: many jobs, many rows",
    "held-snapshot": "held-snapshot: first 10,000 jobs, and after 80,000",
    "poll": "poll: without LISTEN",
}


@dataclass(frozen=True, slots=True)
class Summary:
    """One metric of one system in one case; `ratio` is to ours, None where there is no ours."""

    figure: str
    case: str
    metric: str
    system: str
    median: float
    low: float
    high: float
    runs: int
    ratio: float | None


def summarise(samples: Iterable[Sample]) -> list[Summary]:
    """A system with any failed run in a case has no figure there."""
    values: dict[tuple[str, str, str, str], list[float]] = defaultdict(list)
    failed = set()
    for sample in samples:
        if sample.failure:
            failed.add((sample.figure, sample.case, sample.system))
        for metric, value in sample.values.items():
            values[sample.figure, sample.case, metric, sample.system].append(value)
    kept = {key: found for key, found in values.items() if (key[0], key[1], key[3]) not in failed}
    return [_summary(key, found, kept) for key, found in kept.items()]


def _summary(
    key: tuple[str, str, str, str], found: list[float],
    every: dict[tuple[str, str, str, str], list[float]],
) -> Summary:  # fmt: skip
    figure, case, metric, system = key
    ours = every.get((figure, case, metric, OURS))
    ratio = median(found) / median(ours) if ours and median(ours) else None
    return Summary(
        figure, case, metric, system, median(found), min(found), max(found), len(found), ratio
    )


def tables(samples: Sequence[Sample], systems: dict[str, System]) -> list[Table]:
    """One table a figure: a row for each system, a column for each case and metric."""
    summary = summarise(samples)
    found = {(s.figure, s.case, s.metric, s.system): s for s in summary}
    made = []
    for figure in dict.fromkeys(sample.figure for sample in samples):
        columns = list(dict.fromkeys((s.case, s.metric) for s in summary if s.figure == figure))
        if not columns:
            continue
        table = Table(title=HEADINGS[figure], title_justify="left")
        table.add_column(f"median (range) {_TIMES} ours")
        for case, metric in columns:
            table.add_column(f"{case}\n{metric}", justify="right")
        for name in _present(samples, figure, systems):
            cells = [
                _cell(found.get((figure, *column, name)), name, column[0], samples)
                for column in columns
            ]
            table.add_row(name, *cells)
        made.append(table)
    return made


def _present(samples: Sequence[Sample], figure: str, systems: dict[str, System]) -> list[str]:
    seen = {sample.system for sample in samples if sample.figure == figure and sample.values}
    return [name for name in systems if name in seen]


def _cell(summary: Summary | None, system: str, case: str, samples: Sequence[Sample]) -> str:
    if summary is None:
        bad = any(s.failure and s.system == system and s.case == case for s in samples)
        return "[red]failed[/red]" if bad else _DASH
    text = number(summary.median)
    if summary.runs > 1:
        text += f" [dim]({number(summary.low)}{_DASH}{number(summary.high)})[/dim]"
    if summary.ratio is not None and system != OURS:
        text += f" {summary.ratio:.2f}{_TIMES}"
    return f"[bold]{text}[/bold]" if system == OURS else text


def number(value: float) -> str:
    """Three digits or so, thousands separated."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def remarks(samples: Iterable[Sample]) -> list[str]:
    """A line for each cell that failed."""
    lines: dict[str, None] = {}
    for sample in samples:
        where = f"{sample.figure}, {sample.case}, {sample.system}"
        if sample.failure:
            lines[f"[red]failed[/red] {where}: {escape(sample.failure)}"] = None
    return list(lines)


def write_json(file: Path, samples: Sequence[Sample], about: dict[str, Any]) -> None:
    """Everything measured, and what it was measured on."""
    content = {
        **about,
        "summary": [asdict(summary) for summary in summarise(samples)],
        "samples": [asdict(sample) for sample in samples],
    }
    file.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
