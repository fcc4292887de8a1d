"""The database's password is never in an argument list, which every local account may read."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from rowcast.cli import database
from rowcast.stack import bootstrap, install

if TYPE_CHECKING:
    from pathlib import Path

# Stands in for the CLI: says what it was given, and on which side.
ECHO = """
import json, os, sys
print(json.dumps({"arguments": sys.argv[1:], "password": os.environ.get("PGPASSWORD")}))
"""
PASSWORD = "p:w#%/"
URL = "postgresql://postgres:p:w%23%25%2F@127.0.0.1:5432/postgres"


@pytest.fixture(autouse=True)
def echo(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Supabase CLI's place is taken."""
    monkeypatch.delenv("PGPASSWORD", raising=False)
    monkeypatch.setattr(install, "supabase_command", lambda: [sys.executable, "-c", ECHO])


def given(output: str) -> tuple[list[str], str]:
    found: dict[str, Any] = json.loads(output)
    return found["arguments"], found["password"]


def test_push_and_types_hand_it_over_in_the_environment(tmp_path: Path) -> None:
    log = tmp_path / "log"
    bootstrap.push(URL, log)
    remote = "--remote=postgresql://postgres@127.0.0.1:5432/postgres?sslmode=disable"
    for output in (log.read_text(), database.generate_types(URL, "python")):
        arguments, password = given(output)
        assert password == PASSWORD
        assert arguments[-1] == remote


@pytest.mark.parametrize(
    ("url", "remote"),
    [
        ("postgres://me.ref:secret@h/d?sslmode=require", "postgres://me.ref@h/d?sslmode=require"),
        ("postgres://me:secret@[::1]:6/d", "postgres://me@[::1]:6/d?sslmode=disable"),
        (
            "postgres://me@h/d?password=secret&application_name=x",
            "postgres://me@h/d?application_name=x",
        ),
    ],
)
def test_the_rest_of_the_url_stays_as_it_is(url: str, remote: str) -> None:
    arguments, password = given(bootstrap.run_cli(["db", "push"], url).stdout)
    assert arguments == ["db", "push", f"--remote={remote}"]
    assert password == "secret"


def test_a_url_without_password_leaves_the_one_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGPASSWORD", "mine")
    assert given(bootstrap.run_cli([], "postgres://me@h/d").stdout)[1] == "mine"
