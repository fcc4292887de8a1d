"""Entry point of `python -m rowcast`."""

from __future__ import annotations

from rowcast.cli import main

if __name__ == "__main__":
    main()
