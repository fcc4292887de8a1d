"""What one stack remembers between runs: ports, keys and passwords (mode 0600)."""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING

from rowcast.errors import RowcastError

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_PORT = 54321


@dataclass(frozen=True, slots=True)
class Ports:
    """A block of seven neighbouring ports, all on 127.0.0.1."""

    base: int

    @property
    def gateway(self) -> int:
        """The one origin that clients use."""
        return self.base

    @property
    def postgres(self) -> int:
        """PostgreSQL."""
        return self.base + 1

    @property
    def auth(self) -> int:
        """Auth and Storage."""
        return self.base + 2

    @property
    def rest(self) -> int:
        """PostgREST."""
        return self.base + 3

    @property
    def rest_admin(self) -> int:
        """PostgREST's health checks."""
        return self.base + 4

    @property
    def functions(self) -> int:
        """Edge functions."""
        return self.base + 5

    @property
    def service(self) -> int:
        """The prediction service."""
        return self.base + 6

    def all(self) -> range:
        """Every port of the block."""
        return range(self.base, self.base + 7)


def _signing_secret() -> str:
    """A Standard Webhooks secret: 32 random bytes."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


@dataclass(slots=True)
class State:
    """The content of state.json. Keys are made once and survive `down` and `reset`."""

    base_port: int = DEFAULT_PORT
    publishable_key: str = field(default_factory=lambda: f"sb_publishable_{secrets.token_hex(16)}")
    secret_key: str = field(default_factory=lambda: f"sb_secret_{secrets.token_hex(24)}")
    jwt_secret: str = field(default_factory=lambda: secrets.token_hex(32))
    database_password: str = field(default_factory=lambda: secrets.token_hex(16))
    service_password: str = field(default_factory=lambda: secrets.token_hex(16))
    webhook_secret: str = field(default_factory=_signing_secret)
    database_webhook_secret: str = field(default_factory=_signing_secret)
    erasure_secret: str = field(default_factory=lambda: secrets.token_hex(32))
    # Hashes of what the database already has, so that a warm start skips it.
    applied: dict[str, str] = field(default_factory=dict)
    # Set while the service runs against a real Supabase: its api_url, db_url, service_url, keys.
    external: dict[str, str] = field(default_factory=dict)

    @property
    def ports(self) -> Ports:
        """The stack's ports."""
        return Ports(self.base_port)

    def database_url(self, user: str, password: str = "", database: str = "postgres") -> str:
        """A connection URL of the embedded cluster."""
        secret = password or self.database_password
        return f"postgresql://{user}:{secret}@127.0.0.1:{self.ports.postgres}/{database}"


def load(file: Path) -> State | None:
    """Read state.json; None when there is none yet."""
    try:
        content = json.loads(file.read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise RowcastError(
            f"{file} cannot be read: {error}", "remove it and run `./rowcast reset --yes`"
        ) from error
    known = {item.name for item in fields(State)}
    return State(**{name: value for name, value in content.items() if name in known})


def save(file: Path, state: State) -> None:
    """Write state.json atomically, readable by its owner only."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as output:
        json.dump(asdict(state), output, indent=2)
    temporary.replace(file)
