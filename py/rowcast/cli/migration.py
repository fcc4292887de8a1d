"""`migration new|check|freeze`: sql/ is the readable present, migrations ship it.

A migration embeds each shipped file between `-- file: <path>` and `-- end file`; a file that is
gone for good is named by `-- removed file: <path>`. So whether the migrations yield exactly the
files is a comparison of text, which needs no database.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Annotated

import typer

from rowcast.cli.console import note
from rowcast.errors import RowcastError

app = typer.Typer(help="Write, check and freeze migrations.", no_args_is_help=True)

_START = "-- file: "
_END = "-- end file"
_REMOVED = "-- removed file: "

_SHIPS_FILES = """\
-- Purpose: {title}.
-- Locks and risks: catalogue only, instant.
-- Undo: ship the previous text of the files below.
"""
_SHIPS_NONE = """\
-- Purpose: {title}.
-- Locks and risks: (say what is locked, and for how long)
-- Undo: (say how)
"""


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Topic in snake_case, e.g. quote_eta_rounding.")],
) -> None:
    """Create a migration that ships the files of sql/ that changed since they were last shipped."""
    from rowcast.stack.bootstrap import run_cli
    from rowcast.stack.paths import CHECKOUT

    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise RowcastError(
            f"{name} is not a topic in snake_case", "for example: quote_eta_rounding"
        )
    before = set(_migrations(CHECKOUT))
    done = run_cli(["migration", "new", name])
    made = set(_migrations(CHECKOUT)) - before
    if done.returncode != 0 or len(made) != 1:
        raise RowcastError(f"supabase migration new failed: {done.stderr.strip()}")
    file = made.pop()
    changed = changed_files(CHECKOUT)
    file.write_text(header(name, changed) + embed(CHECKOUT, changed))
    note(f"wrote {file.relative_to(CHECKOUT)}")
    for path in changed:
        note(f"  ships {path}")


@app.command()
def check() -> None:
    """Fail unless the migrations yield exactly sql/, and none was edited once frozen."""
    from rowcast.stack.paths import CHECKOUT

    found = findings(CHECKOUT)
    if found:
        raise RowcastError(
            "migrations are not in order:\n  " + "\n  ".join(found),
            "./rowcast migration new TOPIC ships changed files; ./rowcast migration freeze "
            "records finished migrations",
        )
    note("migrations yield exactly sql/, and none was edited since it was frozen")


@app.command()
def freeze(
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Also accept edited migrations (before a release).")
    ] = False,
) -> None:
    """Record the checksums of finished migrations in supabase/migrations/CHECKSUMS."""
    from rowcast.stack.paths import CHECKOUT

    edited = _edited(CHECKOUT)
    if edited and not rebuild:
        raise RowcastError(
            "frozen migrations were edited:\n  " + "\n  ".join(edited),
            "undo the edit and write a new migration; before the first release: freeze --rebuild",
        )
    lines = [f"{checksum(file)}  {file.name}\n" for file in _migrations(CHECKOUT)]
    _checksum_file(CHECKOUT).write_text("".join(lines))
    note(f"froze {len(lines)} migrations")


def findings(root: Path) -> list[str]:
    """Everything `migration check` complains about, one sentence each."""
    shipped = shipped_files(root)
    present = source_files(root)
    changed = [f"{path} was never shipped or differs" for path in changed_files(root)]
    missing = [f"{path} is shipped but gone" for path in sorted(shipped.keys() - present.keys())]
    frozen = _frozen(root)
    loose = [f"{f.name} is not frozen" for f in _migrations(root) if f.name not in frozen]
    return changed + missing + _edited(root) + loose


def changed_files(root: Path) -> list[str]:
    """Paths of sql/ whose text is not the text that was shipped last."""
    shipped = shipped_files(root)
    return [path for path, text in source_files(root).items() if shipped.get(path) != text]


def source_files(root: Path) -> dict[str, str]:
    """Path → text of every function and policy file; functions first, since policies call them."""
    files = [
        *sorted((root / "sql/functions").rglob("*.sql")),
        *sorted((root / "sql/policies").glob("*.sql")),
    ]
    return {file.relative_to(root).as_posix(): _normal(file.read_text()) for file in files}


def shipped_files(root: Path) -> dict[str, str]:
    """Path → the text that the migrations shipped last."""
    found: dict[str, str] = {}
    for migration in _migrations(root):
        path, body = None, list[str]()
        for line in migration.read_text().splitlines():
            if line.startswith(_REMOVED):
                found.pop(line.removeprefix(_REMOVED).strip(), None)
            elif line.startswith(_START):
                path, body = line.removeprefix(_START).strip(), []
            elif line.strip() == _END and path:
                found[path] = _normal("\n".join(body))
                path = None
            elif path:
                body.append(line)
        if path:
            raise RowcastError(f"{migration.name}: `{_START}{path}` has no `{_END}`")
    return found


def header(name: str, changed: list[str]) -> str:
    """What a new migration says of itself; only of shipped files is it known what they do."""
    return (_SHIPS_FILES if changed else _SHIPS_NONE).format(title=name.replace("_", " "))


def embed(root: Path, paths: list[str]) -> str:
    """The text that ships these files in a migration."""
    texts = source_files(root)
    return "".join(f"\n{_START}{path}\n{texts[path]}{_END}\n" for path in paths)


def _normal(text: str) -> str:
    return text.strip("\n") + "\n"


def _migrations(root: Path) -> list[Path]:
    return sorted((root / "supabase/migrations").glob("[0-9]*_*.sql"))


def _checksum_file(root: Path) -> Path:
    return root / "supabase/migrations/CHECKSUMS"


def checksum(file: Path) -> str:
    """What CHECKSUMS records of a migration."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _frozen(root: Path) -> dict[str, str]:
    file = _checksum_file(root)
    if not file.exists():
        return {}
    pairs = (line.split() for line in file.read_text().splitlines() if line.strip())
    return {name: recorded for recorded, name in pairs}


def _edited(root: Path) -> list[str]:
    files = {file.name: file for file in _migrations(root)}
    found = []
    for name, recorded in _frozen(root).items():
        if name not in files:
            found.append(f"{name} is frozen but gone")
        elif checksum(files[name]) != recorded:
            found.append(f"{name} was edited after it was frozen")
    return found
