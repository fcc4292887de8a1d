"""What `migration new|check|freeze` sees: plain text, no database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rowcast.cli import migration
from rowcast.errors import RowcastError

if TYPE_CHECKING:
    from pathlib import Path

GREET = "sql/functions/public/greet.sql"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout whose one function is shipped by its one migration, which is frozen."""
    (tmp_path / "sql/functions/public").mkdir(parents=True)
    (tmp_path / "sql/policies").mkdir()
    (tmp_path / "supabase/migrations").mkdir(parents=True)
    (tmp_path / GREET).write_text("select 'hello';\n")
    ship(tmp_path, "20260101000000_first.sql", GREET)
    freeze(tmp_path)
    return tmp_path


def ship(root: Path, name: str, *paths: str) -> None:
    text = migration.embed(root, list(paths))
    (root / "supabase/migrations" / name).write_text(f"-- Purpose: a test.\n{text}")


def freeze(root: Path) -> None:
    folder = root / "supabase/migrations"
    lines = [f"{migration.checksum(file)}  {file.name}\n" for file in sorted(folder.glob("*.sql"))]
    (folder / "CHECKSUMS").write_text("".join(lines))


def test_a_shipped_and_frozen_checkout_has_no_findings(root: Path) -> None:
    assert migration.findings(root) == []


def test_an_edited_function_is_found_until_a_migration_ships_it(root: Path) -> None:
    (root / GREET).write_text("select 'good day';\n")
    assert migration.findings(root) == [f"{GREET} was never shipped or differs"]
    ship(root, "20260102000000_second.sql", *migration.changed_files(root))
    assert migration.findings(root) == ["20260102000000_second.sql is not frozen"]
    freeze(root)
    assert migration.findings(root) == []


def test_an_edited_frozen_migration_is_found(root: Path) -> None:
    with (root / "supabase/migrations/20260101000000_first.sql").open("a") as file:
        file.write("-- a late thought\n")
    assert migration.findings(root) == ["20260101000000_first.sql was edited after it was frozen"]


def test_a_frozen_migration_that_is_gone_is_found(root: Path) -> None:
    (root / "supabase/migrations/20260101000000_first.sql").unlink()
    assert "20260101000000_first.sql is frozen but gone" in migration.findings(root)


def test_a_file_that_was_shipped_may_only_go_by_a_migration(root: Path) -> None:
    (root / GREET).unlink()
    assert migration.findings(root) == [f"{GREET} is shipped but gone"]
    removal = root / "supabase/migrations/20260102000000_without_greet.sql"
    removal.write_text(f"drop function public.greet();\n-- removed file: {GREET}\n")
    freeze(root)
    assert migration.findings(root) == []


def test_policies_ship_after_the_functions_they_call(root: Path) -> None:
    (root / "sql/policies/a.sql").write_text("select 1;\n")
    assert list(migration.source_files(root)) == [GREET, "sql/policies/a.sql"]


def test_a_migration_that_ships_no_file_claims_nothing_about_its_risks() -> None:
    assert "instant" in migration.header("quote_eta", [GREET])
    assert migration.header("quote_eta", []).splitlines() == [
        "-- Purpose: quote eta.",
        "-- Locks and risks: (say what is locked, and for how long)",
        "-- Undo: (say how)",
    ]


def test_an_unclosed_file_is_an_error(root: Path) -> None:
    (root / "supabase/migrations/20260103000000_open.sql").write_text(
        f"-- file: {GREET}\nselect 1;"
    )
    with pytest.raises(RowcastError, match="has no"):
        migration.findings(root)
