"""What a forked service runs. Importing this imports the whole service, once for all of them."""

from __future__ import annotations

import ctypes
import encodings.idna
import os
import signal
import sys
from typing import TYPE_CHECKING

import uvicorn.lifespan.on
import uvicorn.loops.auto
import uvicorn.loops.uvloop
import uvicorn.protocols.http.auto
import uvicorn.protocols.websockets.auto

from rowcast import models
from rowcast.chaos import model
from rowcast.service import __main__ as service

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["encodings", "model", "serve", "uvicorn"]

_PR_SET_PDEATHSIG = 1


def serve(environment: Mapping[str, str], log: str) -> None:
    """The service as `python -m rowcast.service` runs it, with the models of chaos."""
    # However the run ends, no service outlives it.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.environ.update(environment)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(output, sys.stdout.fileno())
    os.dup2(output, sys.stderr.fileno())
    models._CLASSES["chaos"] = "rowcast.chaos.model:ChaosModel"
    models._CLASSES["limited"] = "rowcast.chaos.model:LimitedModel"
    sys.exit(service.main())
