"""`rowcast bench queue` without a database: what is planned, what is shown, what is wrong."""

from __future__ import annotations

import io
import json
import os
from typing import TYPE_CHECKING, Any, cast

import psycopg
import pytest
from rich.console import Console

from rowcast.bench.queue import command, environment, plan, report
from rowcast.bench.queue.database import Wrong, check_scores, cpu_seconds
from rowcast.bench.queue.plan import Cell, Sample
from rowcast.bench.queue.plot import draw
from rowcast.bench.queue.systems import NONE, OURS, Bench, System, check_settled, known_systems
from rowcast.errors import RowcastError
from rowcast.stack import paths

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rowcast.bench.queue.database import Connection

BENCH = cast("Bench", None)  # the cells of these tests need none


class Answers:
    """A connection that answers each query with the next of the given rows."""

    def __init__(self, *rows: tuple[object, ...]) -> None:
        self._rows = list(rows)

    def execute(self, *_: object) -> Answers:
        return self

    def fetchone(self) -> tuple[object, ...]:
        return self._rows.pop(0) if len(self._rows) > 1 else self._rows[0]


def answers(*rows: tuple[object, ...]) -> Connection:
    return cast("Connection", Answers(*rows))


def sample(system: str, value: float, run: int = 0, case: str = "best batch") -> Sample:
    return Sample("drain", case, system, run, {"jobs/s": value})


def rendered(samples: list[Sample]) -> str:
    written = io.StringIO()
    console = Console(width=200, file=written)
    for table in report.tables(samples, known_systems(1000)):
        console.print(table)
    return written.getvalue()


# -- what is planned ---------------------------------------------------------------------------


def names(figure: str, case: str) -> set[str]:
    found = plan.cells([figure], known_systems(1000))
    return {cell.system.name for cell in found if cell.case == case}


def test_every_figure_has_cells_and_a_heading() -> None:
    for figure in plan.FIGURES:
        assert plan.cells([figure], known_systems(1000))
        assert report.HEADINGS[figure]


def test_ours_is_measured_in_every_figure() -> None:
    for figure in plan.FIGURES:
        assert any(cell.system.name == OURS for cell in plan.cells([figure], known_systems(1)))


def test_a_bulk_insert_is_compared_with_no_trigger_and_a_drain_is_not() -> None:
    assert NONE in names("bulk", "10,000 rows")
    assert NONE not in names("drain", "best batch")


def test_one_at_a_time_has_no_figure_at_batch_32() -> None:
    assert names("drain", "batch 32") == {OURS, "pgmq", "graphile-worker", "pg-boss"}


def test_a_second_form_of_a_peer_appears_only_where_it_matters() -> None:
    assert "pgmq-notify" in names("latency", "idle queue")
    assert "pgmq-notify" not in names("drain", "best batch")
    assert "graphile-grouped" in names("drain", "best batch")
    assert "graphile-grouped" not in names("insert", "8 clients")


def test_every_peer_has_its_worker_its_trigger_and_a_pinned_version() -> None:
    pinned = environment.versions()
    for system in known_systems(1).values():
        if system.file:
            worker = environment.PEERS / system.file
            assert worker.exists()
            assert worker.with_suffix(".sql").exists()
            assert pinned[system.package]


def test_what_is_pinned_is_what_is_locked() -> None:
    packages = json.loads((environment.PEERS / "package-lock.json").read_text())["packages"]
    lock = (environment.PEERS / "requirements.lock").read_text()
    for name, version in environment.versions().items():
        node = packages.get(f"node_modules/{name}")
        assert (node and node["version"] == version) or f"{name}=={version} " in lock


# -- running -----------------------------------------------------------------------------------


def cell(name: str, measure: Callable[[Bench, System], dict[str, float]], most: int = 99) -> Cell:
    return Cell("drain", "best batch", System(name, name), measure, most_runs=most)


def test_runs_are_interleaved() -> None:
    def measure(_: Bench, system: System) -> dict[str, float]:
        return {"jobs/s": float(ord(system.name))}

    chosen = [cell("a", measure), cell("b", measure), cell("c", measure, most=1)]
    found = list(plan.run(BENCH, chosen, 3, lambda *_: None))
    assert [s.system for s in found] == ["a", "b", "c", "a", "b", "a", "b"]
    assert plan.count(chosen, 3) == len(found)


@pytest.mark.parametrize(
    "fault", [Wrong("3 rows not scored right"), psycopg.OperationalError("gone"), OSError("away")]
)
def test_a_cell_that_fails_is_no_figure_and_does_not_stop_the_others(fault: Exception) -> None:
    def fail(_: Bench, __: System) -> dict[str, float]:
        raise fault

    found = list(plan.run(BENCH, [cell("a", fail), cell("b", lambda *_: {})], 1, lambda *_: None))
    assert (found[0].values, found[0].failure) == ({}, str(fault))
    assert found[1].failure == ""


