"""`test`, `lint`, `lock`: commands for whoever changes Rowcast."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import typer

from rowcast.cli import migration
from rowcast.cli.console import note, steps
from rowcast.errors import RowcastError

if TYPE_CHECKING:
    from pathlib import Path

_FORWARD = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

_LOCK_HEADER = "# Made by `./rowcast lock`; do not edit.\n"


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command(context_settings=_FORWARD)(test)
    app.command()(lint)
    app.command()(lock)


def test(context: typer.Context) -> None:
    """Run every check, then pytest; with arguments, only pytest with these arguments."""
    from rowcast.stack import install

    with steps("test") as report:
        install.ensure(report)
    if not context.args:
        lint()
        migration.check()
    environment = {**os.environ, **install.openmp_environment()}
    sys.stdout.flush()
    sys.stderr.flush()
    command = [sys.executable, "-m", "pytest", *context.args]
    os.chdir(_checkout())
    os.execve(command[0], command, environment)


def lint() -> None:
    """Check style and types: ruff, mypy, and sqlfluff where it is configured."""
    root = _checkout()
    commands = [
        ["ruff", "check", "--quiet", "."],
        ["ruff", "format", "--check", "--quiet", "."],
        ["mypy", "--no-error-summary"],
    ]
    if _sqlfluff_is_configured(root):
        commands.append(["sqlfluff", "lint", "--disable-progress-bar", "sql", "supabase"])
    for tool, *arguments in commands:
        note(" ".join([tool, *arguments]))
        done = subprocess.run([sys.executable, "-m", tool, *arguments], cwd=root, check=False)
        if done.returncode != 0:
            raise RowcastError(f"{tool} has findings (above)", f"{tool} {' '.join(arguments)}")


def lock() -> None:
    """Write every lock anew from the pins: Python packages, wheels, serving engines, npm."""
    from rowcast.stack import install

    root = _checkout()
    universal = ["pyproject.toml", "--universal", "--python-version", "3.11"]
    _compile(root / "requirements-service.lock", universal)
    _compile(root / "requirements.lock", [*universal, "--group", "stack", "--group", "dev"])
    uv = _pins(root / "requirements-uv.lock")
    _compile(root / "requirements-uv.lock", ["-", "--no-deps", "--universal"], uv)
    for file in sorted(install.WHEELS.glob("*.lock")):
        wanted = ["-", "--no-deps", "--python-version", install.WHEEL_PYTHON]
        _compile(file, [*wanted, "--python-platform", "x86_64-unknown-linux-gnu"], _pins(file))
    for folder in ("examples", "tests/remote/engines"):
        for pins in sorted((root / folder).glob("*/requirements.in")):
            wanted = [str(pins), "--universal", "--python-version", "3.11"]
            _compile(pins.with_name("requirements.lock"), wanted)
    npm = [str(install.node_binary()), str(install.npm_script()), "install", "--package-lock-only"]
    subprocess.run(npm, cwd=root, check=True)


def _compile(target: Path, arguments: list[str], requirements: str = "") -> None:
    """Resolve with hashes; the lock names no index, so any mirror serves it."""
    from rowcast.stack import install

    note(f"locking {target.name}")
    command = [install.uv_binary(), "pip", "compile", *arguments, "--quiet", "--generate-hashes"]
    command += ["--no-emit-index-url", "--no-annotate", "--no-header"]
    done = subprocess.run(
        command, cwd=_checkout(), input=requirements, text=True, capture_output=True, check=False
    )
    if done.returncode != 0:
        raise RowcastError(f"{target.name} could not be resolved:\n{done.stderr.strip()}")
    target.write_text(_LOCK_HEADER + done.stdout)


def _pins(lock: Path) -> str:
    """The `name==version` lines of a lock: edit them there, then lock again."""
    lines = lock.read_text().splitlines()
    return "\n".join(line.split(" ", 1)[0] for line in lines if line[:1].isalnum()) + "\n"


def _sqlfluff_is_configured(root: Path) -> bool:
    if (root / ".sqlfluff").exists():
        return True
    return "sqlfluff" in tomllib.loads((root / "pyproject.toml").read_text()).get("tool", {})


def _checkout() -> Path:
    from rowcast.stack.paths import CHECKOUT

    return CHECKOUT
