"""Tokens that only their own viewer can use: cursors, positions, entity tags. None shows a number of the log."""

from __future__ import annotations

import base64
import binascii
import hmac
import os
from hashlib import sha256
from typing import Any
from uuid import UUID

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12
_BLOCK = 64  # tokens of one kind differ in length by blocks, so that length tells little


class BadToken(ValueError):
    """The token is not one of this viewer's."""


class Tokens:
    """Seals small values for one viewer and one use."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._box = AESGCM(hmac.digest(key, b"tokens", sha256))

    def seal(self, viewer: UUID, use: str, value: Any) -> str:
        """Return a token that opens for this viewer and this use only."""
        plain = orjson.dumps(value)
        plain += b" " * (-len(plain) % _BLOCK)
        nonce = os.urandom(_NONCE)
        sealed = nonce + self._box.encrypt(nonce, plain, viewer.bytes + use.encode())
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def open(self, viewer: UUID, use: str, token: str) -> Any:
        """Return the value in a token; raise `BadToken` for anything else."""
        try:
            sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            plain = self._box.decrypt(sealed[:_NONCE], sealed[_NONCE:], viewer.bytes + use.encode())
        except (binascii.Error, InvalidTag, ValueError) as error:
            raise BadToken(use) from error
        return orjson.loads(plain)

    def tag(self, viewer: UUID, *parts: object) -> str:
        """Return an entity tag: equal for equal parts and the same viewer, and saying nothing else."""
        message = b"\0".join([b"tag", viewer.bytes, *(str(part).encode() for part in parts)])
        return hmac.digest(self._key, message, sha256)[:16].hex()
