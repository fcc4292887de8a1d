"""Extract, verify, validate: everything about a webhook that needs no database. All pure."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from standardwebhooks import Webhook, WebhookVerificationError

from rowcast.service.problems import Problem

Body = TypeVar("Body", bound=BaseModel)
Name = Annotated[str, Field(min_length=1, max_length=63)]


class Wakeup(BaseModel):
    """Body of POST /webhooks/jobs: names only. They are a hint; the queue says what is due."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["jobs.due"]
    predictions: list[Name] = Field(max_length=1000)


class DatabaseChange(BaseModel):
    """Body of POST /webhooks/database, as Supabase Database Webhooks send it."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    type: Literal["INSERT", "UPDATE", "DELETE"]
    table: Name
    schema_name: Name = Field(alias="schema")
    record: dict[str, Any] | None
    old_record: dict[str, Any] | None

    def change(self) -> dict[str, Any]:
        """What `ml.claim` takes: where, and the row as it was named."""
        return {
            "schema": self.schema_name,
            "table": self.table,
            "record": self.record or self.old_record or {},
        }


WAKEUP = TypeAdapter(Wakeup)
DATABASE_CHANGE = TypeAdapter(DatabaseChange)


def verify_signature(headers: Mapping[str, str], body: bytes, secrets: tuple[str, ...]) -> str:
    """The webhook's id, once any of `secrets` fits (Standard Webhooks 1.0.0, five minutes' window).

    Raises `Problem` 401 INVALID_SIGNATURE, also for headers that are missing or malformed.
    """
    usable = len(headers.get("webhook-id", "")) <= 200
    for secret in secrets if usable else ():
        try:
            Webhook(secret).verify(body, dict(headers))
        except WebhookVerificationError:
            continue
        except Exception:  # noqa: BLE001 - malformed headers and bodies escape as other errors
            break
        return headers["webhook-id"]
    raise Problem(401, "INVALID_SIGNATURE", "The signature, id or timestamp is not valid.")


def verify_shared_secret(given: str | None, secret: str) -> None:
    """Compare in constant time; raises `Problem` 401 INVALID_WEBHOOK_SECRET."""
    if given is None or not hmac.compare_digest(given.encode(), secret.encode()):
        message = "The header x-rowcast-webhook-secret is not valid."
        raise Problem(401, "INVALID_WEBHOOK_SECRET", message)


def parse(adapter: TypeAdapter[Body], body: bytes) -> Body:
    """The body as its type; raises `Problem` 422 INVALID_PAYLOAD."""
    try:
        return adapter.validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise Problem(422, "INVALID_PAYLOAD", f"{where}: {first['msg']}") from None
