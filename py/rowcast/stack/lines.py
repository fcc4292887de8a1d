"""Text for logs in which an event is one line."""

from __future__ import annotations


def one_line(error: BaseException) -> str:
    """Give an error's text without line breaks."""
    return " ".join(str(error).split()) or type(error).__name__
