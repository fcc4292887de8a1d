"""What the attacks share: what must not be in an answer, and what the document offers to attack."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rowcast.fuzz.document import Resource, resources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from typing import TypeAlias

    import httpx

    from rowcast.fuzz.document import Field
    from rowcast.fuzz.people import Victim

    Weakened: TypeAlias = Callable[[str, str], AbstractContextManager[None]]

OPEN_READ = (
    'alter policy "riders read their own pickups" on public.pickup_requests using (true)',
    (
        'alter policy "riders read their own pickups" on public.pickup_requests'
        " using (user_id = (select auth.uid()))"
    ),
)


def holds_nothing_of(victim: Victim, answer: httpx.Response) -> None:
    """Fails when an answer carries the victim's marker or an id that only her rows tell."""
    told = [trace for trace in (victim.marker, *victim.secret_ids) if trace in answer.text]
    assert told == [], f"{answer.request.method} {answer.request.url}: {answer.text[:500]}"


def offered(client: httpx.Client) -> tuple[list[Resource], list[Resource]]:
    """The tables and the functions that the document shows this caller."""
    found = resources(client.get("/").json())
    return (
        [resource for resource in found if not resource.is_function],
        [resource for resource in found if resource.is_function],
    )


def plain(field: Field) -> Any:
    """A value of the field's type that says nothing."""
    if field.labels:
        return field.labels[0]
    for kind, value in (
        ("double", 1.5), ("int", 1), ("bool", True), ("json", {}), ("[]", []),
        ("timestamp", "2030-01-01T00:00:00Z"), ("uuid", "00000000-0000-4000-8000-000000000000"),
    ):  # fmt: skip
        if kind in field.format:
            return value
    return "x"


def calls_with(function: Resource, kinds: tuple[str, ...], value: str) -> Iterator[dict[str, Any]]:
    """Arguments for a function, with this value in each argument of these types in turn."""
    for field in function.fields:
        if any(kind in field.format for kind in kinds):
            yield {other.name: plain(other) for other in function.fields} | {field.name: value}


def message_of(answer: httpx.Response) -> str:
    """An error's words."""
    return json.dumps(answer.json()) if answer.content else ""
