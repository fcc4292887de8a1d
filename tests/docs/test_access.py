"""docs/reference/access.md says what tests/rls/access.toml says now."""

from __future__ import annotations

from typing import Any

import psycopg

from rowcast.access import DOCUMENT, document


def test_the_document_is_current(db: psycopg.Connection[tuple[Any, ...]]) -> None:
    written = DOCUMENT.read_text() if DOCUMENT.exists() else ""
    assert document(db) == written, "run ./rowcast access"
