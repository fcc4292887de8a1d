"""The peers' packages, pinned and hash-checked, in a folder of their own that later runs reuse."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rowcast.errors import RowcastError
from rowcast.stack import install, paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Report = Callable[[str], None]

PEERS = Path(__file__).with_name("peers")
_TIME_LIMIT = 300
_LOCKS = {"python": ("requirements.lock",), "node": ("package.json", "package-lock.json")}


@dataclass(frozen=True, slots=True)
class Environment:
    """Where the peers live; `missing` says which language could not be had, and why."""

    folder: Path
    missing: dict[str, str]

    def command(self, file: str, verb: str) -> list[str]:
        """Run a file of `peers/` in its own language."""
        if file.endswith(".mjs"):
            return [str(install.node_binary()), str(self.folder / "node" / file), verb]
        return [str(self.folder / "python/bin/python"), str(PEERS / file), verb]


def prepare(languages: set[str], report: Report) -> Environment:
    """Install what these languages miss; a failure is one line in `missing`, not the end."""
    folder = paths.PRIVATE / "bench-queue"
    folder.mkdir(parents=True, exist_ok=True)
    missing: dict[str, str] = {}
    with _exclusive(folder / "install.lock"):
        for language, build in (("python", _build_python), ("node", _build_node)):
            if language in languages:
                try:
                    _ensure(folder, language, build, report)
                except RowcastError as error:
                    missing[language] = error.message
    if "node" in languages and "node" not in missing:
        for file in PEERS.glob("*.mjs"):  # Node looks for packages beside the file that imports
            shutil.copy2(file, folder / "node")
    return Environment(folder, missing)


def versions() -> dict[str, str]:
    """The peers' versions as pinned, by package."""
    found: dict[str, str] = dict(json.loads((PEERS / "package.json").read_text())["dependencies"])
    for line in (PEERS / "requirements.in").read_text().splitlines():
        name, _, version = line.partition("==")
        found[name.partition("[")[0]] = version
    return found


def _ensure(folder: Path, name: str, build: Callable[[Path], None], report: Report) -> None:
    tree, stamp = folder / name, folder / f"{name}.stamp"
    content = b"".join((PEERS / lock).read_bytes() for lock in _LOCKS[name])
    wanted = hashlib.sha256(content + sys.version.encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted and tree.exists():
        return
    report(f"installing the peers' packages for {name}")
    shutil.rmtree(tree, ignore_errors=True)
    stamp.unlink(missing_ok=True)
    tree.with_suffix(".log").unlink(missing_ok=True)
    build(tree)
    stamp.write_text(wanted)


def _build_python(tree: Path) -> None:
    uv = install.uv_binary()
    _run([uv, "venv", "--quiet", "--python", sys.executable, str(tree)], tree)
    command = [uv, "pip", "install", "--quiet", "--only-binary", ":all:", "--require-hashes"]
    lock = str(PEERS / "requirements.lock")
    _run([*command, "--python", str(tree / "bin/python"), "-r", lock], tree)


def _build_node(tree: Path) -> None:
    tree.mkdir()
    for file in (PEERS / "package.json", PEERS / "package-lock.json", paths.CHECKOUT / ".npmrc"):
        shutil.copy2(file, tree)
    npm = [str(install.node_binary()), str(install.npm_script())]
    _run([*npm, "ci", "--loglevel=error"], tree, cwd=tree)


def _run(command: list[str], tree: Path, cwd: Path | None = None) -> None:
    log = tree.with_suffix(".log")
    try:
        with log.open("ab") as output:
            subprocess.run(
                command, cwd=cwd, stdout=output, stderr=output, check=True, timeout=_TIME_LIMIT
            )
    except (OSError, subprocess.SubprocessError):
        last = (log.read_text(errors="replace").strip().splitlines() or ["no output"])[-1]
        raise RowcastError(f"could not be installed: {last}", f"details: {log}") from None


@contextmanager
def _exclusive(file: Path) -> Iterator[None]:
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