def test_a_row_that_is_missing_or_wrong_spoils_the_cell() -> None:
    check_scores(answers((3,), (0,)), 3)
    with pytest.raises(Wrong, match="2 of 3 rows"):
        check_scores(answers((2,), (0,)), 3)
    with pytest.raises(Wrong, match="1 not scored right"):
        check_scores(answers((3,), (1,)), 3)


def test_a_job_left_behind_or_a_second_receipt_spoils_the_cell() -> None:
    ours = known_systems(1)[OURS]
    check_settled(ours, answers((0,), (5, 5)), 5)
    with pytest.raises(Wrong, match="stayed in the queue"):
        check_settled(ours, answers((1,)), 5, seconds=0)
    with pytest.raises(Wrong, match="receipts"):
        check_settled(ours, answers((0,), (6, 5)), 5)


def test_processor_time_of_this_process_grows() -> None:
    before = cpu_seconds([os.getpid()])
    while cpu_seconds([os.getpid()]) == before:
        pass


# -- what is shown -----------------------------------------------------------------------------


def test_medians_ranges_and_ratios_to_ours() -> None:
    values = [sample(OURS, v) for v in (90, 100, 130)] + [sample("pgmq", v) for v in (60, 40, 50)]
    ours, pgmq = report.summarise(values)
    assert (ours.median, ours.low, ours.high, ours.ratio) == (100, 90, 130, 1)
    assert (pgmq.median, pgmq.low, pgmq.high, pgmq.runs, pgmq.ratio) == (50, 40, 60, 3, 0.5)
    text = rendered(values)
    assert "100 (90.0\u2013130)" in text
    assert "50.0 (40.0\u201360.0) 0.50\u00d7" in text


def test_without_ours_there_is_no_ratio() -> None:
    assert [s.ratio for s in report.summarise([sample("pgmq", 1)])] == [None]


def test_one_failed_run_takes_the_figure_away() -> None:
    failed = Sample("drain", "best batch", "pgmq", 1, {}, failure="1 of 2 rows")
    values = [sample(OURS, 1), sample("pgmq", 5), failed]
    assert [s.system for s in report.summarise(values)] == [OURS]
    assert "failed" in rendered(values)
    assert report.remarks(values) == ["[red]failed[/red] drain, best batch, pgmq: 1 of 2 rows"]


def test_results_are_written_with_what_they_were_measured_on(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    report.write_json(file, [sample(OURS, 1)], {"cores": 2})
    content: dict[str, Any] = json.loads(file.read_text())
    assert content["cores"] == 2
    assert content["samples"][0]["values"] == {"jobs/s": 1}
    assert content["summary"][0]["median"] == 1


def test_the_plot_names_every_system(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    values = [sample(OURS, 3), sample(OURS, 4), sample("pgmq", 5), sample(OURS, 2, case="other")]
    text = draw(report.summarise(values), "two runs", tmp_path / "results.svg").read_text()
    assert "pgmq" in text
    assert "drain: other, jobs/s \u2191" in text


# -- choosing and installing -------------------------------------------------------------------


def test_an_unknown_figure_is_refused_with_what_is_known() -> None:
    with pytest.raises(RowcastError, match="no figure named drian") as caught:
        command._chosen("drian", ["drain", "bulk"], "figure")
    assert caught.value.hint == "known: drain, bulk"


def test_chosen_names_keep_their_order_and_empty_means_all() -> None:
    assert command._chosen("bulk, drain", ["drain", "bulk", "poll"], "figure") == ["drain", "bulk"]
    assert command._chosen("", ["drain", "bulk"], "figure") == ["drain", "bulk"]


def test_a_peer_that_cannot_be_installed_is_left_out_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_: Path) -> None:
        raise RowcastError("could not be installed: no network")

    monkeypatch.setattr(paths, "PRIVATE", tmp_path)
    monkeypatch.setattr(environment, "_build_python", refuse)
    found = environment.prepare({"python", ""}, lambda _: None)
    assert found.missing == {"python": "could not be installed: no network"}
    entered = known_systems(1)
    command._drop_missing(entered, found.missing)
    assert not {"pgmq", "procrastinate"} & set(entered)
    assert {OURS, "graphile-worker", NONE} <= set(entered)
    assert "without procrastinate: could not be installed: no network" in capsys.readouterr().err


def test_packages_are_installed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[Path] = []

    def build(tree: Path) -> None:
        tree.mkdir()
        built.append(tree)

    monkeypatch.setattr(paths, "PRIVATE", tmp_path)
    monkeypatch.setattr(environment, "_build_python", build)
    for _ in range(2):
        environment.prepare({"python"}, lambda _: None)
    assert len(built) == 1
