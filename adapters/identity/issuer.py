"""Identity tokens: verify those of the site's issuer; issue our own only in a demo, on loopback."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

RSA_BITS_LEAST = 3072
"""As strong as the rest, 128 bits (NIST SP 800-57 Part 1, table 2)."""
ALGORITHMS = ["EdDSA", "ES256", "PS256", "RS256"]
REQUIRED = ["exp", "iat", "iss", "aud", "sub"]


class BadIdentity(Exception):
    """The token is not one of the site's issuer, or not valid now; the sentence quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom the site's issuer speaks of, by its own name for the person; when and how strongly that person signed in.

    `acr`: how strongly, in the issuer's words.
    """

    subject: str
    authenticated_at: datetime
    acr: str | None = None


class Verifier(Protocol):
    """Knows whom a token speaks of."""

    def identity(self, token: str) -> Identity:
        """Return whom a bearer token speaks of; raises `BadIdentity`."""
        ...


@dataclass(frozen=True, slots=True)
class KeySet:
    """An issuer's public keys, by key id, for whom its tokens must be meant, and how long a key of RSA must be."""

    issuer: str
    audience: str
    keys: Mapping[str, Any] = field(repr=False)
    rsa_bits_least: int = RSA_BITS_LEAST

    @classmethod
    def read(cls, issuer: str, audience: str, file: Path, rsa_bits_least: int = RSA_BITS_LEAST) -> KeySet:
        """Read a JWKS document. Raises `ValueError` for one that holds no key with an id."""
        if not (keys := keys_of(json.loads(file.read_text()))):
            raise ValueError(f"{file} holds no key with an id (kid)")
        return cls(issuer, audience, keys, rsa_bits_least)

    def identity(self, token: str) -> Identity:
        """Return whom a bearer token speaks of; raises `BadIdentity`."""
        return identity_of(self.claims(token))

    def claims(self, token: str) -> dict[str, Any]:
        """Return the claims of a token of this issuer that is meant for this audience now; raises `BadIdentity`."""
        try:
            key = self.keys[jwt.get_unverified_header(token)["kid"]]
            if isinstance(key, RSAPublicKey) and key.key_size < self.rsa_bits_least:
                raise BadIdentity(
                    f"the issuer signs with RSA of {key.key_size} bits, the site takes {self.rsa_bits_least} and more:"
                    " have it sign by ES256, or see GOLDENTHREAD_RSA_BITS_LEAST"
                )
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                issuer=self.issuer,
                audience=self.audience,
                options={"require": REQUIRED},
            )
        except (jwt.PyJWTError, KeyError, ValueError, TypeError):
            raise BadIdentity("it is no valid token of the issuer's") from None
        return claims


def keys_of(document: dict[str, Any]) -> dict[str, Any]:
    """Return the keys of a JWKS document that have an id. Raises `jwt.PyJWTError` for one without a key."""
    return {key.key_id: key.key for key in jwt.PyJWKSet.from_dict(document).keys if key.key_id}


def identity_of(claims: Mapping[str, Any]) -> Identity:
    """Return whom claims speak of; without `auth_time` a token is as old as the sign-in that it tells of."""
    try:
        moment = datetime.fromtimestamp(claims.get("auth_time", claims["iat"]), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        raise BadIdentity("it does not say when the person signed in") from None
    acr = claims.get("acr")
    return Identity(str(claims["sub"]), moment, acr if isinstance(acr, str) else None)


class DemoIssuer:
    """An issuer of the demo's own; its key lives as long as the process."""

    def __init__(self, audience: str) -> None:
        self._key = Ed25519PrivateKey.generate()
        self._name = "urn:goldenthread:demo"
        self._audience = audience
        self.keys = KeySet(self._name, audience, {"demo": self._key.public_key()})

    def token(
        self,
        subject: str,
        lifetime: timedelta = timedelta(days=1),
        *,
        age: timedelta = timedelta(0),
        acr: str | None = None,
    ) -> str:
        """Return a bearer token for a person, who signed in `age` ago, as strongly as `acr` says."""
        now = datetime.now(UTC)
        claims = {
            "iss": self._name,
            "aud": self._audience,
            "sub": subject,
            "iat": now,
            "exp": now + lifetime,
            "auth_time": int((now - age).timestamp()),
        } | ({} if acr is None else {"acr": acr})
        return jwt.encode(claims, self._key, "EdDSA", {"kid": "demo"})

    def identity(self, token: str) -> Identity:
        """Return whom a token of ours speaks of; raises `BadIdentity`."""
        return self.keys.identity(token)
