"""The models that run inside the service, by name; nothing heavy is imported until one is loaded.

>>> from rowcast import models
>>> models.load("echo").predict([{"x": 2}])[0].output
{'score': 2.0}
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import cast

from rowcast.models.base import (
    InputError,
    Model,
    Prediction,
    ProviderFault,
    Reply,
    UnknownModelError,
)

__all__ = [
    "InputError",
    "Model",
    "Prediction",
    "ProviderFault",
    "Reply",
    "UnknownModelError",
    "load",
    "names",
]

_CLASSES = {
    "echo": "rowcast.models.echo:EchoModel",
    "eta": "rowcast.models.eta:EtaModel",
    "signin": "rowcast.models.signin:SignInModel",
}


def names() -> tuple[str, ...]:
    """The names that `load` accepts, sorted."""
    return tuple(sorted(_CLASSES))


@cache
def load(name: str) -> Model:
    """The model of that name, loaded once per process; raises `UnknownModelError`."""
    if name not in _CLASSES:
        raise UnknownModelError(f"no model {name!r}; there are: {', '.join(names())}")
    module, _, attribute = _CLASSES[name].partition(":")
    return cast("Model", getattr(import_module(module), attribute)())
