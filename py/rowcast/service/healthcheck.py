"""`python -m rowcast.service.healthcheck`: exit 0 when the service here is alive."""

from __future__ import annotations

import os
import sys
from http.client import HTTPConnection


def main() -> int:
    """Ask /health on the port that the service was told to listen on."""
    connection = HTTPConnection(
        "127.0.0.1", int(os.environ.get("ROWCAST_PORT", "54327")), timeout=2
    )
    try:
        connection.request("GET", "/health")
        return 0 if connection.getresponse().status == 200 else 1
    except OSError:
        return 1


if __name__ == "__main__":
    sys.exit(main())
