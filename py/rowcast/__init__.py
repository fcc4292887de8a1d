"""Rowcast: a Supabase project whose rows predict themselves."""

from __future__ import annotations

__version__ = "0.1.0"
