"""docs/reference/api.md has a section for every function of the API, and its refusals in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
API = (ROOT / "docs/reference/api.md").read_text()
SOURCES = {
    f"{file.parent.name}.{file.stem}": re.sub(r"--.*", "", file.read_text())
    for file in ROOT.glob("sql/functions/*/*.sql")
}
FUNCTIONS = sorted(name.removeprefix("public.") for name in SOURCES if name[:7] == "public.")
# Given by our own functions what they take, so what they refuse never reaches a caller.
INNER = {"private.note_event", "private.notify", "private.find_traces"}
# Said once, at the top.
EVERYWHERE = {"NOT_SIGNED_IN", "MFA_REQUIRED"}


def sections() -> dict[str, str]:
    """The text about each function; several share a heading."""
    parts = re.split(r"^#+ (.*)$", API, flags=re.MULTILINE)
    found: dict[str, str] = {}
    for heading, text in zip(parts[1::2], parts[2::2], strict=True):
        for name in re.sub(r"\*\(.*?\)\*", "", heading).split(","):
            found.setdefault(name.strip(), text)
    return found


def refusals(name: str, seen: set[str]) -> set[str]:
    """The tokens that a function may raise, by itself and by what it calls."""
    if name in seen or name in INNER or name not in SOURCES:
        return set()
    seen.add(name)
    text = SOURCES[name]
    found = set(re.findall(r"detail = '([A-Z_]+)'", text))
    for called in re.findall(r"\b(?:private|public)\.\w+(?=\()", text):
        found |= refusals(called, seen)
    return found - EVERYWHERE


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_has_its_section_with_its_refusals(function: str) -> None:
    text = sections()[function]
    if "those of update_me" in text:
        text += sections()["update_me"]
    missing = {t for t in refusals(f"public.{function}", set()) if f"`{t}`" not in text}
    assert missing == set()


def test_every_topic_and_function_stands_in_the_table_of_contents() -> None:
    contents = API.partition("\n## ")[0]
    topics = re.findall(r"^## (.*)$", API, re.MULTILINE)
    assert [topic for topic in topics if f"[{topic}](#" not in contents] == []
    assert [name for name in FUNCTIONS if f"`{name}`" not in contents] == []
