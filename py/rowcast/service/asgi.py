"""For any ASGI server: `uvicorn --factory rowcast.service.asgi:app`."""

from __future__ import annotations

from starlette.applications import Starlette

from rowcast.service.app import create_app
from rowcast.service.logs import configure_logging
from rowcast.settings import load_settings


def app() -> Starlette:
    """The application, with settings from the environment."""
    settings = load_settings()
    configure_logging(settings.log_level)
    return create_app(settings)
