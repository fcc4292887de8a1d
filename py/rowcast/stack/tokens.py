"""API keys and JSON Web Tokens of the embedded stack: pure functions of strings and the clock."""

from __future__ import annotations

import hmac
import time
from dataclasses import dataclass, field
from typing import Any

import jwt

MINTED_SECONDS = 3600
MINTED_MARGIN_SECONDS = 60


class TokenError(ValueError):
    """A token that must not be trusted; the message says why without repeating the token."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a verified token speaks for.

    `claims` is the token's payload, `role` the database role, `expires_at` seconds since the epoch.
    """

    role: str
    claims: dict[str, Any]
    expires_at: float


@dataclass(slots=True)
class Keyring:
    """The stack's two API keys and its signing secret."""

    publishable_key: str
    secret_key: str
    jwt_secret: str
    _minted: dict[str, tuple[str, float]] = field(default_factory=dict, repr=False)

    def role_of(self, key: str) -> str | None:
        """Give the role an API key stands for, or None for a key this stack never issued."""
        given = key.encode()
        if hmac.compare_digest(given, self.publishable_key.encode()):
            return "anon"
        if hmac.compare_digest(given, self.secret_key.encode()):
            return "service_role"
        return None

    def mint(self, role: str) -> str:
        """Give a signed token for `role`, the same one until a minute before it expires."""
        token, expires_at = self._minted.get(role, ("", 0.0))
        now = time.time()
        if expires_at - now < MINTED_MARGIN_SECONDS:
            expires_at = now + MINTED_SECONDS
            claims = {"role": role, "iss": "supabase", "iat": int(now), "exp": int(expires_at)}
            token = jwt.encode(claims, self.jwt_secret, algorithm="HS256")
            self._minted[role] = (token, expires_at)
        return token

    def verify(self, token: str) -> Identity:
        """Verify signature, algorithm, expiry and role of a token; an API key counts as its role.

        Raises:
            TokenError: if any of them is wrong or absent.
        """
        key_role = self.role_of(token)
        if key_role is not None:
            token = self.mint(key_role)
        try:
            claims = jwt.decode(
                token,
                self.jwt_secret,
                algorithms=["HS256"],
                options={"require": ["exp", "role"], "verify_aud": False},
            )
        except jwt.ExpiredSignatureError as error:
            raise TokenError("token has expired") from error
        except jwt.PyJWTError as error:
            raise TokenError("token is not valid") from error
        role = claims["role"]
        if not isinstance(role, str) or not role:
            raise TokenError("token has no role")
        # A key never expires: its minted token is only the shape in which the database sees it.
        expires_at = float("inf") if key_role is not None else float(claims["exp"])
        return Identity(role=role, claims=claims, expires_at=expires_at)


def bearer(authorization: str | None) -> str | None:
    """Give the token of an `Authorization: Bearer …` header, or None if there is none."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None
