"""`rowcast train eta` as a user types it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from rowcast.cli.train import app
from rowcast.errors import RowcastError
from rowcast.models.eta import EtaModel

if TYPE_CHECKING:
    from pathlib import Path


def test_it_prints_the_table_and_writes_an_artefact_that_serves(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app, ["eta", "--trips", "3000", "--seed", "3", "--out", str(tmp_path)]
    )
    assert done.exit_code == 0, done.output
    assert EtaModel(tmp_path).version in done.output
    for line in ("closed form", "linear rival", "model", "irreducible", "80 % interval covers"):
        assert line in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source", "database"], "no database given"),
        (["--source", "database", "--db-url", "host=127.0.0.1 port=1"], "cannot be read"),
        (["--timezone", "Moon/Crater"], "no time zone 'Moon/Crater'"),
        (["--timezone", "../etc"], "no time zone"),
    ],
)
def test_what_cannot_work_is_one_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(app, ["eta", *arguments, "--out", str(tmp_path)])
    assert isinstance(done.exception, RowcastError)
    assert message in done.exception.message
    assert done.exception.hint
    assert not list(tmp_path.iterdir())
