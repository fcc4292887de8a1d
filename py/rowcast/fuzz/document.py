"""What PostgREST's OpenAPI document says of tables and functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Field:
    """A column or an argument: its Postgres type, and the labels of an enumeration."""

    name: str
    format: str
    labels: tuple[str, ...] = ()
    required: bool = False


@dataclass(frozen=True, slots=True)
class Resource:
    """A table or a function as one role sees it."""

    path: str
    verbs: tuple[str, ...]
    fields: tuple[Field, ...]

    @property
    def is_function(self) -> bool:
        """Whether it is called rather than read."""
        return self.path.startswith("/rpc/")


def resources(document: Mapping[str, Any]) -> tuple[Resource, ...]:
    """All tables and functions of a document, in its order of names."""
    found = []
    for path, verbs in sorted(document["paths"].items()):
        if path == "/":
            continue
        names = tuple(verb.upper() for verb in verbs)
        if path.startswith("/rpc/"):
            found.append(Resource(path, names, _arguments(verbs)))
        else:
            found.append(Resource(path, names, _fields(document["definitions"][path[1:]])))
    return tuple(found)


def _arguments(verbs: Mapping[str, Any]) -> tuple[Field, ...]:
    """The arguments of a function, from the body of its POST."""
    for parameter in verbs["post"].get("parameters", ()):
        if parameter.get("in") == "body":
            return _fields(parameter["schema"])
    return ()


def _fields(schema: Mapping[str, Any]) -> tuple[Field, ...]:
    required = schema.get("required", ())
    return tuple(
        Field(
            name,
            str(content.get("format", content.get("type", "text"))),
            tuple(content.get("enum", ())),
            name in required,
        )
        for name, content in schema.get("properties", {}).items()
    )
