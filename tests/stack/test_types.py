"""The committed API types are what the Supabase CLI makes of the migrations."""

from __future__ import annotations

from rowcast.cli.database import outdated_types


def test_types_are_current(database_template: str) -> None:
    assert outdated_types(database_template) == [], "run ./rowcast types"
