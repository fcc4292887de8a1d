"""Addresses below a model's URL."""

from __future__ import annotations

from urllib.parse import quote

import httpx


def below(url: str, *parts: str) -> str:
    """`url` with `parts` added to its path; a query stays at the end."""
    base = httpx.URL(url)
    added = "".join(f"/{quote(part, safe='')}" for part in parts)
    return str(base.copy_with(path=base.path.rstrip("/") + added))
