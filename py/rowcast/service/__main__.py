"""`python -m rowcast.service`: the service under uvicorn, as the container and systemd run it."""

from __future__ import annotations

import sys

import uvicorn

from rowcast.errors import RowcastError
from rowcast.service.app import create_app
from rowcast.service.logs import configure_logging
from rowcast.settings import load_settings


def main() -> int:
    """Run until SIGTERM or SIGINT; 1 when the settings are wrong."""
    try:
        settings = load_settings()
    except RowcastError as error:
        print(f"rowcast: {error.message}\n{error.hint}", file=sys.stderr)
        return 1
    configure_logging(settings.log_level)
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
