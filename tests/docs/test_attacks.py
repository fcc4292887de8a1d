"""docs/explanation/attacks.md names every test in tests/attacks, and nothing else."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs/explanation/attacks.md"
BEGINS = "<!-- made by `./rowcast test --refresh-golden tests/golden tests/docs` -->\n"


def table() -> str:
    """A section for each family, a line for each attack."""
    lines = []
    for file in sorted((ROOT / "tests/attacks").glob("test_*.py")):
        module = ast.parse(file.read_text())
        family = (ast.get_docstring(module) or "").splitlines()[0].rstrip(".")
        lines += [f"\n## {family}\n", f"In `tests/attacks/{file.name}`.\n"]
        lines += ["| attack | what it is |", "| --- | --- |"]
        for item in module.body:
            if (
                isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
                and item.name[:5] == "test_"
            ):
                why = " ".join((ast.get_docstring(item) or "").split())
                lines.append(f"| `{item.name.removeprefix('test_')}` | {why} |")
        lines.append("")
    return "\n".join(lines)


def test_the_document_names_every_attack(pytestconfig: pytest.Config) -> None:
    before, _, written = DOCUMENT.read_text().partition(BEGINS)
    if pytestconfig.getoption("--refresh-golden", default=False):
        DOCUMENT.write_text(before + BEGINS + table())
        return
    assert written == table(), "./rowcast test --refresh-golden tests/golden tests/docs"


def test_the_security_model_leads_there() -> None:
    assert "(attacks.md)" in (ROOT / "docs/explanation/security.md").read_text()
