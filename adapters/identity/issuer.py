"""Identity tokens: verify those of the site's issuer; issue our own only in a demo, on loopback."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ALGORITHMS = ["EdDSA", "ES256", "RS256"]
REQUIRED = ["exp", "iss", "aud", "sub"]


class BadIdentity(Exception):
    """The token is not one of the site's issuer, or not valid now."""


class Verifier(Protocol):
    """Knows whom a token speaks of."""

    def subject(self, token: str) -> str:
        """Return what the issuer calls the person; raises `BadIdentity`."""
        ...


@dataclass(frozen=True, slots=True)
class KeySet:
    """An issuer's public keys, from its JWKS document, by key id."""

    issuer: str
    audience: str
    keys: dict[str, Any] = field(repr=False)

    @classmethod
    def read(cls, issuer: str, audience: str, file: Path) -> KeySet:
        """Read a JWKS document. Raises `ValueError` for one that holds no key with an id."""
        found = jwt.PyJWKSet.from_dict(json.loads(file.read_text()))
        keys = {key.key_id: key.key for key in found.keys if key.key_id}
        if not keys:
            raise ValueError(f"{file} holds no key with an id (kid)")
        return cls(issuer, audience, keys)

    def subject(self, token: str) -> str:
        """Return what the issuer calls the person; raises `BadIdentity`."""
        try:
            key = self.keys[jwt.get_unverified_header(token)["kid"]]
            claims = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                issuer=self.issuer,
                audience=self.audience,
                options={"require": REQUIRED},
            )
        except (jwt.PyJWTError, KeyError, ValueError, TypeError):
            raise BadIdentity from None
        return str(claims["sub"])


class DemoIssuer:
    """An issuer of the demo's own; its key lives as long as the process."""

    def __init__(self, audience: str) -> None:
        self._key = Ed25519PrivateKey.generate()
        self._name = "urn:goldenthread:demo"
        self._audience = audience
        self.keys = KeySet(self._name, audience, {"demo": self._key.public_key()})

    def token(self, subject: str, lifetime: timedelta = timedelta(days=1)) -> str:
        """Return a bearer token for a person."""
        now = datetime.now(UTC)
        claims = {"iss": self._name, "aud": self._audience, "sub": subject, "iat": now, "exp": now + lifetime}
        return jwt.encode(claims, self._key, "EdDSA", {"kid": "demo"})

    def subject(self, token: str) -> str:
        """Return the person a token of ours speaks of; raises `BadIdentity`."""
        return self.keys.subject(token)
