"""The prediction service's settings, read once from the environment; see `.env.example`."""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode
from typing import Annotated

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from rowcast import models
from rowcast.errors import RowcastError


class Settings(BaseSettings):
    """Each field is the environment variable `ROWCAST_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="ROWCAST_", extra="ignore", frozen=True)

    db_url: SecretStr
    """As role rowcast_service; direct or session mode, unless `listen` is off."""
    secret_key: SecretStr = Field(min_length=16)
    """Opens POST /predict/{model}; the project's sb_secret_ key or one of your own."""
    webhook_secrets: Annotated[tuple[SecretStr, ...], NoDecode] = Field(min_length=1)
    """Standard Webhooks secrets (whsec_...), space-separated; several while keys rotate."""
    database_webhook_secret: SecretStr = Field(min_length=16)
    """What a Supabase Database Webhook sends in the header x-rowcast-webhook-secret."""
    host: str = "127.0.0.1"
    port: int = Field(default=54327, ge=1, le=65535)
    models: Annotated[tuple[str, ...], NoDecode] = ("echo", "eta", "signin")
    """Models that this replica serves, space-separated."""
    remote_keys: Annotated[dict[str, SecretStr], NoDecode] = {}
    """Keys of models that answer over HTTP, a JSON object of name and key; rows name the name."""
    claim_limit: int = Field(default=256, ge=1, le=10000)
    """Most jobs in one batch, whatever the model's batch_size."""
    concurrency: int = Field(default=3, ge=1, le=64)
    """Batches of one model in work at a time: while one is predicted, others come and go."""
    listen: bool = True
    """Sleep under LISTEN. Off behind a transaction-mode pooler, where it cannot work: then poll."""
    poll_seconds: float = Field(
        default_factory=lambda given: 1.0 if given.get("listen", True) else 0.25, gt=0, le=60
    )
    """Longest sleep without a look at the queue: 1, or 0.25 where nothing can wake the service."""
    heartbeat_seconds: float = Field(default=5.0, gt=0, le=300)
    """Keep it at a third of the shortest lease or less."""
    drain_seconds: float = Field(default=10.0, ge=0, le=600)
    """After SIGTERM, how long running batches may finish before their jobs are released."""
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")

    @field_validator("webhook_secrets", "models", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(value.split()) if isinstance(value, str) else value

    @field_validator("models")
    @classmethod
    def _check_models(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in models.names():
                raise ValueError(f"no model {name!r}; there are: {', '.join(models.names())}")
        return value

    @field_validator("remote_keys", mode="before")
    @classmethod
    def _read_object(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value or "{}")
        except ValueError:
            raise ValueError("not a JSON object of names and keys") from None

    @field_validator("remote_keys")
    @classmethod
    def _check_keys(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, key in value.items():
            # It travels in a header. A shorter one could not be kept out of error texts.
            if not re.fullmatch(r"[\x21-\x7e]{8,}", key.get_secret_value()):
                raise ValueError(f"the key {name!r} is not 8 or more ASCII characters, no spaces")
        return value

    @field_validator("webhook_secrets")
    @classmethod
    def _check_secrets(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for secret in value:
            encoded = secret.get_secret_value().removeprefix("whsec_")
            try:
                size = len(b64decode(encoded, validate=True))
            except binascii.Error:
                raise ValueError("each is whsec_ followed by base64") from None
            if not 24 <= size <= 64:
                raise ValueError("each holds 24 to 64 bytes")
        return value


def load_settings() -> Settings:
    """The settings, or a `RowcastError` that names every variable that is missing or wrong."""
    try:
        return Settings()  # type: ignore[call-arg]
    except ValidationError as error:
        lines = [
            f"ROWCAST_{str(item['loc'][0]).upper()}: {item['msg'].removeprefix('Value error, ')}"
            for item in error.errors(include_input=False, include_url=False)
        ]
        raise RowcastError(
            "settings: " + "; ".join(lines),
            "Set them in the environment; .env.example explains each.",
        ) from None
