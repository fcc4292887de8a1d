"""Serving engines of others, each in an environment of its own: they need other packages."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from rowcast.stack import install, paths

if TYPE_CHECKING:
    from pathlib import Path


def python_with(lock: Path) -> Path:
    """A Python that has what `lock` pins; made once, and again when the lock changes."""
    name = lock.parent.name
    folder = paths.PRIVATE / "serving"
    folder.mkdir(parents=True, exist_ok=True)
    tree, stamp = folder / name, folder / f"{name}.stamp"
    wanted = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()
    with (folder / f"{name}.busy").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            print(f"installing {lock} into {tree} (once)", flush=True)
            stamp.unlink(missing_ok=True)
            shutil.rmtree(tree, ignore_errors=True)
            _build(tree, lock)
            stamp.write_text(wanted)
    return tree / "bin/python"


def _build(tree: Path, lock: Path) -> None:
    uv = install.uv_binary()
    python = str(tree / "bin/python")
    make = [uv, "venv", "--quiet", "--python", sys.executable, str(tree)]
    fill = [uv, "pip", "install", "--quiet", "--only-binary", ":all:", "--require-hashes"]
    for command in (make, [*fill, "--python", python, "-r", str(lock)]):
        subprocess.run(command, check=True, timeout=600)
