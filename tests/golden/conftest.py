"""`./rowcast test --refresh-golden tests/golden` writes the golden files anew."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
HINT = "If this is what you mean: ./rowcast test --refresh-golden tests/golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the flag."""
    parser.addoption(
        "--refresh-golden", action="store_true", default=False, help="write golden files anew"
    )


@pytest.fixture(scope="session")
def refresh_golden(pytestconfig: pytest.Config) -> bool:
    """Whether the golden files are to be written instead of compared."""
    return bool(pytestconfig.getoption("--refresh-golden", default=False))


@pytest.fixture
def compare(refresh_golden: bool) -> Callable[[str, str], None]:
    """Compares a text with a golden file; fails with a diff."""

    def compare_with(name: str, found: str) -> None:
        file = HERE / name
        if refresh_golden:
            file.write_text(found)
            return
        wanted = file.read_text() if file.exists() else ""
        lines = difflib.unified_diff(
            wanted.splitlines(), found.splitlines(), f"tests/golden/{name}", "database", lineterm=""
        )
        diff = "\n".join(lines)
        if diff:
            pytest.fail(f"{diff}\n\n{HINT}", pytrace=False)

    return compare_with
